//go:build e2e

package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"intercom/internal/control"
	"intercom/lab/browser"
)

// namespace is a network of its own, for as long as the test runs that made it. It needs
// no privileges where users may make namespaces.
type namespace struct {
	enter []string // the command that runs another one in it
}

// newNamespace makes a network that has only a loopback interface. It is an error if that
// is not permitted here.
func newNamespace(t *testing.T) (*namespace, error) {
	t.Helper()
	unshare, nsenter := []string{"unshare", "--net"}, []string{"nsenter", "--net"}
	if os.Geteuid() != 0 {
		unshare = append(unshare, "--user", "--map-root-user")
		nsenter = append(nsenter, "--user", "--preserve-credentials")
	}
	if out, err := exec.Command(unshare[0], append(unshare[1:], "true")...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	cmd := exec.Command(unshare[0], append(unshare[1:], "sleep", "infinity")...)
	p, err := startProcess("namespace", cmd)
	must(t, err)
	t.Cleanup(func() { must(t, p.stop()) })
	pid := strconv.Itoa(cmd.Process.Pid)
	must(t, p.await(soon, func() error {
		ours, err := os.Readlink("/proc/self/ns/net")
		theirs, err2 := os.Readlink("/proc/" + pid + "/ns/net")
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		if ours == theirs {
			return errors.New("it is not there yet")
		}
		return nil
	}))
	n := &namespace{enter: append(nsenter, "--target", pid, "--")}
	n.ip(t, "link set lo up")
	return n, nil
}

// ip runs ip(8) in the namespace.
func (n *namespace) ip(t *testing.T, args string) {
	t.Helper()
	all := append(n.enter[1:len(n.enter):len(n.enter)], append([]string{"ip"}, strings.Fields(args)...)...)
	if out, err := exec.Command(n.enter[0], all...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s", args, err, out)
	}
}

// link is an interface in a namespace, whose cable is plugged in somewhere.
type link struct {
	n             *namespace
	name, address string
}

func (n *namespace) add(t *testing.T, name, address string) *link {
	t.Helper()
	n.ip(t, "link add "+name+" type veth peer name far-"+name)
	n.ip(t, "link set far-"+name+" up")
	return &link{n, name, address}
}

func (l *link) up(t *testing.T) {
	t.Helper()
	l.n.ip(t, "link set "+l.name+" up")
	l.n.ip(t, "addr add "+l.address+"/32 dev "+l.name)
}

// down takes the address away, too: without that the kernel goes on receiving for it.
func (l *link) down(t *testing.T) {
	t.Helper()
	l.n.ip(t, "addr del "+l.address+"/32 dev "+l.name)
	l.n.ip(t, "link set "+l.name+" down")
}

// linkSettings have the door use those interfaces of the namespace that are its own.
const linkSettings = `
[ice]
interfaces = ["door*"]
`

// TestLinkChange has the door change from one network to another in a call, as with a cable
// that is pulled while there is WLAN. The kernel tells, so that nobody waits for ICE to
// miss anything.
func TestLinkChange(t *testing.T) {
	n, err := newNamespace(t)
	if err != nil {
		t.Skipf("no network namespace may be made: %v", err)
	}
	links := []*link{n.add(t, "door0", "198.51.100.1"), n.add(t, "door1", "198.51.100.2")}
	links[0].up(t)
	n.add(t, "phone0", "203.0.113.1").up(t)
	n.ip(t, "route add default dev phone0")
	b, err := browser.Start(t.Context(), browser.Config{Root: lab.root, Wrap: n.enter})
	must(t, err)
	t.Cleanup(func() { must(t, b.Close()) })
	d, err := startDemoIn(n.enter, "link", linkSettings)
	must(t, err)
	t.Cleanup(func() { must(t, d.stop()) })
	d.begin(t)
	begun := d.count()
	a := d.newResidentIn(t, b, anna, browser.ProbeConfig{Tone: annaTone})
	d.press(t)
	a.answers(t, d.door)
	checkCall(t, a.Page, d.door, annaTone)

	const connections = "() => probe.connections.length"
	// change goes from one network to the other a few times, and returns how long it takes
	// from the loss to the picture.
	change := func() time.Duration {
		var all []time.Duration
		for range fewRounds {
			var before, beside int
			must(t, a.Eval(t.Context(), connections, nil, &before))
			links[1].up(t)
			_, err := a.Video(t.Context(), time.Second) // while the door learns of one more network
			must(t, err)
			must(t, a.Eval(t.Context(), connections, nil, &beside))
			if beside != before {
				t.Errorf("%s up: the page has made %d connections, and had made %d", links[1].name, beside, before)
			}
			var now float64
			must(t, a.Eval(t.Context(), "() => performance.now()", nil, &now))
			cut := time.Now()
			links[0].down(t)
			back := firstFrame(t, a.Page, now).Sub(cut)
			t.Logf("%s down: the picture is back after %v", links[0].name, back)
			if back > sdkWaits {
				t.Errorf("%s down: the picture is back after %v, and the SDKs' wait alone is %v", links[0].name, back, sdkWaits)
			}
			all = append(all, back)
			checkCall(t, a.Page, d.door, annaTone)
			links[0], links[1] = links[1], links[0]
		}
		return medians(map[string][]time.Duration{cutLink: all})[cutLink]
	}
	// The pair's time is that of TestMediaCut: no link event helps the SDK.
	if sdk := lab.times[pair][cutImpolite]; sdk > 0 {
		judged(t, []string{cutLink}, func() table { return table{pair: {cutLink: sdk}, doorPage: {cutLink: change()}} })
	} else {
		lab.note("%s: %v", cutLink, change())
	}
	a.is(t, quick, "talking")
	d.never(t, begun, control.Ended)
	a.click(t, "#open")
	d.expect(t, soon, control.Opened)
	d.expect(t, soon, control.Locked)
	a.click(t, "#hangup")
	d.expect(t, quick, control.Ended)
}

// sdkWaits is how long the SDKs wait for a lost connection to come back, before they make
// another one.
const sdkWaits = 5 * time.Second
