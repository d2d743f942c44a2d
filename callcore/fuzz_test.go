package callcore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/signaling"
)

// player plays a sequence of bytes as signals, requests and the passing of time.
type player struct {
	t       *testing.T
	w       *callcoretest.World
	door    *callcoretest.Phone
	scripts []*callcoretest.Script
	in, out *callcore.Session
	call    *signaling.Signal // the last one from the door
	offer   string            // the id of its last reconnection
	cut     func(bool)
}

// sdps are the descriptions a signal may have.
func (p *player) sdp(n byte, s *callcoretest.Script) string {
	good := s.Offer()
	switch n % 8 {
	case 0:
		return ""
	case 1:
		return "v=0\r\n"
	case 2:
		return strings.ReplaceAll(good, "\r\n", "\n")
	case 3:
		return good[:int(n)*len(good)/256]
	case 4:
		return strings.Replace(good, "m=audio", "m=video", 1)
	case 5:
		return good[:len(good)/2] + string(rune(n)) + good[len(good)/2:]
	}
	return good
}

// play does what three bytes say.
func (p *player) play(what, a, b byte) {
	s := p.scripts[int(a>>4)%len(p.scripts)]
	ctx := context.Background()
	switch what % 12 {
	case 0, 1, 2, 3, 4, 5:
		g := signaling.Signal{Kind: signaling.Kind(what % 12), Peer: 1, Session: fmt.Sprint("S", a%3), Initiator: s.Self(), SDP: p.sdp(b, s)}
		if a&4 == 4 { // a conference that user 2 has begun
			g.Initiator, g.Opponents = 2, []signaling.UserID{1, 3}
		}
		if p.call != nil && a&1 == 1 {
			g.Session, g.Initiator = p.call.Session, 1
		}
		if g.Kind == 0 {
			g.Kind = signaling.Update
		}
		if g.Kind == signaling.Candidates || g.Kind == signaling.Update {
			for i := range b % 5 {
				g.Candidates = append(g.Candidates, signaling.Candidate{Candidate: []string{"", "candidate:", "x", "candidate:1 1 udp 1 10.0.0.12 9 typ host", "candidate:1 1 tcp 1 ::1 9 typ relay"}[i]})
			}
		}
		if g.Kind == signaling.Update && b >= 128 {
			id := fmt.Sprint("O", a%4)
			if p.offer != "" && a&2 == 2 {
				id = p.offer
			}
			g.Reconnect = &signaling.Description{OfferID: id, Type: []string{"offer", "answer"}[(a>>2)%2], SDP: g.SDP}
		}
		s.Send(ctx, &g)
	case 6:
		users := []signaling.UserID{2, 3}[:1+a%2]
		if n, err := p.door.NewSession(callcore.Invite{Users: users, CallType: signaling.CallType(1 + b%2), Mode: callcore.Mode(a >> 2 % 2)}); err == nil {
			p.out = n
			n.Call(ctx, nil)
		}
	case 7:
		for _, n := range []*callcore.Session{p.in, p.out} {
			if n != nil {
				[]func(context.Context, map[string]string) error{n.Accept, n.Reject, n.HangUp, n.Call}[a%4](ctx, nil)
			}
		}
	case 8:
		if p.out != nil {
			p.out.Update(ctx, map[string]string{"a": "b"})
		}
	case 9:
		p.door.Link.SetLink(a%2 == 0)
	case 10:
		if p.cut == nil {
			p.cut = p.w.Cut()
		}
		p.cut(a%2 == 1)
	case 11:
		time.Sleep(time.Duration(a) * time.Duration(b) * time.Millisecond) // up to 65 s
	}
	for _, e := range p.door.Idle(10 * time.Millisecond) {
		if e, ok := e.(callcore.Incoming); ok {
			p.in = e.Session
		}
	}
	for _, s := range p.scripts {
		for _, g := range s.Listen(0) {
			if g.Kind == signaling.Call {
				p.call = g
			}
			if g.Reconnect != nil {
				p.offer = g.Reconnect.OfferID
			}
		}
	}
}

// FuzzSignals plays anything, and then checks that neither side is deaf or stuck: what is
// live ends, and a call is answered.
func FuzzSignals(f *testing.F) {
	f.Add([]byte{6, 0, 0, 11, 2, 2, 2, 1, 7, 11, 200, 200})
	f.Add([]byte{1, 0, 7, 7, 0, 0, 2, 0, 7, 5, 0, 4, 4, 0, 7})
	f.Add([]byte{6, 1, 1, 2, 1, 7, 2, 17, 7, 9, 1, 0, 7, 2, 0, 9, 0, 0})
	f.Add([]byte{1, 0, 7, 7, 0, 0, 10, 1, 0, 11, 250, 250, 10, 0, 0, 1, 1, 7})
	// Called by a, accepted; cut off; a reconnects, then b does, and the door gives up.
	f.Add([]byte{1, 0, 7, 7, 0, 0, 10, 1, 0, 11, 100, 100, 0, 0, 135, 0, 16, 134, 0, 6, 142, 0, 10, 143, 11, 200, 200})
	// A conference: called by a, accepted, called by the member, left by a.
	f.Add([]byte{1, 4, 7, 7, 0, 0, 11, 10, 10, 1, 37, 7, 11, 100, 20, 4, 4, 7, 11, 200, 200})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 3*40 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			w := callcoretest.NewWorld(t)
			p := &player{t: t, w: w, door: w.Phone(callcoretest.Spec{User: 1, Device: "door"}),
				scripts: []*callcoretest.Script{w.Script(2, "a"), w.Script(2, "b"), w.Script(3, "a")}}
			for i := 0; i+2 < len(data); i += 3 {
				p.play(data[i], data[i+1], data[i+2])
			}
			p.door.Link.SetLink(true)
			if p.cut != nil {
				p.cut(false)
			}
			for _, s := range []*callcore.Session{p.in, p.out} {
				if s == nil {
					continue
				}
				err := s.HangUp(t.Context(), nil)
				if err != nil && !errors.Is(err, callcore.ErrClosed) {
					t.Errorf("hang up: %v", err)
				}
			}
			time.Sleep(2 * time.Minute) // what else rings, ends
			p.door.Idle(time.Second)
			phone := w.Phone(callcoretest.Spec{User: 9})
			connect(t, phone, p.door, signaling.Video)
		})
	})
}
