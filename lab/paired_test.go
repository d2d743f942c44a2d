//go:build e2e

package lab

import (
	"context"
	"maps"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"intercom/internal/control"
	"intercom/internal/keyring"
	"intercom/lab/browser"
)

// pairedHouse is where Anna opens by a paired phone and by PIN, and Ben, whose phone is not
// paired, does not; he is told of alarms.
const pairedHouse = ` # more of [access], with which the settings of all doors end
hang_up = true
alarm = ["Ben"]

[[resident]]
id = 2001
name = "Anna"
may_open = true
may_call = true
pin = "135790"
duress_pin = "135791"

[[resident]]
id = 2002
name = "Ben"
may_open = true
may_call = true
`

// control does something over the door's control socket.
func (d *door) control(t *testing.T, f func(context.Context, *control.Client) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	c, err := control.Dial(ctx, d.socket)
	must(t, err)
	defer c.Close()
	must(t, f(ctx, c))
}

// pair pairs a phone as intercom pair does, and has it scan the code.
func (d *door) pair(t *testing.T, p *phone) (key string) {
	t.Helper()
	d.control(t, func(ctx context.Context, c *control.Client) error {
		made, err := c.Pair(ctx, strconv.FormatInt(p.account.id, 10), p.account.login)
		if err != nil {
			return err
		}
		if _, err := keyring.ParseLink(made.Link); err != nil {
			return err
		}
		key = made.Key.ID
		return p.Eval(ctx, "phone.pair", made.Link, nil)
	})
	return key
}

// opens has a phone ask to open by a carrier, and returns the request.
func (p *phone) opens(t *testing.T, carrier string, with map[string]any) map[string]string {
	t.Helper()
	var request map[string]string
	must(t, p.Eval(t.Context(), "([by, c]) => phone.open(by, c)", []any{carrier, with}, &request))
	return request
}

// told returns the data of the phone's last call-back of that name once it has that event.
func (p *phone) told(t *testing.T, name, event string) map[string]string {
	t.Helper()
	const last = "([n]) => phone.events.findLast((e) => e.type === n)?.info ?? {}"
	must(t, p.Wait(t.Context(), soon, "([n, event]) => phone.events.findLast((e) => e.type === n)?.info?.event === event", []any{name, event}))
	var info map[string]string
	must(t, p.Eval(t.Context(), last, []any{name}, &info))
	return info
}

// opened waits for an opening of a kind, and for its end.
func (d *door) opened(t *testing.T, by account, way string) {
	t.Helper()
	if e := d.expect(t, soon, control.Opened); e.User != by.id || e.Reason != way {
		t.Errorf("opened by user %d, %q; want %d, %q", e.User, e.Reason, by.id, way)
	}
	d.expect(t, soon, control.Locked)
	time.Sleep(200 * time.Millisecond) // the pause
}

func (d *door) refuses(t *testing.T, by account, reason string) {
	t.Helper()
	if e := d.expect(t, soon, control.Refused); e.User != by.id || e.Reason != reason {
		t.Errorf("refused: user %d, %q; want %d, %q", e.User, e.Reason, by.id, reason)
	}
	d.shut(t)
}

// TestPaired has phones on the official SDK open by a key, over each carrier, and others
// try with what they have got hold of.
func TestPaired(t *testing.T) {
	d, err := startDemo("paired", pairedHouse)
	must(t, err)
	a := newPhone(t, d.server, anna, browser.ProbeConfig{Tone: annaTone})
	d.pair(t, a)
	call := func(t *testing.T) {
		t.Helper()
		d.begin(t)
		a.fresh(t)
		must(t, a.Eval(t.Context(), "() => { phone.events.length = 0; }", nil, nil))
		d.press(t)
		a.next(t, soon, "call-received")
		a.answers(t, d.door)
		if c := a.told(t, "updated", "challenge"); c["challenge"] == "" {
			t.Errorf("told %v, want a challenge", c)
		}
	}

	t.Run("update", func(t *testing.T) {
		call(t)
		request := a.opens(t, "update", nil)
		d.opened(t, anna, "key")
		if got := a.told(t, "updated", "opened"); got["lock"] != "door" || got["challenge"] == "" || got["challenge"] == request["challenge"] {
			t.Errorf("the receipt is %v", got)
		}
		a.opens(t, "update", map[string]any{"again": request})
		d.refuses(t, anna, "the challenge was used already")
		if got := a.told(t, "updated", "refused"); got["reason"] != "the challenge was used already" {
			t.Errorf("told %v", got)
		}
		must(t, a.Eval(t.Context(), "(user) => phone.unlock(user)", doorAccount.id, nil))
		d.refuses(t, anna, "a paired phone is needed")
		a.opens(t, "update", map[string]any{"session": "another"})
		d.refuses(t, anna, "wrong code")
		a.opens(t, "update", nil)
		d.opened(t, anna, "key")
	})

	t.Run("message", func(t *testing.T) {
		call(t)
		a.opens(t, "message", nil)
		d.opened(t, anna, "key")
		if got := a.told(t, "message", "opened"); got["lock"] != "door" || got["challenge"] == "" || got["sessionID"] == "" {
			t.Errorf("the receipt is %v", got)
		}
		a.opens(t, "message", nil)
		d.opened(t, anna, "key")
	})

	t.Run("challenge of the call", func(t *testing.T) {
		call(t)
		var first string
		must(t, a.Eval(t.Context(), "() => phone.events.findLast((e) => e.type === 'call-received').info.challenge", nil, &first))
		a.opens(t, "message", map[string]any{"challenge": first})
		d.opened(t, anna, "key")
	})

	t.Run("hang-up", func(t *testing.T) {
		call(t)
		a.opens(t, "hangUp", nil)
		if e := d.expect(t, soon, control.Opened); e.User != anna.id || e.Reason != "key" {
			t.Errorf("opened: %+v", e)
		}
		d.until(t, soon, "idle", func(s control.Status) bool { return s.Call == nil })
		a.told(t, "message", "opened")
	})

	t.Run("duress", func(t *testing.T) {
		b := newPhone(t, d.server, ben, browser.ProbeConfig{})
		call(t)
		a.opens(t, "update", map[string]any{"pin": "135791"})
		if e := d.expect(t, soon, control.Alarm); e.User != anna.id || e.Reason != "under duress" {
			t.Errorf("alarm: %+v", e)
		}
		d.opened(t, anna, "key")
		if got := a.told(t, "updated", "opened"); len(got) != 3 {
			t.Errorf("the phone was told %v, which is not what it is told otherwise", got)
		}
		if got, want := b.told(t, "message", "alarm"), (map[string]string{"event": "alarm", "reason": "under duress", "lock": "door", "user": "2001"}); !maps.Equal(got, want) {
			t.Errorf("Ben was told %v, want %v", got, want)
		}
	})

	t.Run("another phone of hers, paired too", func(t *testing.T) {
		tablet := newPhone(t, d.server, anna, browser.ProbeConfig{})
		call(t)
		d.pair(t, tablet)
		var session, challenge string
		must(t, a.Eval(t.Context(), "() => phone.session.ID", nil, &session))
		must(t, a.Eval(t.Context(), "() => phone.challenge", nil, &challenge))
		tablet.opens(t, "message", map[string]any{"session": session, "challenge": challenge})
		d.refuses(t, anna, "it is from another device than the one in the call")
		a.opens(t, "update", nil)
		d.opened(t, anna, "key")
	})

	t.Run("a stranger", func(t *testing.T) {
		m := newPhone(t, d.server, mallory, browser.ProbeConfig{})
		call(t)
		var session string
		must(t, a.Eval(t.Context(), "() => phone.session.ID", nil, &session))
		request := map[string]any{"command": "unlock", "device": "k", "challenge": "c", "mac": "m"}
		must(t, m.Eval(t.Context(), "([door]) => { phone.paired = { door }; }", []any{doorAccount.id}, nil))
		m.opens(t, "message", map[string]any{"session": session, "again": request})
		d.refuses(t, mallory, "not a resident")
	})

	t.Run("not paired", func(t *testing.T) {
		b := newPhone(t, d.server, ben, browser.ProbeConfig{})
		d.begin(t)
		d.press(t)
		b.event(t, soon, "call-received", 1)
		b.answers(t, d.door)
		must(t, b.Eval(t.Context(), "(user) => phone.unlock(user)", doorAccount.id, nil))
		d.refuses(t, ben, "this phone is not paired")
		if got := b.told(t, "updated", "refused"); got["reason"] != "this phone is not paired" || got["challenge"] != "" {
			t.Errorf("told %v", got)
		}
	})

	t.Run("after the call", func(t *testing.T) {
		call(t)
		var session string
		must(t, a.Eval(t.Context(), "() => phone.session.ID", nil, &session))
		a.hangsUp(t, d.door)
		a.opens(t, "message", map[string]any{"session": session})
		d.refuses(t, anna, "the call has ended")
	})

	t.Run("keypad", func(t *testing.T) {
		d.begin(t)
		types := func(keys string) {
			t.Helper()
			d.control(t, func(ctx context.Context, c *control.Client) error { return c.Type(ctx, keys) })
		}
		types("*135790#")
		d.opened(t, anna, "PIN")
		types("*135792#")
		d.refuses(t, account{}, "wrong code")
		types("*135791#")
		d.expect(t, soon, control.Alarm)
		d.opened(t, anna, "PIN")
	})

	t.Run("page", func(t *testing.T) {
		d.begin(t)
		var link string
		d.control(t, func(ctx context.Context, c *control.Client) error {
			made, err := c.Pair(ctx, "Ben", "page")
			link = made.Link
			return err
		})
		r := &resident{newPage(t, "page-ben", browser.ProbeConfig{}), ben}
		must(t, r.Goto(t.Context(), d.page+"#"+url.PathEscape(link)))
		r.is(t, 20*time.Second, "ready")
		d.press(t)
		r.answers(t, d.door)
		r.click(t, "#open")
		d.opened(t, ben, "key")
		must(t, r.Wait(t.Context(), quick, "() => document.querySelector('#receipt').dataset.event === 'opened'", nil))
		var address string
		must(t, r.Eval(t.Context(), "() => location.href", nil, &address))
		if strings.Contains(address, "secret") {
			t.Error("the key is still in the page's address")
		}
	})

	t.Run("revoked in a call", func(t *testing.T) {
		call(t)
		d.control(t, func(ctx context.Context, c *control.Client) error {
			keys, err := c.Keys(ctx)
			for _, k := range keys {
				if _, err := c.Revoke(ctx, k.ID); err != nil {
					return err
				}
			}
			return err
		})
		a.opens(t, "update", nil)
		d.refuses(t, anna, "unknown key")
	})
}
