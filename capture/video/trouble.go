package video

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
)

// theCamera is the part that is in trouble when it is not an encoder.
const theCamera = "camera"

// trouble remembers which parts fail, and reports when that changes.
type trouble struct {
	log    *slog.Logger
	report func(error) // may be nil

	mu    sync.Mutex
	parts []partError // in the order they failed
}

type partError struct {
	part string
	err  error
}

// set says how a part is: its error, or nil. It allocates nothing while all is well.
func (t *trouble) set(part string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.IndexFunc(t.parts, func(p partError) bool { return p.part == part })
	switch {
	case err == nil && i < 0:
		return
	case err == nil:
		t.parts = slices.Delete(t.parts, i, i+1)
		t.log.Info("recovered", "part", part)
	case i < 0:
		t.parts = append(t.parts, partError{part, err})
		t.log.Warn("failed", "part", part, "cause", err)
	default:
		t.parts[i].err = err
		t.log.Debug("failed again", "part", part, "cause", err)
	}
	if t.report != nil {
		t.report(t.join())
	}
}

func (t *trouble) join() error {
	var all []error
	for _, p := range t.parts {
		err := p.err
		if !strings.HasPrefix(err.Error(), p.part) { // it may name itself
			err = fmt.Errorf("%s: %w", p.part, err)
		}
		all = append(all, err)
	}
	return errors.Join(all...)
}
