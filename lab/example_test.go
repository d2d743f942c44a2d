//go:build e2e

package lab

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"intercom/lab/browser"
)

// exampleTone is what the example's microphone hears, in Hz: capture/synth's own.
const exampleTone = 440

// TestExample runs the library's example program against our server: it calls a phone that
// is nothing but the SDK, sends picture and sound, and ends when the phone hangs up.
func TestExample(t *testing.T) {
	program := filepath.Join(lab.root, "build", "lab", "call")
	build := exec.Command("go", "build", "-o", program, "./examples/call")
	build.Dir = lab.root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the example: %v\n%s", err, out)
	}
	h, _ := lab.house(t)
	api := h.rest(t)
	p := newPhone(t, h.server, carl, browser.ProbeConfig{})

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	call := exec.CommandContext(ctx, program, "-api", api, "-app", strconv.Itoa(app), "-key", "demo-key", "-secret", "demo-secret",
		"-login", mallory.login, "-password", mallory.password, "-domain", domain, "-chat", "tcp://"+h.chat, "-user", strconv.FormatInt(carl.id, 10))
	var said bytes.Buffer
	call.Stdout, call.Stderr = &said, &said
	must(t, call.Start())
	t.Cleanup(func() { t.Logf("the example said:\n%s", said.String()) })

	p.next(t, soon, "call-received")
	must(t, p.Click(t.Context(), quick, "#answer"))
	firstFrame(t, p.Page, 0)
	v, a := measure(t, p.Page)
	if faults := checkVideo(v); faults != nil {
		t.Errorf("the picture at the phone: %q: %+v", faults, v)
	}
	if faults := checkAudio(a, exampleTone); faults != nil {
		t.Errorf("the sound at the phone: %q: %+v", faults, a)
	}
	must(t, p.Click(t.Context(), quick, "#hangup"))
	must(t, call.Wait())
	for _, want := range []string{"user " + strconv.FormatInt(carl.id, 10) + ": connected", "the call has ended: hung up by the peer"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("the example has not said %q", want)
		}
	}
}

// rest returns the address of the server's REST API.
func (h *house) rest(t *testing.T) (api string) {
	t.Helper()
	must(t, h.process.await(soon, func() (err error) { api, err = h.process.address("rest"); return err }))
	return api
}
