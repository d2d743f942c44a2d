// Package keyring keeps the keys of the phones that were paired with a door, in one file that
// is written whole or not at all. It does not decide who may open: see door/access. It starts
// no goroutine; a Ring may be used from any.
//
// The file has the secrets themselves, since the door has to compute with them: whoever
// reads it is every paired phone. It belongs to the user the station runs as, alone.
package keyring

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"intercom/internal/whole"
)

// SecretSize is the length of a secret in bytes.
const SecretSize = 32

const (
	maxKeys = 1000    // of a house
	maxUser = 16      // of one resident
	maxName = 64      // bytes
	maxFile = 4 << 20 // bytes
	version = 1       // of the file
	idBytes = 5       // of an id, which is written as 8 letters and digits
	idText  = "abcdefghijklmnopqrstuvwxyz234567"
)

// Key is what a phone was paired with.
type Key struct {
	ID     string    `json:"id"`   // names it in requests, and is no secret
	User   int64     `json:"user"` // whose phone it is
	Name   string    `json:"name,omitempty"`
	Secret []byte    `json:"secret"`
	Paired time.Time `json:"paired"`
}

// Errors that callers tell apart.
var (
	ErrNoKey   = errors.New("there is no such key")
	ErrTooMany = errors.New("there are too many keys; revoke those of phones that are gone")
	ErrDamaged = errors.New("it is damaged") // the file, says Open
)

// Ring is the keys, and the file they are in.
type Ring struct {
	path string
	lost error // why nobody knows the keys; nil: they are known

	mu   sync.Mutex
	keys []Key // in the order of pairing
}

// content is the file. Sum is the hash of the keys: a disk that has changed a byte must not
// go unnoticed, and JSON alone would not tell.
type content struct {
	Version int             `json:"version"`
	Sum     string          `json:"sha256"`
	Keys    json.RawMessage `json:"keys"`
}

// Open reads the file, which need not be there yet. What is damaged, or readable by others,
// is an error that says what to do: keys that cannot be trusted open nothing. An empty path
// keeps the keys in memory alone.
func Open(path string) (*Ring, error) {
	r := &Ring{path: path}
	if path == "" {
		return r, nil
	}
	data, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, fmt.Errorf("keys of paired phones: %w", err)
	}
	if r.keys, err = parse(data); err != nil {
		return nil, fmt.Errorf("keys of paired phones: %s: %w; put a backup in its place, or remove it and pair the phones again", path, err)
	}
	return r, nil
}

// Lost returns a ring of which nobody knows the keys, and why: those of a file that is damaged.
// It has none, and none can be added: what is in the file may yet be saved.
func Lost(why error) *Ring { return &Ring{lost: why} }

// Lost returns why nobody knows the keys; nil: they are known.
func (r *Ring) Lost() error { return r.lost }

func read(path string) ([]byte, error) {
	st, err := os.Lstat(path)
	switch {
	case err != nil:
		return nil, err
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("%s: it is not a file", path)
	case st.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("%s: others may read it (mode %04o); chmod 600 it, and if somebody may have, rotate the keys", path, st.Mode().Perm())
	case st.Size() > maxFile:
		return nil, fmt.Errorf("%s: it has %d bytes, which is too large for keys", path, st.Size())
	}
	return os.ReadFile(path)
}

// parse reads the file strictly.
func parse(data []byte) ([]Key, error) {
	var c content
	if err := strict(data, &c); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if c.Version != version {
		return nil, fmt.Errorf("it is of version %d, and this program reads %d", c.Version, version)
	}
	if sum := sha256.Sum256(c.Keys); c.Sum != hex.EncodeToString(sum[:]) {
		return nil, fmt.Errorf("%w: the checksum is another", ErrDamaged)
	}
	var keys []Key
	if err := strict(c.Keys, &keys); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	ids := map[string]bool{}
	for i, k := range keys {
		switch {
		case k.ID == "" || ids[k.ID]:
			return nil, fmt.Errorf("%w: key %d has no id of its own", ErrDamaged, i+1)
		case k.User <= 0 || len(k.Secret) != SecretSize || checkName(k.Name) != nil:
			return nil, fmt.Errorf("%w: key %q is incomplete", ErrDamaged, k.ID)
		}
		ids[k.ID] = true
	}
	return keys, nil
}

func strict(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows its end")
	}
	return nil
}

// Keys returns all keys, secrets included, in the order of pairing.
func (r *Ring) Keys() []Key {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.keys)
}

// Add pairs a phone of a user: it returns a new key, which is on the disk. Name is for
// people and may be empty.
func (r *Ring) Add(user int64, name string, now time.Time) (Key, error) {
	if user <= 0 {
		return Key{}, fmt.Errorf("user %d is no user id", user)
	}
	if err := checkName(name); err != nil {
		return Key{}, err
	}
	k := Key{User: user, Name: name, Secret: newSecret(), Paired: now.UTC().Truncate(time.Second)}
	err := r.change(func(keys []Key) ([]Key, error) {
		of := 0
		for _, o := range keys {
			if o.User == user {
				of++
			}
		}
		if len(keys) >= maxKeys || of >= maxUser {
			return nil, ErrTooMany
		}
		for k.ID = newID(); slices.ContainsFunc(keys, func(o Key) bool { return o.ID == k.ID }); {
			k.ID = newID()
		}
		return append(keys, k), nil
	})
	if err != nil {
		return Key{}, err
	}
	return k, nil
}

// Revoke removes a key, and returns what it was.
func (r *Ring) Revoke(id string) (Key, error) {
	var gone Key
	err := r.change(func(keys []Key) ([]Key, error) {
		i := slices.IndexFunc(keys, func(k Key) bool { return k.ID == id })
		if i < 0 {
			return nil, fmt.Errorf("%w: %.40q", ErrNoKey, id)
		}
		gone = keys[i]
		return slices.Delete(keys, i, i+1), nil
	})
	if err != nil {
		return Key{}, err
	}
	return gone, nil
}

// Rotate gives a key another secret. The old one opens nothing any more; the phone has to
// be given the new one.
func (r *Ring) Rotate(id string, now time.Time) (Key, error) {
	var k Key
	err := r.change(func(keys []Key) ([]Key, error) {
		i := slices.IndexFunc(keys, func(k Key) bool { return k.ID == id })
		if i < 0 {
			return nil, fmt.Errorf("%w: %.40q", ErrNoKey, id)
		}
		keys[i].Secret, keys[i].Paired = newSecret(), now.UTC().Truncate(time.Second)
		k = keys[i]
		return keys, nil
	})
	if err != nil {
		return Key{}, err
	}
	return k, nil
}

// change applies f to a copy of the keys, and keeps what it returns once that is on the disk.
func (r *Ring) change(f func([]Key) ([]Key, error)) error {
	if r.lost != nil {
		return r.lost
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	keys, err := f(slices.Clone(r.keys))
	if err != nil {
		return err
	}
	if r.path != "" {
		if err := write(r.path, keys); err != nil {
			return fmt.Errorf("keys of paired phones: %w", err)
		}
	}
	r.keys = keys
	return nil
}

// write replaces the file: after a power cut there is the old one or the new one.
func write(path string, keys []Key) error {
	list, err := json.Marshal(keys)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(list)
	data, err := json.Marshal(content{version, hex.EncodeToString(sum[:]), list})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return whole.Write(path, append(data, '\n'))
}

func checkName(name string) error {
	if len(name) > maxName || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7F }) {
		return fmt.Errorf("the name of a phone is text of at most %d bytes in one line", maxName)
	}
	return nil
}

func newSecret() []byte {
	b := make([]byte, SecretSize)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return b
}

func newID() string {
	var b [idBytes]byte
	_, _ = rand.Read(b[:])
	return base32.NewEncoding(idText).EncodeToString(b[:])
}
