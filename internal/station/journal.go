package station

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"intercom/internal/control"
)

// headEvery is how often the log has the head of the journal's chain. What is in the log of
// another machine cannot be changed on this one.
const headEvery = time.Hour

// writeJournal writes what was published: the disk may be slow, the door may not. What is
// still waiting when ctx ends is written, too.
func (s *Station) writeJournal(ctx context.Context) {
	s.beginJournal()
	tick := time.NewTicker(headEvery)
	defer tick.Stop()
	for {
		select {
		case e := <-s.journal:
			s.append(e)
		case <-tick.C:
			s.logHead()
		case <-ctx.Done():
			for {
				select {
				case e := <-s.journal:
					s.append(e)
				default:
					s.logHead()
					return
				}
			}
		}
	}
}

func (s *Station) append(e control.Event) {
	if s.cfg.Journal != nil {
		s.health.Report("journal", s.cfg.Journal.Append(e))
	}
}

// loseEvent has the journal tell that it lacks one.
func (s *Station) loseEvent() {
	if s.cfg.Journal != nil {
		s.cfg.Journal.Lose(1)
	}
}

// beginJournal takes down how the last run ended, if that was not in good order, and with what
// configuration this one begins.
func (s *Station) beginJournal() {
	if s.cfg.Journal == nil {
		return
	}
	s.logHead()
	now := time.Now()
	if line := s.cfg.Journal.Last(); line != nil {
		var last control.Event
		_ = json.Unmarshal(line, &last) // what cannot be read is no good end
		if last.Type != control.Stopped {
			s.append(control.Event{Time: now, Type: control.Interrupted,
				Text: "the run before did not stop in good order: the power was cut, or it crashed, some time after " + last.Time.Format(time.DateTime)})
		}
	}
	if s.cfg.Configured == nil {
		return
	}
	e := control.Event{Time: now, Type: control.Configured, Config: &control.Parts{Hashes: s.cfg.Configured}}
	e.Reason, e.Text = s.compareConfig()
	s.append(e)
}

// compareConfig says what differs from the configuration that the journal has.
func (s *Station) compareConfig() (reason, text string) {
	mark := fmt.Appendf(nil, `"type":%q`, control.Configured)
	line, err := s.cfg.Journal.Find(func(line []byte) bool { return bytes.Contains(line, mark) })
	var e struct{ Config control.Parts }
	if err == nil && line != nil {
		err = json.Unmarshal(line, &e)
	}
	before := e.Config.Hashes
	switch {
	case err != nil:
		s.log.Warn("the configuration before is not known", "cause", err)
		return "unknown", "whether the configuration has changed cannot be told"
	case line == nil:
		return "first", "the configuration is the first one in this journal"
	}
	var changed []string
	for _, part := range slices.Sorted(maps.Keys(s.cfg.Configured)) {
		if before[part] != s.cfg.Configured[part] {
			changed = append(changed, part)
		}
	}
	for part := range before {
		if _, still := s.cfg.Configured[part]; !still {
			changed = append(changed, part)
		}
	}
	if len(changed) == 0 {
		return "", "the configuration is as it was"
	}
	slices.Sort(changed)
	return "changed", "the configuration has changed: " + strings.Join(changed, ", ")
}

// logHead puts the head of the chain where it may be kept.
func (s *Station) logHead() {
	if h := s.journalHead(); h != nil {
		s.log.Info("the journal ends here", "lines", h.Lines, "head", h.Head)
	}
}

// journalHead is nil if there is no journal, or nothing in it.
func (s *Station) journalHead() *control.Journal {
	if s.cfg.Journal == nil {
		return nil
	}
	h := s.cfg.Journal.Head()
	if h.Seq == 0 {
		return nil
	}
	return &control.Journal{Lines: h.Seq, Head: h.Hash}
}
