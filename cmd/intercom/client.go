package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"intercom/internal/control"
)

// requestLimit bounds a command against a running station.
const requestLimit = 15 * time.Second

// defaultSocket is where a station listens, and a command looks for it, unless told
// otherwise: a place that only the user it runs as can write to.
func defaultSocket() string {
	if os.Getuid() == 0 {
		return "/run/intercom/control.sock"
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "intercom", "control.sock")
	}
	return filepath.Join(os.TempDir(), "intercom-"+strconv.Itoa(os.Getuid()), "control.sock")
}

// clientFlags are those of the commands against a running station.
type clientFlags struct {
	socket string
	format string
}

func (c *clientFlags) define(fs *flag.FlagSet) {
	fs.StringVar(&c.socket, "control", defaultSocket(), "`PATH` of the station's control socket")
}

func (c *clientFlags) defineFormat(fs *flag.FlagSet) {
	c.define(fs)
	fs.StringVar(&c.format, "format", "text", "`text` or json")
}

func (c *clientFlags) check() error {
	if c.format != "text" && c.format != "json" {
		return exitError{exitUsage, fmt.Errorf("--format %s: it is text or json", c.format)}
	}
	return nil
}

// station connects to the running station and calls f.
func (c *clientFlags) station(ctx context.Context, f func(*control.Client) error) error {
	cl, err := control.Dial(ctx, c.socket)
	if errors.Is(err, control.ErrNotRunning) {
		return exitError{exitAbsent, fmt.Errorf("%w; start one with intercom run, or name its socket with --control", err)}
	}
	if err != nil {
		return err
	}
	defer cl.Close()
	err = f(cl)
	if refused := (*control.RefusedError)(nil); errors.As(err, &refused) {
		return exitError{exitRefused, err}
	}
	return err
}

func runPress(ctx context.Context, in invocation) error {
	var flags clientFlags
	args, err := in.parse("press", 1, 1, flags.define)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	return flags.station(ctx, func(c *control.Client) error { return c.Press(ctx, args[0]) })
}

func runType(ctx context.Context, in invocation) error {
	var flags clientFlags
	args, err := in.parse("type", 1, 1, flags.define)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	return flags.station(ctx, func(c *control.Client) error { return c.Type(ctx, args[0]) })
}

func runHangUp(ctx context.Context, in invocation) error {
	var flags clientFlags
	if _, err := in.parse("hangup", 0, 0, flags.define); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	return flags.station(ctx, func(c *control.Client) error { return c.HangUp(ctx) })
}

func runStatus(ctx context.Context, in invocation) error {
	var flags clientFlags
	if _, err := in.parse("status", 0, 0, flags.defineFormat); err != nil {
		return err
	}
	if err := flags.check(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	return flags.station(ctx, func(c *control.Client) error {
		st, err := c.Status(ctx)
		if err != nil {
			return err
		}
		if flags.format == "json" {
			enc := json.NewEncoder(in.stdout)
			enc.SetIndent("", "  ")
			return enc.Encode(st)
		}
		return printStatus(in.stdout, st)
	})
}

// printStatus writes the status for a person.
func printStatus(w io.Writer, st control.Status) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(t, name+"\t"+format+"\n", args...) }
	row("version", "%s", st.Version)
	row("state", "%s", st.State)
	callRows(row, st)
	if st.Link.Up {
		row("chat", "connected since %s", st.Link.Since.Format(time.DateTime))
	} else {
		row("chat", "not connected since %s: %s", st.Link.Since.Format(time.DateTime), st.Link.Reason)
	}
	row("light", "%s", st.Light)
	for _, l := range st.Locks {
		row("lock "+l.Name, "%s", map[bool]string{true: "OPEN", false: "closed"}[l.Open])
	}
	mediaRows(row, st)
	if st.Speaker.On {
		row("loudspeaker", "%.0f dBFS, %.0f Hz", st.Speaker.DBFS, st.Speaker.Frequency)
	} else {
		row("loudspeaker", "off")
	}
	names := make([]string, len(st.Buttons))
	for i, b := range st.Buttons {
		names[i] = b.Name
	}
	row("buttons", "%s", strings.Join(names, ", "))
	if j := st.Journal; j != nil {
		row("journal", "%d lines, the last one's hash is", j.Lines)
		row("", "%s", j.Head)
	}
	for _, f := range st.Flats {
		row("flat "+f.Name, "%s", f.Label)
	}
	if len(st.Health) == 0 {
		row("health", "all is well")
	}
	for _, c := range st.Health {
		row("health", "%s: %s (since %s)", c.Name, c.Text, c.Since.Format(time.DateTime))
	}
	return t.Flush()
}

// callRows tells what goes on at the door.
func callRows(row func(string, string, ...any), st control.Status) {
	if st.Flat != "" {
		row("", "for %s", st.Flat)
	}
	if st.Typed != "" {
		row("", "typed %s", st.Typed)
	}
	if st.Says != "" {
		row("", "told: %s", st.Says)
	}
	c := st.Call
	if c == nil {
		return
	}
	direction := "to the residents"
	if c.Incoming {
		direction = "from a resident"
	}
	row("call", "%s, since %s", direction, c.Since.Format(time.TimeOnly))
	if c.User != 0 {
		row("", "with %s", residentName(st, c.User))
	}
	if c.Media {
		row("", "media arrives")
	}
	if c.Codec != "" {
		row("", "we send %s", c.Codec)
	}
	if c.Times != nil {
		row("", "%s", c.Times)
	}
	if c.Network != nil {
		row("", "network: %s", c.Network)
	}
}

func residentName(st control.Status, user int64) string {
	for _, r := range st.Residents {
		if r.ID == user {
			return r.Name
		}
	}
	return "user " + strconv.FormatInt(user, 10)
}

func runEvents(ctx context.Context, in invocation) error {
	var flags clientFlags
	if _, err := in.parse("events", 0, 0, flags.defineFormat); err != nil {
		return err
	}
	if err := flags.check(); err != nil {
		return err
	}
	err := flags.station(ctx, func(c *control.Client) error {
		return c.Events(ctx, func(e control.Event) error {
			if flags.format == "json" {
				return json.NewEncoder(in.stdout).Encode(e)
			}
			_, err := fmt.Fprintf(in.stdout, "%s  %s\n", e.Time.Local().Format("2006-01-02 15:04:05.000"), e.Text)
			return err
		})
	})
	switch {
	case ctx.Err() != nil:
		return nil
	case errors.Is(err, io.EOF):
		return exitError{exitAbsent, errors.New("the station ended")}
	}
	return err
}
