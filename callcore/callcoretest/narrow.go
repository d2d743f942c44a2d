package callcoretest

import "github.com/pion/transport/v4/vnet"

// Narrow is the way into a host that carries only so much: what comes faster waits in a
// queue, and what does not fit there is lost.
type Narrow struct {
	Net *vnet.Net
	tbf *vnet.TBFQueue
}

// NarrowNet returns another host of the network, behind a way in of so many bits a second
// with a queue of so many bytes.
func (w *World) NarrowNet(bits, queue int) *Narrow {
	w.tb.Helper()
	w.hosts++
	n, err := vnet.NewNet(&vnet.NetConfig{StaticIPs: []string{w.address(w.hosts)}})
	if err != nil {
		w.tb.Fatal(err)
	}
	tbf := vnet.NewTBFQueue(bits, 3000, int64(queue))
	q, err := vnet.NewQueue(n, tbf)
	if err != nil {
		w.tb.Fatal(err)
	}
	if err := w.router.AddNet(q); err != nil {
		w.tb.Fatal(err)
	}
	w.tb.Cleanup(func() { q.Close() })
	return &Narrow{Net: n, tbf: tbf}
}

// Carry changes how many bits a second the way carries, and how many bytes wait.
func (n *Narrow) Carry(bits, queue int) {
	n.tbf.SetRate(bits)
	n.tbf.SetSize(int64(queue))
}
