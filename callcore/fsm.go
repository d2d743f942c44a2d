package callcore

// This file decides what a call with one peer does next, and nothing else: no clock, no
// network, no log. Whether a signal is from the device that the call is bound to has been
// checked before it becomes an input.

// state is the state of the call with one peer.
type state uint8

const (
	same         state = iota // in a rule: stay
	idle                      // made, not called
	dialing                   // we call; nobody has answered
	ringing                   // we are called; we have not answered
	answering                 // we have answered; our description is being made
	connecting                // both descriptions are known; a path is sought
	connected                 // DTLS is up
	disconnected              // the path was lost; it may come back
	closed
	states
)

var stateNames = [states]string{idle: "Idle", dialing: "Dialing", ringing: "Ringing", answering: "Answering",
	connecting: "Connecting", connected: "Connected", disconnected: "Disconnected", closed: "Closed"}

func (s state) String() string { return stateNames[s] }

// input is what happens to the call with one peer.
type input uint8

const (
	callAsked   input = iota // by the application
	acceptAsked              //
	rejectAsked              //
	hangUpAsked              //
	stopAsked                // Run ends
	beaten                   // another of the ring group answered

	callReceived // from the peer
	acceptReceived
	rejectReceived
	hangUpReceived
	candidatesReceived

	offerReady // from the worker: our description, with the candidates found so far
	answerReady
	candidateFound
	mediaConnected
	mediaDisconnected
	mediaClosed // by the peer: its hangUp is probably under way
	mediaLost   // for good
	mediaFailed // WebRTC refused something

	dialDue // timers
	answerDue
	limitDue  // of connecting or coming back
	resendDue // of our candidates

	linkRestored // to the chat server
	inputs
)

var inputNames = [inputs]string{
	callAsked: "CallAsked", acceptAsked: "AcceptAsked", rejectAsked: "RejectAsked", hangUpAsked: "HangUpAsked",
	stopAsked: "StopAsked", beaten: "Beaten",
	callReceived: "CallReceived", acceptReceived: "AcceptReceived", rejectReceived: "RejectReceived",
	hangUpReceived: "HangUpReceived", candidatesReceived: "CandidatesReceived",
	offerReady: "OfferReady", answerReady: "AnswerReady", candidateFound: "CandidateFound",
	mediaConnected: "MediaConnected", mediaDisconnected: "MediaDisconnected", mediaClosed: "MediaClosed",
	mediaLost: "MediaLost", mediaFailed: "MediaFailed",
	dialDue: "DialDue", answerDue: "AnswerDue", limitDue: "LimitDue", resendDue: "ResendDue",
	linkRestored: "LinkRestored",
}

func (i input) String() string { return inputNames[i] }

// effect is what the loop does about it.
type effect uint8

const (
	prepareOffer    effect = iota // or, if there is one, bring it up to date with the candidates found
	sendCall                      // to all devices of the peer
	bind                          // the call is with this device from now on
	applyAnswer                   //
	beatOthers                    // of the ring group
	keepOffer                     // the newest one counts
	prepareAnswer                 //
	sendAccept                    //
	repeatAccept                  // if it may have been lost
	sendReject                    //
	sendHangUp                    //
	keepCandidates                // theirs, until there is a description to add them to
	addCandidates                 // theirs
	holdCandidate                 // ours: a JS callee that has not accepted drops it
	sendHeld                      //
	sendCandidate                 //
	resendAll                     // ours: a JS caller may have had no answer yet when they came
	armDial                       //
	armAnswer                     //
	armLimit                      // the disconnect interval
	armGrace                      // for a hangUp that is slower than DTLS's close_notify
	armResend                     //
	stopRinging                   // disarm dialing and answer timers
	stopWaiting                   // disarm the limit
	release                       // close the connection and remember the session as ended
	tellAccepted                  //
	tellRejected                  //
	tellHungUp                    //
	tellNotAnswered               //
	tellInvalid                   //
	effects
)

var effectNames = [effects]string{
	prepareOffer: "prepare offer", sendCall: "send call", bind: "bind device", applyAnswer: "apply answer",
	beatOthers: "beat others", keepOffer: "keep offer", prepareAnswer: "prepare answer", sendAccept: "send accept",
	repeatAccept: "repeat accept", sendReject: "send reject", sendHangUp: "send hangUp",
	keepCandidates: "keep candidates", addCandidates: "add candidates", holdCandidate: "hold candidate",
	sendHeld: "send held candidates", sendCandidate: "send candidate", resendAll: "resend candidates",
	armDial: "arm dial", armAnswer: "arm answer", armLimit: "arm limit", armGrace: "arm grace", armResend: "arm resend",
	stopRinging: "stop ringing", stopWaiting: "stop waiting", release: "release",
	tellAccepted: "tell accepted", tellRejected: "tell rejected", tellHungUp: "tell hung up",
	tellNotAnswered: "tell not answered", tellInvalid: "tell invalid",
}

func (e effect) String() string { return effectNames[e] }

// rule is one decision. The zero rule is none: a test checks that there is no such cell.
type rule struct {
	decided bool
	to      state
	do      []effect
	reason  Reason // when to is closed
	refuse  error  // the request breaks this rule of the API
}

// next is the whole state machine of a call with one peer.
func next(s state, in input) rule { return table[s][in] }

func stay(do ...effect) rule            { return rule{decided: true, do: do} }
func move(to state, do ...effect) rule  { return rule{decided: true, to: to, do: do} }
func refuse(broken error) rule          { return rule{decided: true, refuse: broken} }
func end(why Reason, do ...effect) rule { return rule{true, closed, append(do, release), why, nil} }

var (
	// ignored: it is late, repeated or cannot happen here, and does no harm.
	ignored = stay()
	invalid = stay(tellInvalid)
)

// table has a rule for every state and input.
var table = [states][inputs]rule{
	idle: {
		callAsked:   move(dialing, prepareOffer, armDial, armAnswer),
		acceptAsked: refuse(ErrNotIncoming), rejectAsked: refuse(ErrNotIncoming),
		hangUpAsked: end(ReasonHungUp), stopAsked: end(ReasonStopped), beaten: ignored,
		callReceived: invalid, acceptReceived: invalid, rejectReceived: invalid, hangUpReceived: invalid, candidatesReceived: invalid,
		offerReady: ignored, answerReady: ignored, candidateFound: ignored,
		mediaConnected: ignored, mediaDisconnected: ignored, mediaClosed: ignored, mediaLost: ignored, mediaFailed: ignored,
		dialDue: ignored, answerDue: ignored, limitDue: ignored, resendDue: ignored, linkRestored: ignored,
	},
	dialing: {
		callAsked: refuse(ErrAlreadyCalled), acceptAsked: refuse(ErrNotIncoming), rejectAsked: refuse(ErrNotIncoming),
		hangUpAsked: end(ReasonHungUp, sendHangUp), stopAsked: end(ReasonStopped, sendHangUp),
		beaten:         end(ReasonBeaten, sendHangUp),
		callReceived:   invalid,
		acceptReceived: move(connecting, bind, tellAccepted, stopRinging, applyAnswer, sendHeld, armLimit, beatOthers),
		// The hangUp is for the other devices of this user, which ring on.
		rejectReceived:     end(ReasonPeerRejected, tellRejected, sendHangUp),
		hangUpReceived:     end(ReasonPeerHungUp, tellHungUp, sendHangUp),
		candidatesReceived: stay(keepCandidates),
		offerReady:         stay(sendCall), answerReady: ignored, candidateFound: stay(holdCandidate),
		mediaConnected: ignored, mediaDisconnected: ignored, mediaClosed: ignored, mediaLost: ignored,
		mediaFailed: end(ReasonFailed, sendHangUp),
		dialDue:     stay(prepareOffer, armDial),
		answerDue:   end(ReasonNotAnswered, tellNotAnswered, sendHangUp),
		limitDue:    ignored, resendDue: ignored,
		linkRestored: stay(prepareOffer, armDial),
	},
	ringing: {
		callAsked:   refuse(ErrIncoming),
		acceptAsked: move(answering, stopRinging, prepareAnswer, armLimit),
		rejectAsked: end(ReasonRejected, sendReject),
		hangUpAsked: end(ReasonHungUp, sendHangUp), stopAsked: end(ReasonStopped, sendReject), beaten: ignored,
		callReceived: stay(keepOffer), acceptReceived: invalid,
		rejectReceived: end(ReasonPeerRejected, tellRejected), hangUpReceived: end(ReasonPeerHungUp, tellHungUp),
		candidatesReceived: stay(keepCandidates),
		offerReady:         ignored, answerReady: ignored, candidateFound: ignored,
		mediaConnected: ignored, mediaDisconnected: ignored, mediaClosed: ignored, mediaLost: ignored, mediaFailed: ignored,
		dialDue: ignored,
		// Nothing is sent, as in the SDKs: the caller's own timer ends its side.
		answerDue: end(ReasonNotAnswered, tellNotAnswered),
		limitDue:  ignored, resendDue: ignored, linkRestored: ignored,
	},
	answering: {
		callAsked: refuse(ErrIncoming), acceptAsked: refuse(ErrAlreadyAccepted), rejectAsked: refuse(ErrAlreadyAccepted),
		hangUpAsked: end(ReasonHungUp, sendHangUp), stopAsked: end(ReasonStopped, sendHangUp), beaten: ignored,
		callReceived: ignored, acceptReceived: invalid,
		rejectReceived: end(ReasonPeerRejected, tellRejected), hangUpReceived: end(ReasonPeerHungUp, tellHungUp),
		candidatesReceived: stay(addCandidates),
		offerReady:         ignored, answerReady: move(connecting, sendAccept, armResend), candidateFound: stay(holdCandidate),
		mediaConnected: ignored, mediaDisconnected: ignored, mediaClosed: ignored, mediaLost: ignored,
		mediaFailed: end(ReasonFailed, sendReject),
		dialDue:     ignored, answerDue: ignored,
		limitDue:  end(ReasonNotConnected, sendReject),
		resendDue: ignored, linkRestored: ignored,
	},
	connecting: {
		callAsked: refuse(ErrAlreadyCalled), acceptAsked: refuse(ErrAlreadyAccepted), rejectAsked: refuse(ErrAlreadyAccepted),
		hangUpAsked: end(ReasonHungUp, sendHangUp), stopAsked: end(ReasonStopped, sendHangUp), beaten: ignored,
		callReceived:   stay(repeatAccept),
		acceptReceived: ignored,
		rejectReceived: end(ReasonPeerRejected, tellRejected), hangUpReceived: end(ReasonPeerHungUp, tellHungUp),
		candidatesReceived: stay(addCandidates),
		offerReady:         ignored, answerReady: ignored, candidateFound: stay(sendCandidate),
		mediaConnected: move(connected, stopWaiting), mediaDisconnected: ignored, mediaClosed: ignored,
		mediaLost:   end(ReasonNotConnected, sendHangUp),
		mediaFailed: end(ReasonFailed, sendHangUp),
		dialDue:     ignored, answerDue: ignored,
		limitDue:  end(ReasonNotConnected, sendHangUp),
		resendDue: stay(resendAll), linkRestored: stay(repeatAccept),
	},
	connected: {
		callAsked: refuse(ErrAlreadyCalled), acceptAsked: refuse(ErrAlreadyAccepted), rejectAsked: refuse(ErrAlreadyAccepted),
		hangUpAsked: end(ReasonHungUp, sendHangUp), stopAsked: end(ReasonStopped, sendHangUp), beaten: ignored,
		callReceived: ignored, acceptReceived: ignored,
		rejectReceived: end(ReasonPeerRejected, tellRejected), hangUpReceived: end(ReasonPeerHungUp, tellHungUp),
		candidatesReceived: stay(addCandidates),
		offerReady:         ignored, answerReady: ignored, candidateFound: stay(sendCandidate),
		mediaConnected: ignored, mediaDisconnected: move(disconnected, armLimit), mediaClosed: move(disconnected, armGrace),
		mediaLost:   end(ReasonLost, sendHangUp),
		mediaFailed: end(ReasonFailed, sendHangUp),
		dialDue:     ignored, answerDue: ignored, limitDue: ignored, resendDue: stay(resendAll), linkRestored: ignored,
	},
	disconnected: {
		callAsked: refuse(ErrAlreadyCalled), acceptAsked: refuse(ErrAlreadyAccepted), rejectAsked: refuse(ErrAlreadyAccepted),
		hangUpAsked: end(ReasonHungUp, sendHangUp), stopAsked: end(ReasonStopped, sendHangUp), beaten: ignored,
		callReceived: ignored, acceptReceived: ignored,
		rejectReceived: end(ReasonPeerRejected, tellRejected), hangUpReceived: end(ReasonPeerHungUp, tellHungUp),
		candidatesReceived: stay(addCandidates),
		offerReady:         ignored, answerReady: ignored, candidateFound: stay(sendCandidate),
		mediaConnected: move(connected, stopWaiting), mediaDisconnected: ignored, mediaClosed: stay(armGrace),
		mediaLost:   end(ReasonLost, sendHangUp),
		mediaFailed: end(ReasonFailed, sendHangUp),
		dialDue:     ignored, answerDue: ignored,
		limitDue:  end(ReasonLost, sendHangUp),
		resendDue: stay(resendAll), linkRestored: ignored,
	},
	closed: {
		callAsked: refuse(ErrClosed), acceptAsked: refuse(ErrClosed), rejectAsked: refuse(ErrClosed), hangUpAsked: refuse(ErrClosed),
		stopAsked: ignored, beaten: ignored,
		callReceived: invalid, acceptReceived: invalid, rejectReceived: invalid, hangUpReceived: invalid, candidatesReceived: invalid,
		offerReady: ignored, answerReady: ignored, candidateFound: ignored,
		mediaConnected: ignored, mediaDisconnected: ignored, mediaClosed: ignored, mediaLost: ignored, mediaFailed: ignored,
		dialDue: ignored, answerDue: ignored, limitDue: ignored, resendDue: ignored, linkRestored: ignored,
	},
}
