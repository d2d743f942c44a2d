package audio

import (
	"math"
	"sync/atomic"

	"intercom/capture"
)

const (
	// startLoss is the loss that the encoder prepares for before anything is known, leastLoss
	// in the best of networks, as error correction at that costs nothing that is heard, and
	// mostLoss at most: beyond it every peer would pay for one that hardly hears anything.
	startLoss = 0.10
	leastLoss = 0.05
	mostLoss  = 0.30
	lossStep  = 0.05
	// spareLoss is by how much more than what is reported is prepared for.
	spareLoss = 1.25

	// A report of more than before counts half, one of less a fifth: reports are of a second,
	// or five, and losses come in bursts.
	lossUp, lossDown = 0.5, 0.2

	// lossLook is how many periods there are between two looks at the peers' losses, 1 s, and
	// lossCalm how many looks in a row must find less for less to be prepared for.
	lossLook = 50
	lossCalm = 10
)

// lossReports is what the peer of a feed reports.
type lossReports struct {
	share atomic.Uint64 // float64, smoothed
	known atomic.Bool
}

// take takes a report. Reports of one peer come from one goroutine.
func (l *lossReports) take(share float64) {
	if !(share >= 0 && share <= 1) {
		return
	}
	was := math.Float64frombits(l.share.Load())
	switch {
	case !l.known.Load():
		was = share
	case share > was:
		was += lossUp * (share - was)
	default:
		was += lossDown * (share - was)
	}
	l.share.Store(math.Float64bits(was))
	l.known.Store(true)
}

// expectation is the loss that the encoder is told to prepare for: that of the worst peer,
// at once when it grows, and after a while when it shrinks. It belongs to the goroutine
// that encodes.
type expectation struct {
	share   float64
	periods int     // since the last look
	calm    int     // looks that found less, in a row
	most    float64 // that one of them wanted
}

func newExpectation() expectation { return expectation{share: startLoss} }

// look is called each period. It returns true when share has changed.
func (e *expectation) look(feeds []*feed) bool {
	if e.periods++; e.periods < lossLook {
		return false
	}
	e.periods = 0
	worst, known := 0.0, false
	for _, f := range feeds {
		if f.loss.known.Load() {
			worst, known = max(worst, math.Float64frombits(f.loss.share.Load())), true
		}
	}
	want := startLoss
	if known {
		want = max(leastLoss, min(math.Ceil(worst*spareLoss/lossStep-1e-9)*lossStep, mostLoss))
	}
	switch {
	case want > e.share:
	case want == e.share:
		e.calm = 0
		return false
	default:
		if e.calm == 0 {
			e.most = want
		}
		e.most = max(e.most, want)
		if e.calm++; e.calm < lossCalm {
			return false
		}
		want = e.most
	}
	e.share, e.calm = want, 0
	return true
}

// expect has the encoder prepare for what the peers lose.
func (s *Source) expect(encoder capture.SoundEncoder, e *expectation) {
	s.mu.Lock()
	feeds := s.feeds
	s.mu.Unlock()
	if !e.look(feeds) {
		return
	}
	s.stats.expected.Store(int64(math.Round(100 * e.share)))
	if err := encoder.Expect(e.share); err != nil {
		s.log.Warn("microphone's coding keeps its error correction", "cause", err)
		return
	}
	s.log.Debug("prepared for loss", "share", e.share)
}
