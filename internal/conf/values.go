package conf

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Duration is a time.Duration written as "5s" or "1m30s".
type Duration time.Duration

// UnmarshalText reads the notation of time.ParseDuration; negative ones are refused.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil || v < 0 {
		return fmt.Errorf(`%q is not a duration; write it like "5s" or "1m30s"`, text)
	}
	*d = Duration(v)
	return nil
}

// MarshalText returns the notation of time.Duration.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// Secret is a password, a key or a token: it hides itself from logs and messages.
type Secret string

// hidden stands for a secret wherever it would be shown.
const hidden = "(secret)"

// String returns "(secret)", or "" for an empty one.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return s.String() }

// LogValue hides the secret from logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the secret from JSON and TOML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes the text as it is.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = Secret(text)
	return nil
}

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// secretSize bounds a secret read from a file, in bytes.
const secretSize = 64 << 10

// Resolve returns the secret that s names: "file:/path", "env:NAME", or "credential:NAME",
// which is a file of that name in $CREDENTIALS_DIRECTORY (systemd.exec(5),
// LoadCredential). Without such a prefix it is s itself. The line end that editors leave
// at the end of a file is not part of the secret. Errors do not show secrets.
func (s Secret) Resolve() (Secret, error) {
	scheme, name, ok := strings.Cut(string(s), ":")
	if !ok {
		return s, nil
	}
	switch scheme {
	case "file":
		return readSecret(name)
	case "env":
		v, ok := os.LookupEnv(name)
		if !ok {
			return "", fmt.Errorf("environment variable %s is not set", name)
		}
		return Secret(v), nil
	case "credential":
		dir := os.Getenv("CREDENTIALS_DIRECTORY")
		if dir == "" {
			return "", fmt.Errorf("credential %s: there are no credentials: run it as a systemd service with LoadCredential=%s, or name a file: or env: instead", name, name)
		}
		if name != filepath.Base(name) {
			return "", fmt.Errorf("credential %s: it is a name, not a path", name)
		}
		v, err := readSecret(filepath.Join(dir, name))
		if errors.Is(err, errEmpty) || errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("credential %s: the service was given none: write it into the file that LoadCredential=%s: of its unit names, such as /etc/intercom/%s, for root alone", name, name, name)
		}
		return v, err
	}
	return s, nil
}

// errEmpty is the error of a secret's file with nothing in it.
var errEmpty = errors.New("the file is empty")

func readSecret(path string) (Secret, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	if len(data) > secretSize {
		return "", fmt.Errorf("read secret %s: it has %d bytes, at most %d are allowed", path, len(data), secretSize)
	}
	v := strings.TrimRight(string(data), "\r\n")
	if v == "" {
		return "", fmt.Errorf("read secret %s: %w", path, errEmpty)
	}
	return Secret(v), nil
}
