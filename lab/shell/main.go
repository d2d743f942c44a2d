// Command shell boots the lab's machine for a person: its serial console is on the
// terminal, and `intercom demo` runs in it with its page forwarded to this machine. It
// ends with the machine, and its goroutines with it. It tests nothing.
//
//	make lab-shell
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"intercom/lab/vm"
)

// demoConfig is the demo's in the guest: its camera, small, because pixels are slow in
// software emulation, and simulated buttons, so that those of the page work.
const demoConfig = `
[camera]
source = "v4l2:vivid"
width = 320
height = 180
fps = 15
bit_rate = 300000
`

// forwarded are the addresses of the page, the REST API and the chat server, in the guest
// and on this machine alike, because the page is told of the others.
var forwarded = []string{"127.0.0.1:8080", "127.0.0.1:8081", "127.0.0.1:5291"}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	out := filepath.Join("lab", "out", "shell")
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "lab: Ctrl-A X ends the machine")
	m, err := vm.Start(ctx, vm.Config{Guest: filepath.Join("build", "lab", "guest"), Out: out, Console: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := demo(ctx, m, out); err != nil {
		return err
	}
	select {
	case <-m.Ended():
	case <-ctx.Done():
	}
	return nil
}

// demo starts `intercom demo` in the guest and forwards its addresses.
func demo(ctx context.Context, m *vm.Machine, out string) error {
	const sdk = "/usr/share/intercom"
	for guest, local := range map[string]string{
		"/usr/bin/intercom":       filepath.Join("build", "lab", "intercom"),
		sdk + "/quickblox.min.js": filepath.Join("build", "sdk", "quickblox.min.js"),
	} {
		if err := m.PutFile(ctx, guest, local); err != nil {
			return err
		}
	}
	if err := m.Put(ctx, "/etc/intercom/demo.toml", 0o644, []byte(demoConfig)); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(out, "demo.log"))
	if err != nil {
		return err
	}
	_, err = m.Start(ctx, vm.Command{
		Args: []string{"/usr/bin/intercom", "demo", "--config", "/etc/intercom/demo.toml", "--sdk", sdk,
			"--listen", forwarded[0], "--rest", forwarded[1], "--websocket", forwarded[2]},
		Stdout: log, Stderr: log,
	})
	if err != nil {
		return err
	}
	for _, address := range forwarded {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		if err != nil {
			return err
		}
		go m.Forward(ctx, l, "tcp", address)
	}
	fmt.Fprintf(os.Stderr, "lab: the panel's page is http://%s/, the demo's log is %s\r\n", forwarded[0], log.Name())
	return nil
}
