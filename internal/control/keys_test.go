package control

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

// porter is a station that keeps keys.
type porter struct {
	*panel
	keys []Key
}

func (p *porter) Pair(_ context.Context, resident, phone string) (Pairing, error) {
	if resident != "Anna" {
		return Pairing{}, errors.New("there is no such resident")
	}
	k := Key{ID: "k1", User: 2001, Resident: resident, Name: phone, Paired: time.Unix(1e9, 0).UTC()}
	p.keys = append(p.keys, k)
	return Pairing{k, "intercom-pair:v1?"}, nil
}
func (p *porter) PairedKeys() []Key { return p.keys }
func (p *porter) Revoke(_ context.Context, id string) (Key, error) {
	if len(p.keys) == 0 || p.keys[0].ID != id {
		return Key{}, errors.New("there is no such key")
	}
	k := p.keys[0]
	p.keys = nil
	return k, nil
}
func (p *porter) Rotate(_ context.Context, id string) (Pairing, error) {
	return Pairing{Key{ID: id}, "another"}, nil
}

func TestKeys(t *testing.T) {
	c := dial(t, start(t, &porter{panel: &panel{}}))
	ctx := t.Context()
	p, err := c.Pair(ctx, "Anna", "phone")
	if err != nil || p.Key.Name != "phone" || p.Link != "intercom-pair:v1?" {
		t.Fatalf("paired %+v, %v", p, err)
	}
	if _, err := c.Pair(ctx, "Zoe", ""); !errors.As(err, new(*RefusedError)) {
		t.Errorf("an unknown resident: %v", err)
	}
	keys, err := c.Keys(ctx)
	if err != nil || !reflect.DeepEqual(keys, []Key{p.Key}) {
		t.Errorf("keys %+v, %v", keys, err)
	}
	if p, err := c.Rotate(ctx, "k1"); err != nil || p.Link != "another" {
		t.Errorf("rotated %+v, %v", p, err)
	}
	if k, err := c.Revoke(ctx, "k1"); err != nil || !reflect.DeepEqual(k, p.Key) {
		t.Errorf("revoked %+v, %v", k, err)
	}
	if _, err := c.Revoke(ctx, "k1"); !errors.As(err, new(*RefusedError)) {
		t.Errorf("again: %v", err)
	}
	if keys, err := c.Keys(ctx); err != nil || len(keys) != 0 {
		t.Errorf("keys %+v, %v", keys, err)
	}
}

func TestNoKeys(t *testing.T) {
	c := dial(t, start(t, &panel{}))
	if _, err := c.Keys(t.Context()); err == nil || !strings.Contains(err.Error(), "no keys") {
		t.Errorf("got %v", err)
	}
	for line, want := range map[string]string{
		`{"cmd":"pair"}`: `"name" is missing`, `{"cmd":"revoke"}`: `"name" is missing`, `{"cmd":"keys","name":"x"}`: `takes no "name"`,
		`{"cmd":"revoke","name":"k","phone":"p"}`: `takes no "phone"`,
	} {
		if _, err := parseRequest([]byte(line)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
}
