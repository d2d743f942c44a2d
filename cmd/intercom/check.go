package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"intercom/hw"
	"intercom/hw/guard"
)

// runCheck says what the machine has against a configuration: a line for each thing that was
// looked at. It changes no lock's level but to safe.
func runCheck(_ context.Context, in invocation) error {
	path, socket := defaultConfig, ""
	_, err := in.parse("check", 0, 0, func(fs *flag.FlagSet) {
		fs.StringVar(&path, "config", path, "configuration `FILE`")
		fs.StringVar(&socket, "socket", "", "`PATH` of the guard's socket; "+guardSocket("")+" if it is not set")
	})
	if err != nil {
		return err
	}
	c := defaults()
	if err := loadConfig(path, c); err != nil {
		return err
	}
	if socket == "" {
		socket = guardSocket(c.Control.Socket)
	}
	wrong := 0
	say := func(what string, err error) {
		if err == nil {
			fmt.Fprintf(in.stdout, "ok    %s\n", what)
			return
		}
		wrong++
		fmt.Fprintf(in.stdout, "WRONG %s: %v\n", what, err)
	}
	say("configuration "+path, nil)
	modules := in.modules
	if modules == "" {
		modules = sysModule
	}
	if len(c.guarded()) > 0 {
		say("lines that are released fall back to their pull", checkReleased(modules))
	}
	c.probe(in.chips, say)
	c.probeLocks(in.chips, socket, say)
	if c.Tamper != nil {
		say("folder of tamper.file", c.checkFolder("tamper.file", c.Tamper.File))
	}
	if f := c.Access.AttemptsFile; f != "" {
		say("folder of access.attempts_file", c.checkFolder("access.attempts_file", f))
	}
	if wrong > 0 {
		return fmt.Errorf("%d of these are wrong", wrong)
	}
	return nil
}

// checkReleased refuses a kernel on which a lock stays open when whoever has its line dies.
func checkReleased(modules string) error {
	if by := keepsReleased(modules); by != "" {
		return fmt.Errorf("the driver %s leaves them as they are (persist_gpio_outputs): a lock stays open when its guard dies; %s", by, strictHint)
	}
	return nil
}

// probe takes each real line that is not a lock's, for a moment, and says whether that can be
// had: what with the line of the file that names it.
func (c *config) probe(chips hw.Lines, say func(what string, err error)) {
	look := func(key string, w wire, take func() (interface{ Close() error }, error)) {
		if w.Line == "" {
			return
		}
		taken, err := take()
		if err == nil {
			err = taken.Close()
		}
		if err != nil {
			err = c.wrong(key+"line", "%v", err)
		}
		say("line "+w.Line+" of "+key[:len(key)-1], err)
	}
	input := func(key string, w inputWire) {
		look(key, w.wire, func() (interface{ Close() error }, error) { return chips.Inputs(w.named(w.Line)) })
	}
	for i, b := range c.Button {
		input(fmt.Sprintf("button.%d.", i), b.inputWire)
	}
	input("hang_up.", c.HangUp.inputWire)
	look("light.", c.Light.wire, func() (interface{ Close() error }, error) {
		return chips.Output(c.Light.wire.named(c.Light.Line), false)
	})
	keys, _, wires := c.beside()
	for i, key := range keys {
		input(key, wires[i])
	}
}

// probeLocks asks the guard of the locks how they are, or takes their lines at the safe level
// for a moment if there is none.
func (c *config) probeLocks(chips hw.Lines, socket string, say func(what string, err error)) {
	if len(c.guarded()) == 0 {
		return
	}
	if err := guard.NewClient(guard.ClientConfig{Path: socket}).Well(); !errors.Is(err, guard.ErrNotRunning) {
		say("guard of the locks, which has their lines", err)
		return
	}
	for i, l := range c.Lock {
		if l.Line == "" {
			continue
		}
		out, err := chips.Output(l.wire.named(l.Line), l.safe())
		if err == nil {
			err = out.Close()
		}
		key := fmt.Sprintf("lock.%d", i)
		if err != nil {
			err = c.wrong(key+".line", "%v", err)
		}
		say("line "+l.Line+" of "+key, err)
	}
}

// checkFolder refuses a folder in which the file that a key names cannot be replaced.
func (c *config) checkFolder(key, file string) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".check*")
	if err != nil {
		return c.wrong(key, "%v", err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// checkStart refuses lines that do not exist or are in use before the station begins, with the
// line of the file that names them. The locks' are their guard's, which goes on trying.
func (c *config) checkStart(chips hw.Lines) error {
	var first error
	c.probe(chips, func(_ string, err error) {
		if first == nil {
			first = err
		}
	})
	return first
}
