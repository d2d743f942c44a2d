package signaling

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits of Signal.Info, beyond which no channel has to carry it.
const (
	maxInfo = 255      // entries; "bandwidth" may join them
	maxText = 16 << 10 // bytes of a value
)

// CheckInfo says why application data cannot be carried; nil: it can. It is flat, of 255
// entries at most; its keys are as CheckName has them, and each value is text that XML can
// carry (see ValidText), of 16 KiB at most.
func CheckInfo(info map[string]string) error {
	if len(info) > maxInfo {
		return fmt.Errorf("%d entries, at most %d are allowed", len(info), maxInfo)
	}
	for k, v := range info {
		if err := CheckName(k); err != nil {
			return fmt.Errorf("key %w", err)
		}
		if len(v) > maxText || !ValidText(v) {
			return fmt.Errorf("value of %q is too long or not text", k)
		}
	}
	return nil
}

// CheckName says why an element of a signal must not have this name; nil: it may. Names are
// such that every XML parser takes them: ASCII, no colon, and none of those reserved for
// XML itself. At any depth, three names make the JavaScript SDK drop or misread the whole
// signal: it looks for them among all descendants.
func CheckName(name string) error {
	switch {
	case !validName(name):
		return fmt.Errorf("%q is not an XML name of ASCII letters, digits, '_', '-' and '.'", name)
	case name == "delay" || name == "moduleIdentifier" || name == "extraParams":
		return fmt.Errorf("%q would make the SDKs drop the whole signal", name)
	}
	return nil
}

// ValidText reports whether XML can carry s (XML 1.0, production 2, Char).
func ValidText(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		switch {
		case r == '\t', r == '\n', r == '\r':
		case r < 0x20, r == 0xFFFE, r == 0xFFFF:
			return false
		}
	}
	return true
}

func validName(s string) bool {
	if s == "" || len(s) > 128 || len(s) >= 3 && strings.EqualFold(s[:3], "xml") {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
		case i > 0 && (c >= '0' && c <= '9' || c == '-' || c == '.'):
		default:
			return false
		}
	}
	return true
}
