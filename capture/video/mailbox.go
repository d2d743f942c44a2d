package video

import (
	"sync"

	"intercom/capture"
)

// codedWaiting is how many coded pictures may wait for the lane: it only copies them.
const codedWaiting = 8

// mailbox holds what waits for an encoder: the newest picture, as one that is older is worth
// nothing. Pictures that the camera has coded build on each other: they wait in a queue, and
// if that is full, all go up to the next key frame.
type mailbox struct {
	mu      sync.Mutex
	waiting []*capture.Frame
	gap     bool // coded pictures were lost: the others cannot be decoded
	gone    bool // nobody takes frames any more
}

// put keeps a frame. It returns how many were passed over for it.
func (m *mailbox) put(f *capture.Frame) (passed int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gone {
		return 0
	}
	limit := 1
	if f.Pixel == capture.AVC {
		limit = codedWaiting
	}
	if len(m.waiting) >= limit {
		passed += m.empty()
		m.gap = f.Pixel == capture.AVC
	}
	if m.gap && !isKeyUnit(f.Planes[0]) {
		return passed + 1
	}
	m.gap = false
	f.Retain()
	m.waiting = append(m.waiting, f)
	return passed
}

// lose says that a coded picture is missing: those that build on it are not kept.
func (m *mailbox) lose() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gap = true
}

// take returns the oldest frame, which the caller releases; nil: there is none.
func (m *mailbox) take() *capture.Frame {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.waiting) == 0 {
		return nil
	}
	f := m.waiting[0]
	m.waiting = append(m.waiting[:0], m.waiting[1:]...)
	return f
}

// shut gives the waiting frames back; those that still come are not kept.
func (m *mailbox) shut() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.empty()
	m.gone = true
}

func (m *mailbox) empty() int {
	n := len(m.waiting)
	for i, f := range m.waiting {
		f.Release()
		m.waiting[i] = nil
	}
	m.waiting = m.waiting[:0]
	return n
}
