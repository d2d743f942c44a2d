package callcore_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/capture"
	"intercom/signaling"
	"intercom/signaling/memory"
)

// client starts a client in this process. A program has signaling/quickblox for a channel,
// and media of its own: see examples/call.
func client(hub *memory.Hub, user signaling.UserID) (c *callcore.Client, stop func()) {
	channel, err := hub.Join(user, "example")
	if err != nil {
		log.Fatal(err)
	}
	c, err = callcore.New(callcore.Config{Channel: channel, Media: callcoretest.NewMedia(capture.VP8, capture.Opus)})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- c.Run(ctx) }()
	return c, func() {
		cancel()
		if err := <-ended; err != nil {
			log.Fatal(err)
		}
	}
}

// await reads events until there is one of type E. A program has a switch instead: see
// the example of Client.Events.
func await[E callcore.Event](c *callcore.Client) (e E) {
	for event := range c.Events() {
		if e, is := event.(E); is {
			return e
		}
	}
	log.Fatalf("the events ended before %T", e)
	return e
}

// One user calls another, who answers.
func Example() {
	ctx := context.Background()
	var hub memory.Hub
	door, stopDoor := client(&hub, 1)
	defer stopDoor()
	phone, stopPhone := client(&hub, 2)
	defer stopPhone()

	out, err := door.NewSession(callcore.Invite{Users: []signaling.UserID{2}, CallType: signaling.Video})
	if err != nil {
		log.Fatal(err)
	}
	if err := out.Call(ctx, map[string]string{"button": "front"}); err != nil {
		log.Fatal(err)
	}

	in := await[callcore.Incoming](phone)
	fmt.Printf("user %s calls: %s, %s\n", in.User, in.CallType, in.Info["button"])
	if err := in.Session.Accept(ctx, nil); err != nil {
		log.Fatal(err)
	}

	fmt.Printf("user %s answered\n", await[callcore.Accepted](door).User)
	await[callcore.MediaStarted](door)
	fmt.Printf("the session is %s\n", out.State())

	if err := in.Session.HangUp(ctx, nil); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("ended: %s\n", await[callcore.Closed](door).Reason)
	// Output:
	// user 1 calls: video, front
	// user 2 answered
	// the session is connected
	// ended: hung up by the peer
}

// Several users are a ring group: all of their phones ring, and the first to answer is in
// the call.
func ExampleClient_NewSession_ringGroup() {
	ctx := context.Background()
	var hub memory.Hub
	door, stopDoor := client(&hub, 1)
	defer stopDoor()
	anna, stopAnna := client(&hub, 2)
	defer stopAnna()
	ben, stopBen := client(&hub, 3)
	defer stopBen()

	s, err := door.NewSession(callcore.Invite{Users: []signaling.UserID{2, 3}, CallType: signaling.Audio})
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Call(ctx, nil); err != nil {
		log.Fatal(err)
	}
	await[callcore.Incoming](anna)
	if err := await[callcore.Incoming](ben).Session.Accept(ctx, nil); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("Anna's phone is quiet: %s\n", await[callcore.Closed](anna).Reason)
	fmt.Printf("user %s answered\n", await[callcore.Accepted](door).User)
	fmt.Printf("user 2 is shown as %s: %s\n", s.PeerState(2), await[callcore.ConnectionClosed](door).Reason)
	// Output:
	// Anna's phone is quiet: hung up by the peer
	// user 3 answered
	// user 2 is shown as closed: answered by another
}

// A phone that answers whoever calls, until the first call has ended.
func ExampleClient_Events() {
	ctx := context.Background()
	var hub memory.Hub
	phone, stopPhone := client(&hub, 2)
	defer stopPhone()

	go func() {
		door, stopDoor := client(&hub, 1)
		defer stopDoor() // hangs up
		s, err := door.NewSession(callcore.Invite{Users: []signaling.UserID{2}, CallType: signaling.Audio})
		if err == nil {
			err = s.Call(ctx, nil)
		}
		if err != nil {
			log.Fatal(err)
		}
		await[callcore.Updated](door)
	}()

	for event := range phone.Events() {
		switch e := event.(type) {
		case callcore.Incoming:
			fmt.Printf("user %s calls\n", e.User)
			if err := e.Session.Accept(ctx, nil); err != nil {
				fmt.Println(err) // the caller was faster
			}
		case callcore.MediaStarted:
			fmt.Printf("%s arrives\n", e.Codec)
			if err := e.Session.Update(ctx, map[string]string{"heard": "you"}); err != nil {
				fmt.Println(err)
			}
		case callcore.HungUp:
			fmt.Printf("user %s hung up\n", e.User)
		case callcore.Closed:
			fmt.Printf("ended: %s\n", e.Reason)
			return
		}
	}
	// Output:
	// user 1 calls
	// audio/opus arrives
	// user 1 hung up
	// ended: hung up by the peer
}

// Applications send each other data beside the call. Whoever acts on such data looks at
// Live: it may come from another phone, or after the call.
func ExampleSession_Update() {
	ctx := context.Background()
	var hub memory.Hub
	door, stopDoor := client(&hub, 1)
	defer stopDoor()
	phone, stopPhone := client(&hub, 2)
	defer stopPhone()

	out, err := door.NewSession(callcore.Invite{Users: []signaling.UserID{2}, CallType: signaling.Audio})
	if err != nil {
		log.Fatal(err)
	}
	if err := out.Call(ctx, nil); err != nil {
		log.Fatal(err)
	}
	in := await[callcore.Incoming](phone).Session
	if err := in.Update(ctx, map[string]string{"command": "unlock"}); err != nil {
		log.Fatal(err)
	}
	u := await[callcore.Updated](door)
	fmt.Printf("%s: live %t, %s\n", u.Info["command"], u.Live, u.NotLive)

	if err := in.Accept(ctx, nil); err != nil {
		log.Fatal(err)
	}
	await[callcore.MediaStarted](door)
	if err := in.Update(ctx, map[string]string{"command": "unlock"}); err != nil {
		log.Fatal(err)
	}
	u = await[callcore.Updated](door)
	fmt.Printf("%s: live %t\n", u.Info["command"], u.Live)
	// Output:
	// unlock: live false, the call was not answered
	// unlock: live true
}

// A misuse of the API is an error that says which rule it breaks.
func ExampleOpError() {
	var hub memory.Hub
	door, stop := client(&hub, 1)
	defer stop()
	_, err := door.NewSession(callcore.Invite{Users: []signaling.UserID{2, 1}, CallType: signaling.Audio})
	fmt.Println(err)

	s, err := door.NewSession(callcore.Invite{Users: []signaling.UserID{2}, CallType: signaling.Audio})
	if err != nil {
		log.Fatal(err)
	}
	err = s.Accept(context.Background(), nil)
	var broken *callcore.OpError
	fmt.Println(errors.As(err, &broken), broken.Op, errors.Is(err, callcore.ErrNotIncoming))
	// Output:
	// callcore: new session: one cannot call oneself
	// true accept true
}
