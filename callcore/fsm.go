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
	invited                   // as ringing, but this member of the conference has not called us
	expecting                 // we have answered the conference; this member is the one to call
	answering                 // we have answered; our description is being made
	connecting                // both descriptions are known; a path is sought
	connected                 // DTLS is up
	disconnected              // the path was lost; it may come back
	reoffering                // we have a new connection, for which we have sent an offer
	reanswering               // the peer has one; our answer is being made
	reconnecting              // both descriptions are known; a path is sought again
	closed
	states
)

var stateNames = [states]string{idle: "Idle", dialing: "Dialing", ringing: "Ringing", invited: "Invited", expecting: "Expecting", answering: "Answering",
	connecting: "Connecting", connected: "Connected", disconnected: "Disconnected",
	reoffering: "Reoffering", reanswering: "Reanswering", reconnecting: "Reconnecting", closed: "Closed"}

func (s state) String() string { return stateNames[s] }

// input is what happens to the call with one peer.
type input uint8

const (
	callAsked         input = iota // by the application
	acceptAsked                    //
	joinAsked                      // as acceptAsked, and it is us who calls this member
	rejectAsked                    //
	releaseAsked                   // of this peer alone
	hangUpAsked                    //
	stopAsked                      // Run ends
	beaten                         // another of the ring group answered
	calledOff                      // nobody is left in the conference who has called us
	elsewhereReceived              // another device of ours has answered

	callReceived // from the peer
	callCrossed  // from whom we are calling: it takes the place of our call
	acceptReceived
	rejectReceived
	hangUpReceived
	candidatesReceived
	reofferReceived  // of a new connection, to be answered: ours is the lower id
	reofferRepeated  // the one that we have answered, or are about to
	pokeReceived     // an offer that only asks for ours: ours is the higher id
	reanswerReceived // to our latest offer
	deviceMoved      // another device of the user sends updates, and the bound one is gone

	offerReady // from the worker: our description, with the candidates found so far
	answerReady
	candidateFound
	mediaConnected
	mediaDisconnected
	mediaClosed // by the peer: its hangUp is probably under way
	mediaLost   // for good
	mediaFailed // WebRTC refused something
	pathLost    // the host has no longer the address that the connection uses

	dialDue // timers
	answerDue
	graceDue  // of a loss, or of an attempt to reconnect
	limitDue  // of connecting or coming back
	resendDue // of our candidates

	linkRestored // to the chat server
	inputs
)

var inputNames = [inputs]string{
	callAsked: "CallAsked", acceptAsked: "AcceptAsked", joinAsked: "JoinAsked", rejectAsked: "RejectAsked", releaseAsked: "ReleaseAsked", hangUpAsked: "HangUpAsked",
	stopAsked: "StopAsked", beaten: "Beaten", calledOff: "CalledOff", elsewhereReceived: "ElsewhereReceived",
	callReceived: "CallReceived", callCrossed: "CallCrossed", acceptReceived: "AcceptReceived", rejectReceived: "RejectReceived",
	hangUpReceived: "HangUpReceived", candidatesReceived: "CandidatesReceived",
	reofferReceived: "ReofferReceived", reofferRepeated: "ReofferRepeated", pokeReceived: "PokeReceived",
	reanswerReceived: "ReanswerReceived", deviceMoved: "DeviceMoved",
	offerReady: "OfferReady", answerReady: "AnswerReady", candidateFound: "CandidateFound",
	mediaConnected: "MediaConnected", mediaDisconnected: "MediaDisconnected", mediaClosed: "MediaClosed",
	mediaLost: "MediaLost", mediaFailed: "MediaFailed", pathLost: "PathLost",
	dialDue: "DialDue", answerDue: "AnswerDue", graceDue: "GraceDue", limitDue: "LimitDue", resendDue: "ResendDue",
	linkRestored: "LinkRestored",
}

func (i input) String() string { return inputNames[i] }

// effect is what the loop does about it.
type effect uint8

const (
	prepareOffer        effect = iota // or, if there is one, bring it up to date with the candidates found
	renewOffer                        // of a new connection, in the place of the one there is
	sendCall                          // to all devices of the peer
	bind                              // the call is with this device from now on
	applyAnswer                       //
	beatOthers                        // of the ring group
	callOff                           // if nobody is left who has called us
	sendElsewhere                     // to the other devices of who has answered
	cross                             // their call is ours from now on
	keepOffer                         // the newest one counts, and its device
	keepInfo                          // of our answer, for a member that has still to call
	prepareAnswer                     //
	sendAccept                        //
	repeatAccept                      // if it may have been lost
	sendReject                        //
	sendHangUp                        //
	keepCandidates                    // theirs, until there is a description to add them to
	addCandidates                     // theirs
	holdCandidate                     // ours: a JS callee that has not accepted drops it
	sendHeld                          //
	sendCandidate                     //
	resendAll                         // ours: a JS caller may have had no answer yet when they came
	armDial                           //
	armAnswer                         //
	armWatch                          // for who was rung with us: the rest of that time
	armLimit                          // the disconnect interval
	armGiveUp                         // the same, from the loss on
	armGrace                          // for the path to come back by itself
	armFirst                          // for the first path to be found
	armParting                        // for a hangUp that is slower than DTLS's close_notify
	armRetry                          // for an attempt to reconnect
	armResend                         //
	probeLink                         // its repair starts if it is dead
	prepareReoffer                    // of a new connection, in the place of the one there is
	updateReoffer                     // with the candidates found so far
	sendReoffer                       //
	applyReanswer                     //
	prepareReanswer                   // of a new connection, in the place of the one there is
	sendReanswer                      //
	repeatReanswer                    // if it is ours that may have been lost
	rebind                            // the signal's device is the one in the call from now on
	stopRinging                       // disarm dialing and answer timers
	stopWaiting                       // disarm limit and grace
	release                           // close the connection and remember the session as ended
	tellAccepted                      //
	tellRejected                      //
	tellHungUp                        //
	tellNotAnswered                   //
	tellReconnecting                  // unless it was told
	tellReconnected                   // if the former was told
	tellReconnectFailed               //
	tellInvalid                       //
	effects
)

var effectNames = [effects]string{
	prepareOffer: "prepare offer", renewOffer: "renew offer", sendCall: "send call", bind: "bind device", applyAnswer: "apply answer",
	beatOthers: "beat others", callOff: "call off", sendElsewhere: "send answered elsewhere", cross: "cross", keepOffer: "keep offer", keepInfo: "keep info", prepareAnswer: "prepare answer", sendAccept: "send accept",
	repeatAccept: "repeat accept", sendReject: "send reject", sendHangUp: "send hangUp",
	keepCandidates: "keep candidates", addCandidates: "add candidates", holdCandidate: "hold candidate",
	sendHeld: "send held candidates", sendCandidate: "send candidate", resendAll: "resend candidates",
	armDial: "arm dial", armAnswer: "arm answer", armWatch: "arm watch", armLimit: "arm limit", armGiveUp: "arm give up", armGrace: "arm grace", armFirst: "arm first", armParting: "arm parting",
	armRetry: "arm retry", armResend: "arm resend", probeLink: "probe link", prepareReoffer: "prepare reoffer",
	updateReoffer: "update reoffer", sendReoffer: "send reoffer", applyReanswer: "apply reanswer",
	prepareReanswer: "prepare reanswer", sendReanswer: "send reanswer", repeatReanswer: "repeat reanswer", rebind: "rebind device",
	stopRinging: "stop ringing", stopWaiting: "stop waiting", release: "release",
	tellAccepted: "tell accepted", tellRejected: "tell rejected", tellHungUp: "tell hung up",
	tellNotAnswered: "tell not answered", tellReconnecting: "tell reconnecting", tellReconnected: "tell reconnected",
	tellReconnectFailed: "tell reconnect failed", tellInvalid: "tell invalid",
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
