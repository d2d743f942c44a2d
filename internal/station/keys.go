package station

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"intercom/door"
	"intercom/door/access"
	"intercom/internal/control"
	"intercom/internal/keyring"
	"intercom/signaling"
)

var _ control.Keys = (*Station)(nil)

// errNoKeys is told to who wants to pair a phone with a door that keeps no keys.
var errNoKeys = errors.New("this door keeps no keys: name a file for them as access.keys in its configuration")

// keysCondition is what is wrong while nobody knows the keys.
const keysCondition = "keys of paired phones"

// tellLimit is how long the loop may take to hear of a change. One that takes longer is stuck,
// and a watchdog's business; the next run begins with the keys as they are.
const tellLimit = 30 * time.Second

// Pair makes a key for a phone of a resident, who is named or given by his user id.
func (s *Station) Pair(ctx context.Context, resident, phone string) (control.Pairing, error) {
	if s.cfg.Keyring == nil {
		return control.Pairing{}, errNoKeys
	}
	i := slices.IndexFunc(s.cfg.Door.Residents, func(r door.Resident) bool { return r.Name == resident || r.ID.String() == resident })
	if i < 0 {
		names := make([]string, len(s.cfg.Door.Residents))
		for i, r := range s.cfg.Door.Residents {
			names[i] = r.Name
		}
		return control.Pairing{}, fmt.Errorf("there is no resident %.40q; there are: %s", resident, strings.Join(names, ", "))
	}
	r := s.cfg.Door.Residents[i]
	if !slices.ContainsFunc(r.Opens, func(rule access.Rule) bool { return rule.Call }) {
		return control.Pairing{}, fmt.Errorf("%s may open nothing from a phone: see may_open in the configuration", r.Name)
	}
	k, err := s.cfg.Keyring.Add(int64(r.ID), phone, time.Now())
	if err != nil {
		return control.Pairing{}, err
	}
	return s.paired(ctx, k, "a phone of %s was paired")
}

// Rotate gives a paired phone another secret.
func (s *Station) Rotate(ctx context.Context, id string) (control.Pairing, error) {
	if s.cfg.Keyring == nil {
		return control.Pairing{}, errNoKeys
	}
	k, err := s.cfg.Keyring.Rotate(id, time.Now())
	if err != nil {
		return control.Pairing{}, err
	}
	return s.paired(ctx, k, "the key of a phone of %s was changed")
}

// paired tells the door of a new secret, and everybody that there is one.
func (s *Station) paired(ctx context.Context, k keyring.Key, text string) (control.Pairing, error) {
	if err := s.tellKeys(ctx, control.Paired, k, text); err != nil {
		return control.Pairing{}, err
	}
	l := keyring.Link{Door: int64(s.chat.Self()), User: k.User, ID: k.ID, Secret: k.Secret, Lock: s.cfg.Door.Locks[0].Name}
	return control.Pairing{Key: s.shown(k), Link: l.String()}, nil
}

// Revoke has a paired phone open nothing any more.
func (s *Station) Revoke(ctx context.Context, id string) (control.Key, error) {
	if s.cfg.Keyring == nil {
		return control.Key{}, errNoKeys
	}
	k, err := s.cfg.Keyring.Revoke(id)
	if err != nil {
		return control.Key{}, err
	}
	return s.shown(k), s.tellKeys(ctx, control.Revoked, k, "the key of a phone of %s was revoked")
}

// PairedKeys lists the keys, without their secrets.
func (s *Station) PairedKeys() []control.Key {
	list := []control.Key{}
	if s.cfg.Keyring != nil {
		for _, k := range s.cfg.Keyring.Keys() {
			list = append(list, s.shown(k))
		}
	}
	return list
}

func (s *Station) shown(k keyring.Key) control.Key {
	return control.Key{ID: k.ID, User: k.User, Resident: s.residentName(k.User), Name: k.Name, Paired: k.Paired}
}

func (s *Station) residentName(user int64) string {
	if i := slices.IndexFunc(s.cfg.Door.Residents, func(r door.Resident) bool { return int64(r.ID) == user }); i >= 0 {
		return s.cfg.Door.Residents[i].Name
	}
	return "somebody who lives here no longer"
}

// tellKeys gives the door the keys that there are now, and says what became of one. It does so
// even if nobody waits for it any more: a key that is revoked on the disk must not open.
func (s *Station) tellKeys(ctx context.Context, what string, k keyring.Key, text string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellLimit)
	defer cancel()
	if err := s.ask(ctx, door.KeysChanged{}); err != nil { // the loop fills it in
		return err
	}
	s.publish(control.Event{Type: what, User: k.User, Name: k.ID, Text: fmt.Sprintf(text, s.residentName(k.User)) + ": " + keyName(k)})
	return nil
}

// keyName is a key in words: who paired a phone may have given it a name.
func keyName(k keyring.Key) string {
	if k.Name == "" {
		return "key " + k.ID
	}
	return fmt.Sprintf("key %s %q", k.ID, k.Name)
}

// keysChanged is what the door is told of the keys.
func (s *Station) keysChanged() door.KeysChanged {
	var in door.KeysChanged
	if s.cfg.Keyring != nil {
		in.Lost = s.cfg.Keyring.Lost() != nil
		for _, k := range s.cfg.Keyring.Keys() {
			in.Keys = append(in.Keys, access.Key{ID: k.ID, User: signaling.UserID(k.User), Secret: k.Secret})
		}
	}
	return in
}
