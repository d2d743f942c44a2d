package control

import (
	"context"
	"errors"
	"time"
)

// Keys is a Station that keeps the keys of paired phones.
type Keys interface {
	// Pair makes a key for a phone of a resident, who is named or given by his user id.
	Pair(ctx context.Context, resident, phone string) (Pairing, error)
	// PairedKeys lists the keys, in the order of pairing.
	PairedKeys() []Key
	// Revoke has a key open nothing any more. An unknown id is an error, as with Rotate.
	Revoke(ctx context.Context, id string) (Key, error)
	// Rotate gives a key another secret, which the phone has to be given.
	Rotate(ctx context.Context, id string) (Pairing, error)
}

// Key is that of a paired phone, without its secret.
type Key struct {
	ID       string    `json:"id"`
	User     int64     `json:"user"`
	Resident string    `json:"resident"`
	Name     string    `json:"name,omitempty"` // of the phone
	Paired   time.Time `json:"paired"`
}

// Pairing is what a phone has to be given. The link has the secret, and is not to be had
// again.
type Pairing struct {
	Key  Key    `json:"key"`
	Link string `json:"link"`
}

// Pair makes a key for a phone of a resident.
func (c *Client) Pair(ctx context.Context, resident, phone string) (Pairing, error) {
	return c.pairing(ctx, request{Cmd: cmdPair, Name: resident, Phone: phone})
}

// Rotate gives a key another secret.
func (c *Client) Rotate(ctx context.Context, id string) (Pairing, error) {
	return c.pairing(ctx, request{Cmd: cmdRotate, Name: id})
}

func (c *Client) pairing(ctx context.Context, req request) (Pairing, error) {
	r, err := c.ask(ctx, req)
	if err != nil {
		return Pairing{}, err
	}
	if r.Pairing == nil {
		return Pairing{}, errors.New(req.Cmd + ": the reply has no key")
	}
	return *r.Pairing, nil
}

// Keys lists the keys of paired phones.
func (c *Client) Keys(ctx context.Context) ([]Key, error) {
	r, err := c.ask(ctx, request{Cmd: cmdKeys})
	return r.Keys, err
}

// Revoke has a key open nothing any more.
func (c *Client) Revoke(ctx context.Context, id string) (Key, error) {
	r, err := c.ask(ctx, request{Cmd: cmdRevoke, Name: id})
	if err == nil && len(r.Keys) != 1 {
		err = errors.New("revoke: the reply has no key")
	}
	if err != nil {
		return Key{}, err
	}
	return r.Keys[0], nil
}

// askKeys carries out a request about keys; false: it is about something else.
func askKeys(ctx context.Context, st Station, req request) (r reply, is bool, err error) {
	switch req.Cmd {
	case cmdPair, cmdRotate, cmdKeys, cmdRevoke:
	default:
		return r, false, nil
	}
	keys, ok := st.(Keys)
	if !ok {
		return r, true, errors.New("this station keeps no keys")
	}
	switch req.Cmd {
	case cmdPair, cmdRotate:
		var p Pairing
		if req.Cmd == cmdPair {
			p, err = keys.Pair(ctx, req.Name, req.Phone)
		} else {
			p, err = keys.Rotate(ctx, req.Name)
		}
		r.Pairing = &p
	case cmdKeys:
		r.Keys = keys.PairedKeys()
	case cmdRevoke:
		var k Key
		k, err = keys.Revoke(ctx, req.Name)
		r.Keys = []Key{k}
	}
	return r, true, err
}
