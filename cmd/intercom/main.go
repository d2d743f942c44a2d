// Command intercom is a video door station: a visitor presses a button, the residents'
// phones ring in any app built on the QuickBlox SDK, whoever answers sees and hears the
// visitor and can open the door.
//
// This package picks the backends (which camera, which chat server), reads flags and
// configuration and handles signals; one file a command. What a door station does is in
// internal/station and below; nothing is decided here. A command's goroutines end before it
// does, but for one that waits for a guard of the locks that it has started: that process
// outlives it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"intercom/hw"
)

// version is set by the linker (see the Makefile).
var version = "unknown"

// Exit codes, as the README has them.
const (
	exitFailed  = 1 // anything else
	exitUsage   = 2 // unknown command or flag
	exitConfig  = 3 // the configuration: the message names file and line
	exitListen  = 4 // an address or socket that is in use or may not be used
	exitAbsent  = 5 // no station is running behind the control socket
	exitRefused = 6 // the station refused, an unknown button for example
	exitFound   = 7 // the self-test found something that has to be put right
)

// exitError is an error with the code to exit with.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string { return e.err.Error() }
func (e exitError) Unwrap() error { return e.err }

// invocation is one run of the program: what a command needs of the process around it.
type invocation struct {
	args  []string // behind the command's name
	chips hw.Lines // the machine's
	// modules is where the kernel shows the parameters of its modules; "": the usual place.
	modules string
	stdout  io.Writer
	stderr  io.Writer
}

// command is one word behind "intercom".
type command struct {
	name, args, summary string
	run                 func(context.Context, invocation) error
}

func commands() []command {
	return []command{
		{"run", "[--config FILE] [--control PATH] [--guard PATH]", "run the door station", runStation},
		{"demo", "[--config FILE] [--camera DEVICE] [--sound CARD] [--listen ADDRESS] [--control PATH]", "a door and a resident's phone on one page, without an account", runDemo},
		{"sandbox", "[--accounts FILE] [--rest ADDRESS] [--chat ADDRESS] [--websocket ADDRESS]", "a QuickBlox-compatible server for trying things out", runSandbox},
		{"press", "NAME", "press a button of the running station", runPress},
		{"type", "KEYS", "type at the keypad of the running station: digits, # to confirm, * before a code, C to clear", runType},
		{"records", "[list|erase [ID...]] [--config FILE] [--folder PATH] [--all] [--format text|json]", "visitors whom nobody answered: list or erase what was kept of them", runRecords},
		{"hangup", "", "end the call of the running station", runHangUp},
		{"status", "[--format text|json]", "show the running station's state", runStatus},
		{"snapshot", "FILE", "write a JPEG of the running station's camera during a call", runSnapshot},
		{"events", "[--format text|json]", "follow what happens at the running station", runEvents},
		{"journal", "[--config FILE] [--verify [--head HASH]] [--follow] [--format text|json]", "show what happened, or check that nothing of it was changed", runJournal},
		{"pair", "RESIDENT [--name PHONE] [--format text|json]", "pair a phone of a resident with the running station: its key is shown once", runPair},
		{"keys", "[list | revoke ID | rotate ID] [--format text|json]", "the keys of paired phones", runKeys},
		{"devices", "[--config FILE] [--format text|json]", "list cameras, sound cards, GPIO lines and encoders of this machine", runDevices},
		{"selftest", "[--config FILE] [--no-sound] [--format text|json]", "measure the configured camera, encoders, loudspeaker and microphone, and say what to do", runSelftest},
		{"guard", "[--config FILE] [--socket PATH]", "keep the lock's line safe whatever becomes of the station, which starts one itself", runGuard},
		{"lock-safe", "[--config FILE] [--socket PATH]", "drive the lock's line safe", runLockSafe},
		{"check", "[--config FILE]", "check the configuration, and the machine and its lines against it", runCheck},
		{"config", "[FILE]", "check a configuration file; without one, print the commented reference", runConfig},
		{"version", "", "print the version", runVersion},
	}
}

func main() {
	// The first signal ends the program in good order, the second at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(dispatch(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// dispatch runs one command on this machine.
func dispatch(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return invocation{chips: newMachine(), stdout: stdout, stderr: stderr}.dispatch(ctx, args)
}

// dispatch runs one command and returns the exit code. An error is one line on stderr.
func (in invocation) dispatch(ctx context.Context, args []string) int {
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		usage(in.stdout)
		if len(args) == 0 {
			return exitUsage
		}
		return 0
	}
	for _, c := range commands() {
		if c.name != args[0] {
			continue
		}
		in.args = args[1:]
		err := c.run(ctx, in)
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		if err == nil {
			return 0
		}
		fmt.Fprintf(in.stderr, "intercom %s: %v\n", c.name, err)
		if e := (exitError{}); errors.As(err, &e) {
			return e.code
		}
		return exitFailed
	}
	fmt.Fprintf(in.stderr, "intercom: unknown command %q; see intercom help\n", args[0])
	return exitUsage
}

func usage(w io.Writer) {
	fmt.Fprint(w, "intercom is a video door station for QuickBlox apps.\n\nusage: intercom COMMAND [FLAGS]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-9s %s\n", c.name, c.summary)
		if c.args != "" {
			fmt.Fprintf(w, "            %s\n", c.args)
		}
	}
}

// parse reads a command's flags; positional says how many other arguments it takes, at
// least and at most.
func (in invocation) parse(name string, least, most int, define func(*flag.FlagSet)) ([]string, error) {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard) // an error is one line, and dispatch's
	if define != nil {
		define(fs)
	}
	var rest []string
	for args := in.args; ; {
		if err := fs.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				in.help(fs)
				return nil, err
			}
			return nil, exitError{exitUsage, fmt.Errorf("%w; see intercom %s --help", err, name)}
		}
		// Flags may stand behind arguments too: "intercom press call --control PATH".
		if fs.NArg() == 0 {
			break
		}
		rest = append(rest, fs.Arg(0))
		args = fs.Args()[1:]
	}
	if len(rest) < least || len(rest) > most {
		return nil, exitError{exitUsage, fmt.Errorf("takes %s, not %d; see intercom help", count(least, most), len(rest))}
	}
	return rest, nil
}

// help prints what a command does, what it takes, and its flags.
func (in invocation) help(fs *flag.FlagSet) {
	for _, c := range commands() {
		if c.name == fs.Name() {
			fmt.Fprintf(in.stdout, "intercom %s: %s\n\nusage: intercom %s\n\n", c.name, c.summary, strings.TrimSpace(c.name+" "+c.args))
		}
	}
	fs.SetOutput(in.stdout)
	fs.PrintDefaults()
}

func count(least, most int) string {
	switch {
	case most == 0:
		return "no arguments"
	case least == most && most == 1:
		return "one argument"
	case least == 0 && most == 1:
		return "at most one argument"
	}
	return fmt.Sprintf("%d to %d arguments", least, most)
}

func runVersion(_ context.Context, in invocation) error {
	if _, err := in.parse("version", 0, 0, nil); err != nil {
		return err
	}
	_, err := fmt.Fprintln(in.stdout, "intercom", version)
	return err
}
