package station

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"strings"
	"time"

	"intercom/door"
	"intercom/door/access"
	"intercom/internal/whole"
)

const (
	// keepLimit is how long a verdict waits for the disk. One that hangs must not hold up the
	// door, and its health tells of it.
	keepLimit = 2 * time.Second
	// keepEvery is how often the file says what time has done: a power cut prolongs a
	// lock-out by so much at most.
	keepEvery = 5 * time.Minute
	// attemptsCondition is what is wrong while wrong codes would not outlive a power cut.
	attemptsCondition = "wrong codes"
)

// attempts keeps how often codes were wrong in a file, one line:
//
//	intercom-attempts/1 [{"User":0,"Keypad":"keypad","Count":5,"Since":0,"Left":60000000000}] 6b0f1c52
//
// with times in ns, and a check sum. One goroutine, which runs run, writes it. A nil one
// keeps nothing.
type attempts struct {
	path   string
	report func(error)
	write  func(path string, data []byte) error // whole.Write, but in a test
	orders chan keepOrder                       // the newest
}

// keepOrder is a file to be written.
type keepOrder struct {
	data []byte
	done chan error // holds one; nil: nobody waits
}

func newAttempts(path string, report func(error)) *attempts {
	if path == "" {
		return nil
	}
	return &attempts{path: path, report: report, write: whole.Write, orders: make(chan keepOrder, 1)}
}

const attemptsName = "intercom-attempts/1"

func formatAttempts(tallies []access.Tally) []byte {
	list, err := json.Marshal(tallies)
	if err != nil {
		panic(err) // numbers and names
	}
	text := fmt.Sprintf("%s %s", attemptsName, list)
	return fmt.Appendf(nil, "%s %08x\n", text, crc32.ChecksumIEEE([]byte(text)))
}

// parseAttempts reads the file. There is one way to write it: all else is damage.
func parseAttempts(data []byte) ([]access.Tally, error) {
	text, ok := strings.CutPrefix(string(data), attemptsName+" ")
	i := strings.LastIndexByte(text, ' ')
	var tallies []access.Tally
	if !ok || i < 0 || json.Unmarshal([]byte(text[:i]), &tallies) != nil || !bytes.Equal(formatAttempts(tallies), data) {
		return nil, errors.New("it is damaged")
	}
	return tallies, nil
}

// load reads what was kept; nothing if there is no file yet.
func (a *attempts) load() ([]access.Tally, error) {
	data, err := os.ReadFile(a.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var tallies []access.Tally
	if err == nil {
		tallies, err = parseAttempts(data)
	}
	if err != nil {
		return nil, fmt.Errorf("file %s: %w", a.path, err)
	}
	return tallies, nil
}

// keep has tallies written down, and waits for that if it is to be sure. It has one caller.
func (a *attempts) keep(tallies []access.Tally, sure bool) error {
	if a == nil {
		return nil
	}
	o := keepOrder{data: formatAttempts(tallies)}
	if sure {
		o.done = make(chan error, 1)
	}
	select {
	case <-a.orders: // it is older
	default:
	}
	a.orders <- o
	if !sure {
		return nil
	}
	limit := time.NewTimer(keepLimit)
	defer limit.Stop()
	select {
	case err := <-o.done:
		return err
	case <-limit.C:
		err := fmt.Errorf("the disk is too slow: it takes longer than %v", keepLimit)
		a.told(err)
		return err
	}
}

func (a *attempts) told(err error) {
	if err != nil {
		err = fmt.Errorf("what is counted of wrong codes would not outlive a power cut: %w", err)
	}
	a.report(err)
}

// run writes what is to be kept until ctx ends; what was ordered before is written, too.
func (a *attempts) run(ctx context.Context) {
	var last []byte // on the disk
	do := func(o keepOrder) {
		var err error
		if last == nil || !bytes.Equal(last, o.data) {
			if err = a.write(a.path, o.data); err == nil {
				last = o.data
			} else {
				last = nil
			}
		}
		a.told(err)
		if o.done != nil {
			o.done <- err
		}
	}
	for {
		select {
		case o := <-a.orders:
			do(o)
			continue
		case <-ctx.Done():
		}
		select {
		case o := <-a.orders:
			do(o)
		default:
		}
		return
	}
}

// restoreAttempts gives the door what was kept. A file that cannot be read is as good as one
// that cannot be written: nobody knows then what was tried before this start, or will know
// after it.
func (l *loop) restoreAttempts(ctx context.Context) {
	if l.attempts == nil {
		return
	}
	tallies, err := l.attempts.load()
	if err != nil {
		l.log.Error("how often codes were wrong before the start is not known", "cause", err)
	}
	l.take(ctx, door.Restored{Tallies: tallies, Doubt: err != nil})
	if l.attempts.keep(l.state.Tallies(time.Now()), true) != nil && err == nil {
		l.take(ctx, door.Restored{Tallies: tallies, Doubt: true})
	}
}

// keepAttempts has the file say how things are now.
func (l *loop) keepAttempts() { _ = l.attempts.keep(l.state.Tallies(time.Now()), false) }
