package netwatch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"
)

// groups are the multicast groups of rtnetlink(7) that tell of links, addresses and routes.
const groups = 1<<(syscall.RTNLGRP_LINK-1) |
	1<<(syscall.RTNLGRP_IPV4_IFADDR-1) | 1<<(syscall.RTNLGRP_IPV4_ROUTE-1) |
	1<<(syscall.RTNLGRP_IPV6_IFADDR-1) | 1<<(syscall.RTNLGRP_IPV6_ROUTE-1)

// Flags that package syscall has no names for.
const (
	addressTentative = 0x40 // IFA_F_TENTATIVE: it may turn out to be somebody else's
	addressFailed    = 0x08 // IFA_F_DADFAILED: it has
	nextHopDead      = 0x01 // RTNH_F_DEAD
	nextHopLinkDown  = 0x10 // RTNH_F_LINKDOWN: no carrier; the cable is out
)

// netlink is a feed. Its file is polled, so that close ends a read.
type netlink struct {
	file *os.File
	buf  [1 << 16]byte
}

func open() (feed, error) {
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, syscall.NETLINK_ROUTE)
	if err != nil {
		return nil, errorf("open a netlink socket", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK, Groups: groups}); err != nil {
		syscall.Close(fd)
		return nil, errorf("bind a netlink socket", err)
	}
	return &netlink{file: os.NewFile(uintptr(fd), "netlink")}, nil
}

func (n *netlink) next() error {
	// ENOBUFS: the kernel had more to tell than the socket holds. That something has
	// happened is all that matters.
	if _, err := n.file.Read(n.buf[:]); err != nil && !errors.Is(err, syscall.ENOBUFS) {
		return errorf("read netlink messages", err)
	}
	return nil
}

func (n *netlink) close() error { return n.file.Close() }

// look lists what can be used now.
func look() (snapshot, error) {
	var lines []string
	for _, d := range []struct {
		what    int
		name    string
		collect func([]syscall.NetlinkMessage) []string
	}{
		{syscall.RTM_GETADDR, "addresses", addresses},
		{syscall.RTM_GETROUTE, "routes", defaultRoutes},
	} {
		raw, err := syscall.NetlinkRIB(d.what, syscall.AF_UNSPEC)
		if err != nil {
			return nil, errorf("list the "+d.name, err)
		}
		messages, err := syscall.ParseNetlinkMessage(raw)
		if err != nil {
			return nil, errorf("list the "+d.name, err)
		}
		lines = append(lines, d.collect(messages)...)
	}
	return newSnapshot(lines), nil
}

// addresses returns those in messages (struct ifaddrmsg, rtnetlink(7)) by which others can
// reach us, with their interface.
func addresses(messages []syscall.NetlinkMessage) []string {
	var list []string
	for i := range messages {
		m := &messages[i]
		if m.Header.Type != syscall.RTM_NEWADDR || len(m.Data) < syscall.SizeofIfAddrmsg {
			continue
		}
		if m.Data[2]&(addressTentative|addressFailed) != 0 {
			continue
		}
		a, ok := attributes(m)
		if !ok {
			continue
		}
		// With a peer at the other end, IFA_ADDRESS is the peer's.
		raw := a[syscall.IFA_LOCAL]
		if raw == nil {
			raw = a[syscall.IFA_ADDRESS]
		}
		addr, ok := netip.AddrFromSlice(raw)
		if !ok || addr.IsLoopback() || addr.Is6() && addr.IsLinkLocalUnicast() {
			continue
		}
		list = append(list, fmt.Sprintf("address %s on %d", addr, binary.NativeEndian.Uint32(m.Data[4:])))
	}
	return list
}

// defaultRoutes returns those in messages (struct rtmsg) that work.
func defaultRoutes(messages []syscall.NetlinkMessage) []string {
	var list []string
	for i := range messages {
		m := &messages[i]
		if m.Header.Type != syscall.RTM_NEWROUTE || len(m.Data) < syscall.SizeofRtMsg {
			continue
		}
		family, bits, table, kind := m.Data[0], m.Data[1], m.Data[4], m.Data[7]
		flags := binary.NativeEndian.Uint32(m.Data[8:])
		if bits != 0 || table != syscall.RT_TABLE_MAIN || kind != syscall.RTN_UNICAST || flags&(nextHopDead|nextHopLinkDown) != 0 {
			continue
		}
		a, ok := attributes(m)
		if !ok {
			continue
		}
		gateway, _ := netip.AddrFromSlice(a[syscall.RTA_GATEWAY])
		list = append(list, fmt.Sprintf("default route of family %d by %s on %s at %s, hops %x",
			family, gateway, number(a[syscall.RTA_OIF]), number(a[syscall.RTA_PRIORITY]), a[syscall.RTA_MULTIPATH]))
	}
	return list
}

// attributes returns the attributes of a message by type.
func attributes(m *syscall.NetlinkMessage) (map[uint16][]byte, bool) {
	list, err := syscall.ParseNetlinkRouteAttr(m)
	if err != nil {
		return nil, false
	}
	byType := map[uint16][]byte{}
	for _, a := range list {
		byType[a.Attr.Type] = a.Value
	}
	return byType, true
}

// number is an attribute of four bytes; empty if there is none.
func number(raw []byte) string {
	if len(raw) != 4 {
		return ""
	}
	return fmt.Sprint(binary.NativeEndian.Uint32(raw))
}
