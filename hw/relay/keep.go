package relay

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"strings"
	"time"

	"intercom/internal/whole"
)

// The file holds one line: the time for which nothing opens, as of when it was written, and
// a check sum. No time of day is in it: the clock of a station that was off may say anything.
//
//	intercom-tamper/1 9m30s 6b0f1c52
const stateName = "intercom-tamper/1"

func formatBlock(left time.Duration) string {
	text := stateName + " " + left.String()
	return fmt.Sprintf("%s %08x\n", text, crc32.ChecksumIEEE([]byte(text)))
}

// parseBlock reads the file. There is one way to write it: all else is damage.
func parseBlock(b []byte) (time.Duration, error) {
	f := strings.Fields(string(b))
	if len(f) == 3 {
		left, err := time.ParseDuration(f[1])
		if err == nil && left >= 0 && formatBlock(left) == string(b) {
			return left, nil
		}
	}
	return 0, errors.New("it is damaged")
}

// loadBlock returns how much of a block is left; none if there is no file yet.
func loadBlock(path string) (time.Duration, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	left := time.Duration(0)
	if err == nil {
		if left, err = parseBlock(b); err != nil {
			err = fmt.Errorf("file %s: %w", path, err)
		}
	}
	if err != nil {
		return 0, fmt.Errorf("nobody knows whether the case was opened: %w", err)
	}
	return left, nil
}

// storeBlock replaces the file at once: a power cut leaves the old one or the new one.
func storeBlock(path string, left time.Duration) error {
	return whole.Write(path, []byte(formatBlock(left)))
}

// keep writes the file when the loop wants that, until ctx ends; what it wanted before is
// written, too.
func (l *loop) keep(ctx context.Context) {
	store := func(left time.Duration) { l.tellLoop(ctx, saved{l.store(l.cfg.Tamper.File, left)}) }
	for {
		select {
		case left := <-l.saves:
			store(left)
			continue
		case <-ctx.Done():
		}
		select {
		case left := <-l.saves:
			store(left)
		default:
		}
		return
	}
}
