//go:build cgo

// Command call calls a user of a QuickBlox application with a synthetic picture and a tone,
// and tells what happens until the call has ended. It is what a program needs at least to
// use callcore as a library; cmd/intercom is what an unattended one needs. It calls once,
// and its goroutines end with it. Its defaults are those of "intercom sandbox".
package main

import (
	"context"
	"flag"
	"log"
	"os/signal"
	"syscall"

	"intercom/callcore"
	"intercom/signaling"
	"intercom/signaling/quickblox"
	"intercom/signaling/rest"
)

func main() {
	account := rest.Config{API: "http://127.0.0.1:8081", ApplicationID: 99, AuthKey: "demo-key", AuthSecret: "demo-secret"}
	flag.StringVar(&account.API, "api", account.API, "`URL` of the REST server")
	flag.Int64Var(&account.ApplicationID, "app", account.ApplicationID, "application `ID`")
	flag.StringVar(&account.AuthKey, "key", account.AuthKey, "the application's authorization `KEY`")
	flag.StringVar(&account.AuthSecret, "secret", account.AuthSecret, "the application's authorization `SECRET`")
	flag.StringVar(&account.Login, "login", "door", "`NAME` of the user who calls")
	flag.StringVar(&account.Password, "password", "door-demo", "that user's `PASSWORD`")
	domain := flag.String("domain", "chat.localhost", "chat `DOMAIN`")
	chat := flag.String("chat", "tcp://127.0.0.1:5222", "`URL` of the chat server")
	user := flag.Int64("user", 2001, "`ID` of the user who is called")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	up, down := context.WithCancel(context.WithoutCancel(ctx)) // until the last hangUp is out
	defer down()

	media := must(newMedia())
	go media.run(up) // before there is a call: outside its Run nothing can be opened
	server := must(rest.New(account))
	self := must(server.Session(ctx)).UserID
	token := func(ctx context.Context) (string, error) { s, err := server.Session(ctx); return s.Token, err }
	channel := must(quickblox.New(quickblox.Config{AppID: account.ApplicationID, User: self, ChatDomain: *domain, Address: *chat, Credentials: token}))
	client := must(callcore.New(callcore.Config{Channel: channel, Media: media}))
	go channel.Run(up)
	go client.Run(ctx)

	session := must(client.NewSession(callcore.Invite{Users: []signaling.UserID{signaling.UserID(*user)}, CallType: signaling.Video}))
	must(session, session.Call(ctx, nil))
	for event := range client.Events() {
		switch e := event.(type) {
		case callcore.ConnectionChanged:
			log.Printf("user %s: %s", e.User, e.State)
		case callcore.Closed:
			log.Printf("the call has ended: %s", e.Reason)
			stop() // which ends client.Run, and with it the events
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
