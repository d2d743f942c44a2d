package callcore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"intercom/signaling"
)

// Invite says who is called and with what.
type Invite struct {
	// Users are called at the same time.
	Users    []signaling.UserID
	CallType signaling.CallType
	// Mode says what comes of it when several are called.
	Mode Mode
	// Bandwidth is how many kbit/s the pictures may have, in either direction; zero: any. It
	// goes into the descriptions, and to the users as "bandwidth" in the application data,
	// which a JS callee obeys.
	Bandwidth int
	// Info is application data for one user alone, joined to what Call takes for all of them.
	Info map[signaling.UserID]map[string]string
	// Pressed is when somebody asked for the call, for the Timeline; zero: with Call.
	Pressed time.Time
}

// Session is one call, outgoing or incoming. Its methods may be called from any goroutine
// and return when the client has taken the request: what comes of it is in Events. They
// wait for Run if it has not begun. An error is an OpError, or that of the context. The
// application data that most of them take go to the users as they are, if
// signaling.CheckInfo lets them.
type Session struct {
	client   *Client
	id       string
	incoming bool
	callType signaling.CallType
	mode     Mode
	// bandwidth is what the pictures may have, in kbit/s; zero: any.
	bandwidth int
	pressed   time.Time // zero: with Call
	// peers are those we call, or those in an incoming session: the initiator, and in a
	// conference the others whom he called. The slice does not change; what
	// it points to is the loop's, except for what is said to be atomic.
	peers []*peer
	state atomic.Uint32 // SessionState; written by the loop

	reason  atomic.Uint32 // Reason; written by the loop
	parting parting       // the loop's

	muted   [2]atomic.Bool // by Track
	sources sources
}

// Track is one of the two things we send.
type Track uint8

// The tracks.
const (
	AudioTrack Track = iota
	VideoTrack
)

// NewSession prepares a call. It sends nothing and opens nothing. A refused invitation is
// an OpError.
func (c *Client) NewSession(inv Invite) (*Session, error) {
	if err := c.check(inv); err != nil {
		return nil, &OpError{Op: "new session", Err: err}
	}
	s := &Session{client: c, id: uuid.NewString(), callType: inv.CallType, mode: inv.Mode, bandwidth: inv.Bandwidth, pressed: inv.Pressed}
	s.state.Store(uint32(StateNew))
	for _, u := range inv.Users {
		wire, opponents := s.id, slices.Clone(inv.Users)
		if inv.Mode == RingGroup && len(inv.Users) > 1 {
			wire, opponents = uuid.NewString(), []signaling.UserID{u}
		}
		s.add(u, wire, c.cfg.Channel.Self(), opponents, idle).own = maps.Clone(inv.Info[u])
	}
	return s, nil
}

func (c *Client) check(inv Invite) error {
	switch {
	case len(inv.Users) == 0:
		return ErrNoUsers
	case inv.Mode != RingGroup && inv.Mode != Conference:
		return fmt.Errorf("%w: %d", ErrBadMode, inv.Mode)
	case inv.Mode == Conference && len(inv.Users) > c.cfg.MaxOpponents:
		return fmt.Errorf("%w: %d, at most %d", ErrTooManyOpponents, len(inv.Users), c.cfg.MaxOpponents)
	case inv.Mode == RingGroup && len(inv.Users) > c.cfg.MaxRing:
		return fmt.Errorf("%w: %d, at most %d", ErrTooManyUsers, len(inv.Users), c.cfg.MaxRing)
	case inv.CallType != signaling.Video && inv.CallType != signaling.Audio:
		return fmt.Errorf("%w: %d", ErrBadCallType, inv.CallType)
	case inv.Bandwidth < 0 || inv.Bandwidth > maxBandwidth:
		return fmt.Errorf("%w: %d", ErrBadBandwidth, inv.Bandwidth)
	}
	for u := range inv.Info {
		if !slices.Contains(inv.Users, u) {
			return fmt.Errorf("%w: %d, and there are application data for him", ErrNotInSession, u)
		}
	}
	for i, u := range inv.Users {
		switch {
		case u == c.cfg.Channel.Self():
			return ErrOwnID
		case u <= 0:
			return fmt.Errorf("%w: %d", ErrBadUser, u)
		case slices.Contains(inv.Users[:i], u):
			return fmt.Errorf("%w: %d", ErrDuplicateUser, u)
		}
	}
	return nil
}

// ID returns the session's id. It is the id on the wire, except for a ring group of several,
// which has one of its own, and one on the wire for each user; and except for a call that
// crossed one of the user's, whose id is then on the wire.
func (s *Session) ID() string { return s.id }

// Initiator returns who started the session.
func (s *Session) Initiator() signaling.UserID {
	if !s.incoming {
		return s.client.cfg.Channel.Self()
	}
	return s.peers[0].initiator
}

// Incoming tells whether another user started the session.
func (s *Session) Incoming() bool { return s.incoming }

// CallType returns the media the session was started with.
func (s *Session) CallType() signaling.CallType { return s.callType }

// Mode returns what the session is. An incoming one is a Conference if there are others in it.
func (s *Session) Mode() Mode { return s.mode }

// Users returns those we call; or the initiator of an incoming session, and then the others
// of the conference. It does not change when they leave.
func (s *Session) Users() []signaling.UserID {
	users := make([]signaling.UserID, len(s.peers))
	for i, p := range s.peers {
		users[i] = p.user
	}
	return users
}

// State returns the state as of now. It may be ahead of the events that were read.
func (s *Session) State() SessionState { return SessionState(s.state.Load()) }

// Reason returns why the session ends, from StateClosing on; zero before.
func (s *Session) Reason() Reason { return Reason(s.reason.Load()) }

// PeerState returns the state of the call with one user as of now; PeerUnknown if he is not
// in the session.
func (s *Session) PeerState(u signaling.UserID) PeerState {
	for _, p := range s.peers {
		if p.user == u {
			return PeerState(p.shown.Load())
		}
	}
	return PeerUnknown
}

// Call calls the users. info is application data for them; it may be nil.
func (s *Session) Call(ctx context.Context, info map[string]string) error {
	for _, p := range s.peers {
		if err := signaling.CheckInfo(joined(info, p.own)); err != nil {
			return &OpError{Op: opCall.String(), Session: s.id, Err: fmt.Errorf("%w: %w", ErrBadInfo, err)}
		}
	}
	return s.ask(ctx, opCall, info)
}

// Accept answers an incoming call. In a conference it also calls the others, or has their
// calls accepted; which of two members calls the other is fixed (see Conference).
func (s *Session) Accept(ctx context.Context, info map[string]string) error {
	return s.ask(ctx, opAccept, info)
}

// Reject declines an incoming call that was not accepted. All users of the session are told.
func (s *Session) Reject(ctx context.Context, info map[string]string) error {
	return s.ask(ctx, opReject, info)
}

// HangUp ends the session in any state; before Call it only closes it.
func (s *Session) HangUp(ctx context.Context, info map[string]string) error {
	return s.ask(ctx, opHangUp, info)
}

// Update sends application data to these users, or to all who are still in the session.
// It goes to the device that is in the call, or to all devices of who has not answered.
func (s *Session) Update(ctx context.Context, info map[string]string, users ...signaling.UserID) error {
	return s.ask(ctx, opUpdate, info, users...)
}

// ClosePeer releases one user, here alone: no signal is sent. His phone finds that the
// connection is gone, or rings until its own timer ends that; what it then asks for is
// answered with a hangUp. The session closes with its last user.
func (s *Session) ClosePeer(ctx context.Context, u signaling.UserID) error {
	return s.ask(ctx, opClosePeer, nil, u)
}

func (s *Session) ask(ctx context.Context, o op, info map[string]string, users ...signaling.UserID) error {
	if err := signaling.CheckInfo(info); err != nil {
		return &OpError{Op: o.String(), Session: s.id, Err: fmt.Errorf("%w: %w", ErrBadInfo, err)}
	}
	err := s.client.ask(ctx, request{op: o, session: s, info: maps.Clone(info), users: users})
	if err != nil && ctx.Err() == nil {
		return &OpError{Op: o.String(), Session: s.id, Err: err}
	}
	return err
}

// Stats returns what was sent and received so far, by user. Rates are those since it was
// called before; StatsReport has its own.
func (s *Session) Stats() []Stats {
	all := make([]Stats, len(s.peers))
	for i, p := range s.peers {
		all[i] = p.traffic.stats(p.user, &p.traffic.asked)
	}
	return all
}

// peer is the call with one user. In a ring group it is a session of its own on the wire.
type peer struct {
	session   *Session
	user      signaling.UserID
	wire      string // the session's id on the wire
	initiator signaling.UserID
	opponents []signaling.UserID
	own       map[string]string // of Invite.Info; it does not change
	traffic   traffic           // atomic
	shown     atomic.Uint32     // PeerState; written by the loop

	// What follows is the loop's.
	state   state
	reason  Reason
	bound   bool   // to device
	device  string // may be empty even if bound: a channel without resources
	info    map[string]string
	offer   string            // theirs; the newest
	crossed *signaling.Signal // their call, while ours rings; see glare.go
	answer  string            // ours, to be repeated
	conn    *conn
	ice     progress // of conn
	started bool     // MediaStarted was told
	flows   bool     // Established was, which comes after it

	ours       []signaling.Candidate // all found so far
	sent       int                   // of ours
	theirs     []keptCandidates
	ufrag      string // of the description that their connection has
	acceptSent time.Time
	called     time.Time // last, if he is a member of a conference of somebody else's

	messages bucket // from the device in the call

	deadlines
	reconnection
	succession
}

// keptCandidates came before there was a description to add them to.
type keptCandidates struct {
	device string
	list   []signaling.Candidate
}
