package main

import (
	"context"
	"flag"
	"fmt"
	"net"

	"intercom/sandbox"
)

func runSandbox(ctx context.Context, in invocation) error {
	var accountsFile, domain string
	rest, chat, websocket := "127.0.0.1:8081", "127.0.0.1:5222", "127.0.0.1:5291"
	_, err := in.parse("sandbox", 0, 0, func(fs *flag.FlagSet) {
		fs.StringVar(&accountsFile, "accounts", "", "TOML `FILE` with [application] id, auth_key, auth_secret, and a [[user]] with id, login, password, full_name for each user; the demo's if it is not set")
		fs.StringVar(&domain, "domain", demoDomain, "chat `DOMAIN`")
		fs.StringVar(&rest, "rest", rest, "`ADDRESS` of the REST API")
		fs.StringVar(&chat, "chat", chat, "`ADDRESS` of the chat server")
		fs.StringVar(&websocket, "websocket", websocket, "`ADDRESS` of the chat server for browsers")
	})
	if err != nil {
		return err
	}
	accounts := demoAccounts()
	if accountsFile != "" {
		if accounts, err = sandbox.LoadAccounts(accountsFile); err != nil {
			return exitError{exitConfig, err}
		}
	}
	srv, addrs, err := startSandbox(sandbox.Config{
		Accounts: accounts, Domain: domain, REST: rest, XMPP: chat, WebSocket: websocket, Logger: defaults().logger(in),
	})
	if err != nil {
		return err
	}
	defer srv.Close()
	fmt.Fprintf(in.stdout, "rest  http://%s\nchat  tcp://%s\nwebsocket  ws://%s\n", addrs.REST, addrs.XMPP, addrs.WebSocket)
	return srv.Run(ctx)
}

// startSandbox makes a sandbox that listens, and does not serve yet.
func startSandbox(cfg sandbox.Config) (*sandbox.Server, sandbox.Addrs, error) {
	cfg.Listen = func(_, address string) (net.Listener, error) { return listen("server", address) }
	srv, err := sandbox.New(cfg)
	if err != nil {
		return nil, sandbox.Addrs{}, exitError{exitConfig, err}
	}
	addrs, err := srv.Listen()
	if err != nil {
		return nil, sandbox.Addrs{}, exitError{exitListen, err}
	}
	return srv, addrs, nil
}
