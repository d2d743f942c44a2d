package callcore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"

	"intercom/capture"
	"intercom/signaling"
)

const (
	// hostQuiet and hostLimit: host candidates are found within a millisecond or two of
	// each other. A description waits until no more of them turn up, and no longer than
	// the limit; never for STUN or TURN servers.
	hostQuiet = 10 * time.Millisecond
	hostLimit = 80 * time.Millisecond

	// jobsWaiting: a call gives its worker a handful of jobs, and one for each message
	// with candidates.
	jobsWaiting = 64
)

// nudges are the times after the last of the peer's candidates at which pion is made to look
// at what its checks have found. By itself it does so every 200 ms only, unless it is the
// best of all pairs that works first; and the best is often one that leads nowhere, such as
// an address of a private network at either end.
var nudges = [...]time.Duration{15 * time.Millisecond, 35 * time.Millisecond, 75 * time.Millisecond, 150 * time.Millisecond}

var errWorkerStuck = errors.New("the connection does not take more work")

// conn is one PeerConnection and the goroutine that alone calls its methods: pion takes
// locks and milliseconds, and the loop has neither. What it finds out it reports to the
// loop. A peer has one conn at a time; reports of an earlier one are recognised by it.
type conn struct {
	*Client
	owner   *peer // the loop's: whose it is; nil: it is a spare one
	jobs    chan job
	reports chan<- report
	close   context.CancelFunc // called by the loop; nothing is reported afterwards

	born   time.Time     // constant
	wanted chan struct{} // closed by the worker when it is no longer spare

	// What follows is the worker's.
	peer      *peer  // nil: it has none yet
	start     func() // begins to send, for the peer
	pc        *webrtc.PeerConnection
	transport *webrtc.ICETransport // of pc
	tracks    []*track
	mid       string        // of the first section
	offering  bool          // we offered: ICE's controlling side, which chooses the path
	doubt     *time.Timer   // when the path must have shown that it works
	nudge     *time.Timer   // when the next of nudges is due
	nudged    int           // how many were given since the last candidate
	dummies   int           // how many ever
	found     chan struct{} // a token: a candidate was found
	gathered  chan struct{} // closed: all were

	heard atomic.Int64 // when the last RTP packet came, since born; zero: none did

	estimator *estimator
	remb      atomic.Int64 // what the peer says that the network carries, in bits a second; zero: it does not

	mu      sync.Mutex // guards readers against being added to while they are waited for
	closing bool
	readers sync.WaitGroup
}

// job is something for the worker to do.
type job struct {
	kind       jobKind
	sdp        string
	candidates []signaling.Candidate
	peer       *peer
}

type jobKind uint8

const (
	makeOffer jobKind = iota
	takeAnswer
	makeAnswer
	takeCandidates
	checkPath // after a change of the network
	takePeer  // for a spare connection
)

// report is what a worker tells the loop.
type report struct {
	conn      *conn
	what      reportKind
	input     input
	sdp       string
	candidate signaling.Candidate
	codec     capture.Codec
	stats     *Stats
	err       error
}

type reportKind uint8

const (
	becameInput reportKind = iota // of the state machine
	trackStarted
	trackFailed
	badCandidate
	checksBegan
	allGathered
	statsTaken
	spareReady // or has more candidates
	sentFirst  // packet of the call
)

// newConn makes a connection with p, or a spare one if p is nil.
func newConn(c *Client, p *peer, reports chan<- report, cancel context.CancelFunc) *conn {
	nudge := time.NewTimer(time.Hour)
	nudge.Stop()
	doubt := time.NewTimer(time.Hour)
	doubt.Stop()
	return &conn{
		nudge: nudge, doubt: doubt, Client: c, owner: p, peer: p, born: time.Now(), wanted: make(chan struct{}), jobs: make(chan job, jobsWaiting), reports: reports, close: cancel,
		found: make(chan struct{}, 1), gathered: make(chan struct{}), estimator: newEstimator(),
	}
}

// run does jobs until ctx ends. Then it closes the connection first, which ends the reads
// of its tracks, and waits for their goroutines.
func (w *conn) run(ctx context.Context) {
	defer w.nudge.Stop()
	defer w.doubt.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-w.spareFound():
			w.report(ctx, report{what: spareReady, sdp: w.description()})
		case <-w.nudge.C:
			w.lookAgain()
		case <-w.doubt.C:
			w.doubtDue(ctx)
		case j := <-w.jobs:
			if err := w.do(ctx, j); err != nil {
				w.report(ctx, report{what: becameInput, input: mediaFailed, err: err})
			}
		}
	}
	w.mu.Lock()
	w.closing = true
	w.mu.Unlock()
	if w.pc != nil {
		if err := w.pc.GracefulClose(); err != nil {
			w.log.Debug("connection closed", keyCall, w.wire(), keyError, err)
		}
		if w.peer != nil {
			w.peer.traffic.path.CompareAndSwap(w.transport, nil)
		}
	}
	w.readers.Wait()
}

// spawn runs f as one of the goroutines that run waits for, unless it is closing already.
func (w *conn) spawn(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closing {
		w.readers.Go(f)
	}
}

// report tells the loop, unless it has let go of this connection.
func (w *conn) report(ctx context.Context, r report) {
	r.conn = w
	select {
	case w.reports <- r:
	case <-ctx.Done():
	}
}

func (w *conn) do(ctx context.Context, j job) error {
	switch j.kind {
	case makeOffer:
		return w.offer(ctx)
	case takeAnswer:
		return w.takeAnswer(ctx, j.sdp)
	case makeAnswer:
		return w.answer(ctx, j.sdp)
	case takeCandidates:
		w.addCandidates(ctx, j.candidates)
	case checkPath:
		w.checkPath(ctx)
	case takePeer:
		w.takePeer(j.peer)
	}
	return nil
}

// offer makes our description, or brings the one there is up to date.
func (w *conn) offer(ctx context.Context) error {
	if w.pc == nil {
		w.offering = true
		up, err := w.open(ctx)
		if err != nil {
			return err
		}
		if err := w.addTracks(ctx, up, true, w.peer == nil || w.peer.session.callType == signaling.Video); err != nil {
			return err
		}
		d, err := w.pc.CreateOffer(nil)
		if err != nil {
			return fmt.Errorf("create offer: %w", err)
		}
		w.mid = firstMid(d.SDP)
		if err := w.pc.SetLocalDescription(d); err != nil {
			return fmt.Errorf("set local description: %w", err)
		}
		if w.cfg.ICE.Policy != PolicyRelay { // there are none, and nobody takes others before the accept
			w.awaitHosts(ctx)
		}
	}
	r := report{what: becameInput, input: offerReady, sdp: w.description()}
	if w.peer == nil {
		r.what = spareReady
	}
	w.report(ctx, r)
	return nil
}

func (w *conn) takeAnswer(ctx context.Context, text string) error {
	bare, candidates := cutCandidates(text)
	err := w.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: bare})
	if err != nil {
		return fmt.Errorf("set answer: %w", err)
	}
	w.heed(ctx, text)
	w.addCandidates(ctx, candidates)
	return nil
}

func (w *conn) answer(ctx context.Context, text string) error {
	up, err := w.open(ctx)
	if err != nil {
		return err
	}
	bare, candidates := cutCandidates(text)
	err = w.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: bare})
	if err != nil {
		return fmt.Errorf("set offer: %w", err)
	}
	// The answer mirrors the offer: a kind of media that is not in it gets no section.
	audio, video := kinds(text)
	video = w.heed(ctx, text) && video
	if err := w.addTracks(ctx, up, audio, video); err != nil {
		return err
	}
	d, err := w.pc.CreateAnswer(nil)
	if err != nil {
		return fmt.Errorf("create answer: %w", err)
	}
	w.mid = firstMid(d.SDP)
	if err := w.pc.SetLocalDescription(d); err != nil {
		return fmt.Errorf("set local description: %w", err)
	}
	w.addCandidates(ctx, candidates)
	w.awaitHosts(ctx)
	w.report(ctx, report{what: becameInput, input: answerReady, sdp: w.description()})
	return nil
}

// addCandidates adds theirs, one by one: a bad one is told and ignored. An empty one, and
// a mid of "null", are things that browsers send. The loop gives none before the
// description that they belong to.
func (w *conn) addCandidates(ctx context.Context, list []signaling.Candidate) {
	for _, c := range list {
		if c.Candidate == "" {
			continue
		}
		if err := w.pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: demote(c.Candidate)}); err != nil {
			w.report(ctx, report{what: badCandidate, err: fmt.Errorf("add candidate %.100q: %w", c.Candidate, err)})
			continue
		}
		w.nudged = 0
		w.nudge.Reset(nudges[0])
	}
}

// lookAgain makes pion look at its pairs now. It does when it is told a new candidate: this
// one is of a kind that we have no socket for (TCP, at an address for documentation, RFC
// 5737), so that no check is ever sent to it.
func (w *conn) lookAgain() {
	if !w.offering || w.pc.ICEConnectionState() != webrtc.ICEConnectionStateChecking {
		return
	}
	w.dummies++
	dummy := fmt.Sprintf("candidate:0 1 tcp 1 192.0.2.1 %d typ host tcptype passive", w.dummies)
	if err := w.pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: dummy}); err != nil {
		w.log.Debug("pion was not made to look at its pairs", keyCall, w.wire(), keyError, err)
		return
	}
	if w.nudged++; w.nudged < len(nudges) {
		w.nudge.Reset(nudges[w.nudged] - nudges[w.nudged-1])
	}
}

// open makes the PeerConnection. Its callbacks run on pion's goroutines. The context ends
// when the loop knows that DTLS is up, or with ctx.
func (w *conn) open(ctx context.Context) (context.Context, error) {
	pc, err := w.api(ctx).NewPeerConnection(w.engine.config)
	if err != nil {
		return nil, fmt.Errorf("new peer connection: %w", err)
	}
	w.pc = pc
	up, rise := context.WithCancel(ctx)
	w.tracks = w.newTracks()
	w.transport = pc.SCTP().Transport().ICETransport()
	w.ownTracks()
	pc.OnICECandidate(func(c *webrtc.ICECandidate) { w.candidateFound(ctx, c) })
	pc.OnICEConnectionStateChange(func(s webrtc.ICEConnectionState) {
		switch s {
		case webrtc.ICEConnectionStateChecking:
			w.report(ctx, report{what: checksBegan})
		case webrtc.ICEConnectionStateConnected:
			w.peer.traffic.reached(momentICE)
			// DTLS takes two round trips more: time enough for a key frame.
			for _, t := range w.tracks {
				t.demandKey()
			}
		}
	})
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		in, ok := inputOfMedia[s]
		if !ok {
			return
		}
		if in == mediaConnected {
			w.peer.traffic.reached(momentDTLS)
		}
		w.report(ctx, report{what: becameInput, input: in})
		if in == mediaConnected {
			rise()
			w.watch()
		}
	})
	if every := w.cfg.Timers.StatsReport; every > 0 {
		w.spawn(func() { w.reportStats(ctx, up, every) })
	}
	w.spawn(func() { w.retryEstimate(ctx, up) })
	pc.OnTrack(func(t *webrtc.TrackRemote, r *webrtc.RTPReceiver) {
		w.spawn(func() { w.readTrack(ctx, up, t) })
		w.spawn(func() { drainRTCP(r) })
	})
	return up, nil
}

var inputOfMedia = map[webrtc.PeerConnectionState]input{
	webrtc.PeerConnectionStateConnected:    mediaConnected,
	webrtc.PeerConnectionStateDisconnected: mediaDisconnected,
	webrtc.PeerConnectionStateFailed:       mediaLost,
	webrtc.PeerConnectionStateClosed:       mediaClosed,
}

// candidateFound reports one of ours; nil says that there are no more.
func (w *conn) candidateFound(ctx context.Context, c *webrtc.ICECandidate) {
	if c == nil {
		close(w.gathered)
		w.report(ctx, report{what: allGathered})
		return
	}
	w.report(ctx, report{what: becameInput, input: candidateFound, candidate: signaling.Candidate{
		Candidate: c.ToJSON().Candidate, SDPMid: w.mid,
	}})
	select {
	case w.found <- struct{}{}:
	default:
	}
}

// awaitHosts waits until the host candidates are found.
func (w *conn) awaitHosts(ctx context.Context) {
	limit := time.After(hostLimit)
	quiet := time.NewTimer(hostLimit)
	defer quiet.Stop()
	for {
		select {
		case <-w.found:
			quiet.Reset(hostQuiet)
		case <-quiet.C:
			return
		case <-limit:
			return
		case <-w.gathered:
			return
		case <-ctx.Done():
			return
		}
	}
}

// addTracks adds what we send, sound first, as the SDKs do. It is sent when there is a
// peer: until then no device is opened for it.
func (w *conn) addTracks(ctx, up context.Context, audio, video bool) error {
	var starts []func()
	for _, t := range w.tracks {
		if t.video && !video || !t.video && !audio {
			continue
		}
		sender, err := w.pc.AddTrack(t)
		if err != nil {
			return fmt.Errorf("add track: %w", err)
		}
		t.sentFirst = func() { w.report(ctx, report{what: sentFirst}) }
		starts = append(starts, func() { t.readRTCP(sender, w.reportArrivals) }, func() {
			if codec, err := t.run(ctx, up); err != nil && !isEnd(err) {
				w.report(ctx, report{what: trackFailed, codec: codec, err: err})
			}
		})
	}
	w.start = func() {
		for _, f := range starts {
			w.spawn(f)
		}
	}
	if w.peer != nil {
		w.start()
	}
	return nil
}
