package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"time"

	"intercom/internal/conf"
	"intercom/internal/journal"
)

// followEvery is how often a journal is looked at for new lines.
const followEvery = 250 * time.Millisecond

// journalFlags are those of intercom journal.
type journalFlags struct {
	config, file, head, format string
	verify, follow             bool
}

// runJournal shows or checks the journal, whether a station writes to it or not.
func runJournal(ctx context.Context, in invocation) error {
	var f journalFlags
	if _, err := in.parse("journal", 0, 0, func(fs *flag.FlagSet) {
		fs.StringVar(&f.config, "config", defaultConfig, "configuration `FILE`, of which journal.file counts")
		fs.StringVar(&f.file, "file", "", "journal `FILE`, in place of the configuration's")
		fs.BoolVar(&f.verify, "verify", false, "check every line and its place in the chain")
		fs.StringVar(&f.head, "head", "", "`HASH` of a line, kept elsewhere, that --verify has to find")
		fs.BoolVar(&f.follow, "follow", false, "go on with what is appended")
		fs.StringVar(&f.format, "format", "text", "`text` or json")
	}); err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return exitError{exitUsage, err}
	}
	if f.file == "" {
		c := defaults()
		file, err := conf.Load(f.config, c) // the rest may be wrong, and its secrets out of reach
		if err != nil {
			return exitError{exitConfig, err}
		}
		c.file = file
		if f.file = c.Journal.File; f.file == "" {
			return exitError{exitConfig, c.wrong("journal.file", "is empty: no journal is kept")}
		}
	}
	if f.verify {
		return f.runVerify(in.stdout)
	}
	return f.show(ctx, in)
}

func (f *journalFlags) check() error {
	switch {
	case f.format != "text" && f.format != "json":
		return fmt.Errorf("--format %s: it is text or json", f.format)
	case f.verify && f.follow:
		return errors.New("--verify and --follow: a check has an end")
	case f.head != "" && !f.verify:
		return errors.New("--head: it goes with --verify")
	}
	if raw, err := hex.DecodeString(f.head); f.head != "" && (err != nil || len(raw) != sha256.Size) {
		return fmt.Errorf("--head %s: it is %d hex digits, as intercom status shows them", f.head, 2*sha256.Size)
	}
	return nil
}

// show writes the lines. Broken ones are shown as they are, and reported.
func (f *journalFlags) show(ctx context.Context, in invocation) error {
	r, err := f.open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	broken := 0
	for {
		l, err := r.Next()
		var b *journal.BrokenError
		switch {
		case err == io.EOF && !f.follow:
			if n := r.Unfinished(); n > 0 {
				fmt.Fprintf(in.stderr, "%s: %d bytes of a line without an end\n", f.file, n)
			}
			if broken > 0 {
				return fmt.Errorf("%s is broken in %d places; see --verify", f.file, broken)
			}
			return nil
		case err == io.EOF:
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(followEvery):
			}
			continue
		case errors.As(err, &b):
			broken++
			fmt.Fprintln(in.stderr, err)
		case err != nil:
			return err
		}
		if err := f.print(in.stdout, l); err != nil {
			return err
		}
	}
}

// open waits for a journal that is to be followed.
func (f *journalFlags) open(ctx context.Context) (*journal.Reader, error) {
	for {
		r, err := journal.NewReader(f.file)
		if !f.follow || !errors.Is(err, os.ErrNotExist) {
			return r, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(followEvery):
		}
	}
}

func (f *journalFlags) print(w io.Writer, l journal.Line) error {
	if f.format == "json" {
		_, err := fmt.Fprintf(w, "%s\n", l.JSON)
		return err
	}
	text := l.Text
	if text == "" {
		text = strings.ToValidUTF8(string(l.JSON), "?") // somebody else's line
	}
	_, err := fmt.Fprintf(w, "%s  %-14s %s\n", l.Time.Local().Format("2006-01-02 15:04:05.000"), l.Type, printableText(text))
	return err
}

// printableText keeps what a journal says from writing anywhere else on a terminal.
func printableText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}

// verified is a journal.Report as JSON.
type verified struct {
	File       string   `json:"file"`
	Whole      bool     `json:"whole"`
	Lines      int      `json:"lines"`
	First      uint64   `json:"first"`
	Last       uint64   `json:"last"`
	Head       string   `json:"head"`
	Cuts       int      `json:"cuts"`
	Lost       int      `json:"lost"`
	Unfinished int      `json:"unfinished"`
	HeadFound  uint64   `json:"head_found,omitempty"`
	Broken     []string `json:"broken"`
}

func (f *journalFlags) runVerify(w io.Writer) error {
	p, err := journal.Verify(f.file, f.head)
	if err != nil {
		return err
	}
	v := verified{
		File: f.file, Whole: p.Broken == 0, Lines: p.Lines, First: p.First.Seq, Last: p.Last.Seq, Head: p.Last.Hash,
		Cuts: p.Cuts, Lost: p.Lost, Unfinished: p.Unfinished, HeadFound: p.At, Broken: []string{},
	}
	for _, b := range p.Breaks {
		v.Broken = append(v.Broken, b.Error())
	}
	if f.format == "json" {
		err = json.NewEncoder(w).Encode(v)
	} else {
		err = v.print(w)
	}
	switch {
	case err != nil:
		return err
	case p.Broken > 0:
		return fmt.Errorf("%s is broken in %d lines, the first is %v", f.file, p.Broken, p.Breaks[0])
	case f.head != "" && p.At == 0:
		return fmt.Errorf("%s: no line has the hash %s: it was written anew since then, its end was cut off, or that line has been put aside long ago", f.file, f.head)
	}
	return nil
}

func (v *verified) print(w io.Writer) error {
	var b strings.Builder
	for _, line := range v.Broken {
		fmt.Fprintln(&b, line)
	}
	fmt.Fprintf(&b, "%s: %d lines, numbers %d to %d of the chain\n", v.File, v.Lines, v.First, v.Last)
	if v.Cuts > 0 {
		fmt.Fprintf(&b, "it tells of %d power cuts in a line\n", v.Cuts)
	}
	if v.Lost > 0 {
		fmt.Fprintf(&b, "it tells %d times of events that were not written\n", v.Lost)
	}
	if v.Unfinished > 0 {
		fmt.Fprintf(&b, "%d bytes of a line without an end: the power was cut, or it is just being written\n", v.Unfinished)
	}
	if v.HeadFound > 0 {
		fmt.Fprintf(&b, "up to number %d, whose hash was given, it is as it was then\n", v.HeadFound)
	}
	if v.Whole {
		fmt.Fprintf(&b, "the chain is whole; its head is %s\n", v.Head)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// parts returns a hash of each part of the configuration. Secrets are not in it: a hash of a
// short one would tell it.
func (c *config) parts() (map[string]string, error) {
	parts := map[string]string{}
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("toml")
		if name == "" {
			continue
		}
		text, err := json.Marshal(v.Field(i).Interface())
		if err != nil {
			return nil, fmt.Errorf("configuration %s: %w", name, err)
		}
		sum := sha256.Sum256(text)
		parts[name] = hex.EncodeToString(sum[:8])
	}
	return parts, nil
}
