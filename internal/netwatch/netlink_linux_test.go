package netwatch

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// child is set in the environment of the process that has a network of its own.
const child = "NETWATCH_CHILD"

// TestKernel watches the kernel while addresses and routes of a network namespace of its
// own come and go.
func TestKernel(t *testing.T) {
	if os.Getenv(child) == "" {
		inNamespace(t)
		return
	}
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	k := &kernel{t: t, index: uint32(lo.Index)}
	k.linkUp()
	told := make(chan time.Time, 100)
	w, err := New(Config{Changed: func() { told <- time.Now() }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	looked := make(chan struct{}, 100)
	w.look = func() (snapshot, error) {
		defer func() { looked <- struct{}{} }()
		return look()
	}
	go func() { ended <- w.Run(ctx) }()
	<-looked

	v4, v6, local := netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("2001:db8::7"), netip.MustParseAddr("fe80::7")
	for _, step := range []struct {
		name string
		do   func()
		tell bool
	}{
		{"an IPv4 address comes", func() { k.address(syscall.RTM_NEWADDR, v4, 0) }, true},
		{"an IPv6 address comes", func() { k.address(syscall.RTM_NEWADDR, v6, 3600) }, true},
		{"its lifetime is refreshed", func() { k.address(syscall.RTM_NEWADDR, v6, 7200) }, false},
		{"one of the link alone comes", func() { k.address(syscall.RTM_NEWADDR, local, 0) }, false},
		{"a loopback address comes", func() { k.address(syscall.RTM_NEWADDR, netip.MustParseAddr("127.0.0.2"), 0) }, false},
		{"a route to a network comes", func() { k.route(syscall.RTM_NEWROUTE, netip.MustParsePrefix("172.17.0.0/16")) }, false},
		{"a default route comes", func() { k.route(syscall.RTM_NEWROUTE, netip.MustParsePrefix("0.0.0.0/0")) }, true},
		{"a default route goes", func() { k.route(syscall.RTM_DELROUTE, netip.MustParsePrefix("0.0.0.0/0")) }, true},
		{"the IPv6 address goes", func() { k.address(syscall.RTM_DELADDR, v6, 0) }, true},
		{"the IPv4 address goes", func() { k.address(syscall.RTM_DELADDR, v4, 0) }, true},
	} {
		start := time.Now()
		step.do()
		<-looked // it was told of by the kernel, whatever it amounts to
		select {
		case at := <-told:
			if !step.tell {
				t.Errorf("%s: told after %v", step.name, at.Sub(start))
			}
			t.Logf("%s: told after %v", step.name, at.Sub(start))
		case <-time.After(map[bool]time.Duration{true: 5 * time.Second, false: 2 * settleLimit}[step.tell]):
			if step.tell {
				t.Errorf("%s: not told", step.name)
			}
		}
		for len(looked) > 0 { // again, for a message that was late
			<-looked
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("run: %v", err)
	}
}

// inNamespace runs the calling test in a process with a network of its own.
func inNamespace(t *testing.T) {
	c := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=60s")
	c.Env = append(os.Environ(), child+"=1")
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	if os.Getuid() == 0 {
		c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	}
	var out []byte
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stdout, c.Stderr = w, w
	if err := c.Start(); err != nil {
		r.Close()
		w.Close()
		t.Skipf("no network namespace may be made here: %v", err)
	}
	w.Close()
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		out = append(out, buf[:n]...)
		if err != nil {
			break
		}
	}
	r.Close()
	if err := c.Wait(); err != nil {
		t.Fatalf("in a network namespace: %v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// kernel asks the kernel to change the network (rtnetlink(7)).
type kernel struct {
	t     *testing.T
	index uint32
}

// linkUp brings the interface up.
func (k *kernel) linkUp() {
	body := make([]byte, syscall.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(body[4:], k.index)
	binary.NativeEndian.PutUint32(body[8:], syscall.IFF_UP)
	binary.NativeEndian.PutUint32(body[12:], syscall.IFF_UP)
	k.ask(syscall.RTM_NEWLINK, body)
}

// address adds or deletes one; life is in seconds, 0: for ever.
func (k *kernel) address(what uint16, a netip.Addr, life uint32) {
	body := []byte{syscall.AF_INET, byte(a.BitLen()), 0, 0}
	if a.Is6() {
		body[0] = syscall.AF_INET6
		body[2] = 0x02 // IFA_F_NODAD
	}
	body = binary.NativeEndian.AppendUint32(body, k.index)
	body = attribute(body, syscall.IFA_LOCAL, a.AsSlice())
	body = attribute(body, syscall.IFA_ADDRESS, a.AsSlice())
	if life > 0 { // struct ifa_cacheinfo
		info := binary.NativeEndian.AppendUint32(nil, life)
		info = binary.NativeEndian.AppendUint32(info, life)
		body = attribute(body, syscall.IFA_CACHEINFO, append(info, make([]byte, 8)...))
	}
	k.ask(what, body)
}

// route adds or deletes one that leads to the interface.
func (k *kernel) route(what uint16, to netip.Prefix) {
	body := make([]byte, syscall.SizeofRtMsg)
	body[0], body[1] = syscall.AF_INET, byte(to.Bits())
	body[4], body[5], body[6], body[7] = syscall.RT_TABLE_MAIN, syscall.RTPROT_STATIC, syscall.RT_SCOPE_LINK, syscall.RTN_UNICAST
	if to.Bits() > 0 {
		body = attribute(body, syscall.RTA_DST, to.Addr().AsSlice())
	}
	body = attribute(body, syscall.RTA_OIF, binary.NativeEndian.AppendUint32(nil, k.index))
	k.ask(what, body)
}

// attribute appends one; all of ours have lengths that need no padding.
func attribute(body []byte, kind uint16, value []byte) []byte {
	body = binary.NativeEndian.AppendUint16(body, uint16(4+len(value)))
	body = binary.NativeEndian.AppendUint16(body, kind)
	return append(body, value...)
}

// ask sends a request and waits for its acknowledgment.
func (k *kernel) ask(what uint16, body []byte) {
	k.t.Helper()
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.NETLINK_ROUTE)
	if err != nil {
		k.t.Fatal(err)
	}
	defer syscall.Close(fd)
	flags := uint16(syscall.NLM_F_REQUEST | syscall.NLM_F_ACK)
	if what == syscall.RTM_NEWADDR || what == syscall.RTM_NEWROUTE {
		flags |= syscall.NLM_F_CREATE | syscall.NLM_F_REPLACE
	}
	m := binary.NativeEndian.AppendUint32(nil, uint32(syscall.NLMSG_HDRLEN+len(body)))
	m = binary.NativeEndian.AppendUint16(m, what)
	m = binary.NativeEndian.AppendUint16(m, flags)
	m = append(append(m, make([]byte, 8)...), body...)
	if err := syscall.Sendto(fd, m, 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		k.t.Fatal(err)
	}
	buf := make([]byte, 4096)
	n, _, err := syscall.Recvfrom(fd, buf, 0)
	if err != nil || n < syscall.NLMSG_HDRLEN+4 {
		k.t.Fatalf("acknowledgment of %d bytes, %v", n, err)
	}
	if code := int32(binary.NativeEndian.Uint32(buf[syscall.NLMSG_HDRLEN:])); code != 0 {
		k.t.Fatalf("request %d: %v", what, syscall.Errno(-code))
	}
}

// TestDamaged: messages that are cut off are no addresses or routes.
func TestDamaged(t *testing.T) {
	for _, what := range []uint16{syscall.RTM_NEWADDR, syscall.RTM_NEWROUTE} {
		for n := range 64 {
			data := make([]byte, n)
			for i := range data {
				data[i] = byte(i * 7)
			}
			m := []syscall.NetlinkMessage{{Header: syscall.NlMsghdr{Type: what}, Data: data}}
			if got := append(addresses(m), defaultRoutes(m)...); len(got) != 0 {
				t.Errorf("type %d, %d bytes: %v", what, n, got)
			}
		}
	}
}
