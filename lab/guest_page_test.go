//go:build e2e && lab

package lab

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"testing"

	"intercom/lab/browser"
	"intercom/lab/vm"
)

// guestDemo configures a demo in the guest, as make lab-shell does.
const guestDemo = `
[camera]
source = "v4l2:vivid"
width = 320
height = 180
fps = 15
bit_rate = 300000
`

// TestGuestPage is what make lab-shell is for: the page of a demo that runs in the guest,
// forwarded, with the guest's camera on it.
func TestGuestPage(t *testing.T) {
	g := newGuest(t)
	program, err := intercom()
	must(t, err)
	must(t, g.PutFile(t.Context(), guestProgram, program))
	must(t, g.PutFile(t.Context(), "/opt/sdk/quickblox.min.js", filepath.Join(lab.root, "build", "sdk", "quickblox.min.js")))
	must(t, g.Put(t.Context(), guestConfig, 0o600, []byte(guestDemo)))
	ports, err := freePorts(3)
	must(t, err)
	args := []string{guestProgram, "demo", "--config", guestConfig, "--sdk", "/opt/sdk"}
	ctx, cancel := context.WithCancel(context.Background()) // beyond the test's: its pages close later
	defer cancel()
	for i, flag := range []string{"--listen", "--rest", "--websocket"} {
		address := fmt.Sprintf("127.0.0.1:%d", ports[i])
		args = append(args, flag, address)
		l, err := net.Listen("tcp", address)
		must(t, err)
		go g.Forward(ctx, l, "tcp", address)
	}
	p := g.start(t, "demo", vm.Command{Args: args})
	must(t, p.await(soon, func() error { _, err := p.address("page"); return err }))
	m := &demo{door: &door{page: fmt.Sprintf("http://127.0.0.1:%d/", ports[0])}}
	a := m.newResident(t, anna, browser.ProbeConfig{Tone: annaTone})
	a.click(t, "#panel button[data-button=call]")
	a.is(t, soon, "ringing")
	a.click(t, "#answer")
	a.is(t, soon, "talking")
	firstFrame(t, a.Page, 0)
	v, heard := measure(t, a.Page)
	if faults := checkVideo(v); faults != nil || v.Width != 320 || v.Height != 180 {
		t.Errorf("the camera's picture at the page: %q: %+v", faults, v)
	}
	if faults := checkAudio(heard, 440); faults != nil {
		t.Errorf("the door's sound at the page: %q: %+v", faults, heard)
	}
	a.click(t, "#hangup")
	a.is(t, soon, "ready")
}
