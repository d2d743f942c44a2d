//go:build e2e

package lab

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"testing"
	"time"

	"intercom/callcore"
	"intercom/internal/control"
	"intercom/lab/browser"
	"intercom/signaling"
)

// gathering is how long a conference may take until all see each other. It is a moment; but
// four users code and decode two dozen streams on one machine here.
const gathering = 40 * time.Second

// TestMesh has a client of ours in conferences with pages on the official SDK, as the
// initiator and as a callee with the lowest and with the highest id of all; then without
// us, to compare the times. A page with a lower id than a member who calls it answers, once
// its user has, when that call is repeated: up to five seconds later.
func TestMesh(t *testing.T) {
	h, err := lab.homes()
	must(t, err)
	for _, pages := range [][]account{{anna, ben}, {anna, ben, carl}} {
		n := len(pages) + 1
		t.Run(fmt.Sprintf("%d users, we call", n), func(t *testing.T) {
			all := h.phones(t, pages...)
			us := h.newMember(t, olga)
			var users []signaling.UserID
			for _, id := range ids(all) {
				users = append(users, signaling.UserID(id))
			}
			s, err := us.NewSession(callcore.Invite{Users: users, CallType: signaling.Video, Mode: callcore.Conference})
			must(t, err)
			must(t, s.Call(t.Context(), nil))
			joinPages(t, slices.All(all))
			meet(t, us, s, all, len(all)-1)
		})
		for _, who := range []account{olga, mallory} {
			role := map[account]string{olga: "lowest", mallory: "highest"}[who]
			t.Run(fmt.Sprintf("%d users, a page calls, our id is the %s", n, role), func(t *testing.T) {
				all := h.phones(t, pages...)
				us := h.newMember(t, who)
				callees := append(ids(all[1:]), who.id)
				must(t, all[0].Eval(t.Context(), "(users) => phone.call(users)", callees, nil))
				in := expect(t, us, "called", func(callcore.Incoming) bool { return true })
				if in.User != signaling.UserID(all[0].account.id) || in.Session.Mode() != callcore.Conference || len(in.Session.Users()) != len(all) {
					t.Errorf("incoming %+v: a %s with %v", in, in.Session.Mode(), in.Session.Users())
				}
				// We are the first to accept in one case, and the last in the other.
				if who == mallory {
					must(t, in.Session.Accept(t.Context(), nil))
				}
				joinPages(t, slices.All(all[1:]))
				if who == olga {
					must(t, in.Session.Accept(t.Context(), nil))
				}
				meet(t, us, in.Session, all, 0)
			})
		}
		t.Run(fmt.Sprintf("%d users, the SDK alone", n), func(t *testing.T) {
			all := h.phones(t, append(slices.Clone(pages), mallory)...)
			must(t, all[0].Eval(t.Context(), "(users) => phone.call(users)", ids(all[1:]), nil))
			joinPages(t, slices.Backward(all[1:])) // mallory first, as above
			begun := time.Now()
			pagesSee(t, all, ids(all))
			noteMesh(t, begun)
			for _, p := range all {
				must(t, p.Click(t.Context(), quick, "#hangup"))
				p.next(t, quick, "closed")
			}
		})
	}
}

// noteMesh has the time shown that a conference took to come about.
func noteMesh(t *testing.T, begun time.Time) {
	lab.note("%s: all see each other %.1f s after the last one joined", t.Name(), time.Since(begun).Seconds())
}

// ids lists the users of phones.
func ids(all []*phone) (list []int64) {
	for _, p := range all {
		list = append(list, p.account.id)
	}
	return list
}

// joinPages has phones answer, one after the other.
func joinPages(t *testing.T, all iter.Seq2[int, *phone]) {
	t.Helper()
	for _, p := range all {
		p.next(t, soon, "call-received")
		must(t, p.Click(t.Context(), quick, "#answer"))
	}
}

// meet checks a conference of ours and pages: everyone sees everyone; the page of that index
// leaves, and the others go on; in the end none of them is deaf.
func meet(t *testing.T, us *member, s *callcore.Session, all []*phone, leaver int) {
	t.Helper()
	begun := time.Now()
	everybody := append(ids(all), us.account.id)
	pagesSee(t, all, everybody)
	us.sees(t, s, everybody)
	noteMesh(t, begun)

	gone := all[leaver]
	must(t, gone.Click(t.Context(), quick, "#hangup"))
	gone.next(t, quick, "closed")
	left := slices.Delete(slices.Clone(all), leaver, leaver+1)
	e := expect(t, us, "told who left", func(e callcore.HungUp) bool { return true })
	if e.User != signaling.UserID(gone.account.id) || s.PeerState(e.User) != callcore.PeerHungUp {
		t.Errorf("hung up: %+v, shown as %s", e, s.PeerState(e.User))
	}
	for _, p := range left {
		p.next(t, quick, "stopped")
		p.none(t, "closed")
	}
	everybody = append(ids(left), us.account.id)
	pagesSee(t, left, everybody)
	us.sees(t, s, everybody)

	must(t, s.HangUp(t.Context(), nil))
	for _, p := range left {
		p.next(t, quick, "stopped")
	}
	for _, p := range left[1:] {
		must(t, p.Click(t.Context(), quick, "#hangup"))
	}
	for _, p := range left {
		p.next(t, quick, "closed")
	}
	for _, p := range all {
		p.fresh(t)
		again, err := us.NewSession(callcore.Invite{Users: []signaling.UserID{signaling.UserID(p.account.id)}, CallType: signaling.Video})
		must(t, err)
		must(t, again.Call(t.Context(), nil))
		p.next(t, soon, "call-received")
		must(t, again.HangUp(t.Context(), nil))
		p.next(t, soon, "closed")
	}
}

// pagesSee waits until pages show new pictures of everybody else, and receive sound from as
// many and no more.
func pagesSee(t *testing.T, pages []*phone, everybody []int64) {
	t.Helper()
	for _, p := range pages {
		var before map[string]int
		must(t, p.Eval(t.Context(), "phone.faces", nil, &before))
		for _, id := range everybody {
			if id == p.account.id {
				continue
			}
			key := strconv.FormatInt(id, 10)
			if err := p.Wait(t.Context(), gathering, "([user, n]) => phone.faces()[user] > n", []any{key, before[key] + 5}); err != nil {
				t.Errorf("%s does not see %d: %v", p.account.login, id, err)
			}
		}
		connected(t, p, len(everybody)-1)
	}
}

// sees waits until new pictures and sound of everybody else arrive at our client.
func (m *member) sees(t *testing.T, s *callcore.Session, everybody []int64) {
	t.Helper()
	before := m.counts(s)
	for late := time.After(gathering); ; {
		now, dead := m.counts(s), int64(0)
		for _, id := range everybody {
			if was, is := before[id], now[id]; id != m.account.id && (is.Audio.PacketsReceived < was.Audio.PacketsReceived+20 || is.Video.PacketsReceived < was.Video.PacketsReceived+5) {
				dead = id
			}
		}
		if dead == 0 {
			break
		}
		select {
		case <-late:
			t.Fatalf("%s receives nothing of %d: %+v; he is %s", m.account.login, dead, now[dead], s.PeerState(signaling.UserID(dead)))
		case <-time.After(50 * time.Millisecond):
		}
	}
	if s.State() != callcore.StateConnected {
		t.Errorf("the session is %s", s.State())
	}
}

// counts are the statistics of each user.
func (m *member) counts(s *callcore.Session) map[int64]callcore.Stats {
	all := map[int64]callcore.Stats{}
	for _, st := range s.Stats() {
		all[int64(st.User)] = st
	}
	return all
}

// connected checks that the page has this many connections, over each of which sound comes.
func connected(t *testing.T, p *phone, n int) {
	t.Helper()
	if err := p.Wait(t.Context(), gathering, `async (n) => {
		const open = (await probe.stats()).filter((c) => c.state === 'connected');
		return open.length === n && open.every((c) => c.audio?.bytes > 0);
	}`, n); err != nil {
		var stats any
		must(t, p.Eval(t.Context(), "probe.stats", nil, &stats))
		t.Errorf("%s: %v: want %d connections with sound: %v", p.account.login, err, n, stats)
	}
}

// TestAnsweredOnOtherDevice has the same resident's phone ring on two devices: one answers,
// and the other one stops, and rings for the next visitor.
func TestAnsweredOnOtherDevice(t *testing.T) {
	d := lab.door(t)
	a, b := d.newResident(t, anna, browser.ProbeConfig{Tone: annaTone}), d.newResident(t, anna, browser.ProbeConfig{Tone: annaTone})
	d.press(t)
	b.is(t, soon, "ringing")
	a.answers(t, d.door)
	answered := time.Now()
	b.is(t, quick, "ready")
	t.Logf("the other device is quiet %v after the first picture", time.Since(answered))
	checkCall(t, a.Page, d.door, annaTone)
	a.is(t, quick, "talking")
	a.click(t, "#open")
	d.expect(t, soon, control.Opened)
	d.expect(t, soon, control.Locked)
	a.click(t, "#hangup")
	d.expect(t, soon, control.Ended)
	d.press(t)
	b.is(t, soon, "ringing")
	a.is(t, soon, "ringing")
	b.click(t, "#decline")
	d.expect(t, soon, control.Declined)
}
