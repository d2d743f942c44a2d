// Package sdk puts the states of callcore into the words of the QuickBlox SDKs for
// JavaScript and Android, for applications, logs and people that are used to those. It is
// pure functions over values: it has no state of its own, decides nothing, and starts no
// goroutine. docs/parity.md says what else of the SDKs is where.
package sdk

import (
	"fmt"

	"intercom/callcore"
	"intercom/signaling"
)

// JSSession is the state of a session in the JavaScript SDK, by its value there.
type JSSession uint8

// The states of a session in the JavaScript SDK.
const (
	JSNew      JSSession = 1 // not called, or ringing here
	JSActive   JSSession = 2 // called by us, or accepted
	JSHungUp   JSSession = 3 // we hang up: it is about to close
	JSRejected JSSession = 4 // we decline: it is about to close
	JSClosed   JSSession = 5
)

// String returns the SDK's name, such as "HUNGUP".
func (s JSSession) String() string {
	return name(s, map[JSSession]string{JSNew: "NEW", JSActive: "ACTIVE", JSHungUp: "HUNGUP", JSRejected: "REJECTED", JSClosed: "CLOSED"})
}

// JSSessionOf returns the state of a session that ends for a reason, which is zero as long
// as it does not. One that ends by itself is active until it is closed.
func JSSessionOf(s callcore.SessionState, why callcore.Reason) JSSession {
	switch s {
	case callcore.StateNew, callcore.StateRinging:
		return JSNew
	case callcore.StateCalling, callcore.StateConnecting, callcore.StateConnected:
		return JSActive
	case callcore.StateClosing:
		switch why {
		case callcore.ReasonHungUp, callcore.ReasonStopped:
			return JSHungUp
		case callcore.ReasonRejected:
			return JSRejected
		}
		return JSActive
	case callcore.StateClosed:
		return JSClosed
	}
	return 0
}

// JSConnection is a QB.webrtc.SessionConnectionState, by its value there.
type JSConnection uint8

// The states that onSessionConnectionStateChangedListener tells.
const (
	JSConnectionUndefined    JSConnection = 0 // there is no connection yet
	JSConnectionConnecting   JSConnection = 1
	JSConnectionConnected    JSConnection = 2
	JSConnectionFailed       JSConnection = 3
	JSConnectionDisconnected JSConnection = 4
	JSConnectionClosed       JSConnection = 5
	JSConnectionCompleted    JSConnection = 6
)

// String returns the SDK's name, such as "CONNECTING".
func (c JSConnection) String() string {
	return name(c, map[JSConnection]string{
		JSConnectionUndefined: "UNDEFINED", JSConnectionConnecting: "CONNECTING", JSConnectionConnected: "CONNECTED",
		JSConnectionFailed: "FAILED", JSConnectionDisconnected: "DISCONNECTED", JSConnectionClosed: "CLOSED",
		JSConnectionCompleted: "COMPLETED",
	})
}

// JSConnectionOf returns the state of the connection with one user.
func JSConnectionOf(s callcore.PeerState) JSConnection {
	switch s {
	case callcore.PeerConnecting, callcore.PeerChecking:
		return JSConnectionConnecting
	case callcore.PeerConnected:
		return JSConnectionConnected
	case callcore.PeerCompleted:
		return JSConnectionCompleted
	case callcore.PeerDisconnected:
		return JSConnectionDisconnected
	case callcore.PeerFailed, callcore.PeerError:
		return JSConnectionFailed
	case callcore.PeerTimedOut, callcore.PeerClosed, callcore.PeerNotAnswered, callcore.PeerRejected, callcore.PeerHungUp, callcore.PeerNotOffered:
		return JSConnectionClosed
	}
	return JSConnectionUndefined
}

// AndroidSession is a QBRTCSessionState of the Android SDK.
type AndroidSession uint8

// The states of a session in the Android SDK.
const (
	AndroidSessionNew          AndroidSession = iota + 1
	AndroidSessionPending                     // called, or ringing here
	AndroidSessionConnecting                  // answered
	AndroidSessionGoingToClose                //
	AndroidSessionClosed                      //
)

// String returns the SDK's name, such as "QB_RTC_SESSION_PENDING".
func (s AndroidSession) String() string {
	return name(s, map[AndroidSession]string{
		AndroidSessionNew: "QB_RTC_SESSION_NEW", AndroidSessionPending: "QB_RTC_SESSION_PENDING",
		AndroidSessionConnecting:   "QB_RTC_SESSION_CONNECTING",
		AndroidSessionGoingToClose: "QB_RTC_SESSION_GOING_TO_CLOSE", AndroidSessionClosed: "QB_RTC_SESSION_CLOSED",
	})
}

// AndroidSessionOf returns the state of a session.
func AndroidSessionOf(s callcore.SessionState) AndroidSession {
	switch s {
	case callcore.StateNew:
		return AndroidSessionNew
	case callcore.StateCalling, callcore.StateRinging:
		return AndroidSessionPending
	case callcore.StateConnecting, callcore.StateConnected:
		return AndroidSessionConnecting
	case callcore.StateClosing:
		return AndroidSessionGoingToClose
	case callcore.StateClosed:
		return AndroidSessionClosed
	}
	return 0
}

// AndroidPeer is a QBRTCConnectionState of the Android SDK.
type AndroidPeer uint8

// The states of a peer in the Android SDK.
const (
	AndroidUnknown AndroidPeer = iota
	AndroidNew
	AndroidWait
	AndroidPending
	AndroidConnecting
	AndroidChecking
	AndroidConnected
	AndroidDisconnected
	AndroidDisconnectTimeout
	AndroidClosed
	AndroidNotAnswer
	AndroidReject
	AndroidHangUp
	AndroidFailed
	AndroidError
	AndroidNotOffer
)

// String returns the SDK's name, such as "QB_RTC_CONNECTION_HANG_UP".
func (p AndroidPeer) String() string {
	return name(p, map[AndroidPeer]string{
		AndroidUnknown: "QB_RTC_CONNECTION_UNKNOWN", AndroidNew: "QB_RTC_CONNECTION_NEW", AndroidWait: "QB_RTC_CONNECTION_WAIT", AndroidPending: "QB_RTC_CONNECTION_PENDING",
		AndroidConnecting: "QB_RTC_CONNECTION_CONNECTING", AndroidChecking: "QB_RTC_CONNECTION_CHECKING",
		AndroidConnected: "QB_RTC_CONNECTION_CONNECTED", AndroidDisconnected: "QB_RTC_CONNECTION_DISCONNECTED",
		AndroidDisconnectTimeout: "QB_RTC_CONNECTION_DISCONNECT_TIMEOUT", AndroidClosed: "QB_RTC_CONNECTION_CLOSED",
		AndroidNotAnswer: "QB_RTC_CONNECTION_NOT_ANSWER", AndroidReject: "QB_RTC_CONNECTION_REJECT",
		AndroidHangUp: "QB_RTC_CONNECTION_HANG_UP", AndroidFailed: "QB_RTC_CONNECTION_FAILED", AndroidError: "QB_RTC_CONNECTION_ERROR",
		AndroidNotOffer: "QB_RTC_CONNECTION_NOT_OFFER",
	})
}

// androidPeers has one for every callcore.PeerState.
var androidPeers = map[callcore.PeerState]AndroidPeer{
	callcore.PeerUnknown: AndroidUnknown, callcore.PeerNew: AndroidNew, callcore.PeerWaiting: AndroidWait, callcore.PeerPending: AndroidPending,
	callcore.PeerConnecting: AndroidConnecting, callcore.PeerChecking: AndroidChecking,
	callcore.PeerConnected: AndroidConnected, callcore.PeerCompleted: AndroidConnected,
	callcore.PeerDisconnected: AndroidDisconnected, callcore.PeerTimedOut: AndroidDisconnectTimeout,
	callcore.PeerClosed: AndroidClosed, callcore.PeerNotAnswered: AndroidNotAnswer, callcore.PeerRejected: AndroidReject,
	callcore.PeerHungUp: AndroidHangUp, callcore.PeerFailed: AndroidFailed, callcore.PeerError: AndroidError,
	callcore.PeerNotOffered: AndroidNotOffer,
}

// AndroidPeerOf returns the state of the call with one user, as
// session.getPeerConnection(userId).getState() does.
func AndroidPeerOf(s callcore.PeerState) AndroidPeer { return androidPeers[s] }

// InvalidEvent returns the name under which onInvalidEventsListener of the JavaScript SDK
// reports a signal of this kind that was not acted upon: "onCall", "onAccept" or "onStop";
// empty if the SDK only logs it.
func InvalidEvent(k signaling.Kind) string {
	switch k {
	case signaling.Call:
		return "onCall"
	case signaling.Accept:
		return "onAccept"
	case signaling.HangUp:
		return "onStop"
	}
	return ""
}

// name returns the one of a value, or its number.
func name[T ~uint8](v T, names map[T]string) string {
	if n, ok := names[v]; ok {
		return n
	}
	return fmt.Sprint("state ", uint8(v))
}
