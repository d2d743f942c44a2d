package sdk_test

import (
	"fmt"

	"intercom/callcore"
	"intercom/callcore/sdk"
)

// An application that is used to the SDKs reads an event in their words.
func Example() {
	for _, e := range []callcore.Event{
		callcore.SessionChanged{State: callcore.StateCalling},
		callcore.ConnectionChanged{State: callcore.PeerChecking},
		callcore.ConnectionChanged{State: callcore.PeerNotAnswered},
	} {
		switch e := e.(type) {
		case callcore.SessionChanged:
			fmt.Println(sdk.JSSessionOf(e.State, 0), sdk.AndroidSessionOf(e.State))
		case callcore.ConnectionChanged:
			fmt.Println(sdk.JSConnectionOf(e.State), sdk.AndroidPeerOf(e.State))
		}
	}
	// Output:
	// ACTIVE QB_RTC_SESSION_PENDING
	// CONNECTING QB_RTC_CONNECTION_CHECKING
	// CLOSED QB_RTC_CONNECTION_NOT_ANSWER
}
