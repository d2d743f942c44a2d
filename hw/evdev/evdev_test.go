package evdev

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/gpio"

	"intercom/hw"
	"intercom/hw/hwtest"
	"intercom/internal/uapi"
)

// contractRig has three keypads; each line is a key of another one.
func contractRig(t *testing.T, change func(*Lines)) hwtest.Rig {
	f := newFake(t)
	names := [3]string{}
	devices := map[string]*fakeDevice{}
	for i := range names {
		name := fmt.Sprintf("Keypad %d", i)
		names[i] = Prefix + name + "/KEY_1"
		devices[names[i]] = f.plug(name, "KEY_1", "KEY_2")
	}
	lines := f.lines(Config{})
	if change != nil {
		change(lines)
	}
	return hwtest.Rig{
		Lines: lines, Names: names, Unknown: Prefix + "Keypad/KEY_1", Queue: 1, Blurred: true, Uncounted: true,
		Drive: func(name string, high bool) { f.set(devices[name], "KEY_1", high) },
	}
}

func TestContract(t *testing.T) {
	hwtest.RunKeys(t, func(t *testing.T) hwtest.Rig { return contractRig(t, nil) })
}

// TestContractNotices breaks the keys in one way after the other.
func TestContractNotices(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*kernel)
		broken []string
	}{
		"levels are not asked for": {func(k *kernel) {
			k.pressed = func(int) (set uapi.KeySet, err error) { return set, nil }
		}, []string{"LevelsFirst", "ActiveLow", "LostEdgesAreCounted", "HeldBefore"}},
		"grabbed by nobody": {func(k *kernel) {
			open := k.open
			k.open = func(path string) (int, error) {
				fd, err := open(path)
				if errors.Is(err, unix.EBUSY) {
					return unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
				}
				return fd, err
			}
			k.pressed = func(int) (set uapi.KeySet, err error) { return set, nil }
		}, []string{"BusyInput", "LevelsFirst", "ActiveLow", "LostEdgesAreCounted", "HeldBefore"}},
	} {
		for _, c := range hwtest.KeyContract() {
			t.Run(name+"/"+c.Name, func(t *testing.T) {
				t.Parallel() // they wait for what does not come
				err := c.Check(contractRig(t, func(l *Lines) { tt.change(&l.kernel) }))
				if want := slices.Contains(tt.broken, c.Name); (err != nil) != want {
					t.Errorf("the contract says %v, want it broken: %t", err, want)
				}
			})
		}
	}
}

// take takes keys of a device, all named "Pad", and reads their levels.
func take(t *testing.T, l *Lines, keys ...string) hw.Inputs {
	t.Helper()
	var lines []hw.Line
	for _, k := range keys {
		lines = append(lines, hw.Line{Name: Prefix + "Pad/" + k})
	}
	in, err := l.Inputs(lines...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	for range keys {
		next(t, in)
	}
	return in
}

// next returns the next edge as "KEY_1+", with "!" if some were lost before.
func next(t *testing.T, in hw.Inputs) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	e, err := in.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	s := strings.TrimPrefix(e.Line, Prefix+"Pad/") + map[bool]string{true: "+", false: "-"}[e.Active]
	if e.Lost > 0 {
		s += "!"
	}
	return s
}

func expect(t *testing.T, in hw.Inputs, want ...string) {
	t.Helper()
	for i, w := range want {
		if got := next(t, in); got != w {
			t.Fatalf("edge %d: got %s, want %s", i+1, got, w)
		}
	}
}

func silent(t *testing.T, in hw.Inputs) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if e, err := in.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %+v, %v, want nothing", e, err)
	}
}

// TestKeypad: all keys of one device, in the order they were pressed, without repetition.
func TestKeypad(t *testing.T) {
	f := newFake(t)
	pad := f.plug("Pad", "KEY_1", "KEY_2", "KEY_3", "KEY_KPENTER", "704")
	in := take(t, f.lines(Config{}), "KEY_1", "KEY_2", "KEY_KPENTER", "704")
	var want []string
	for _, k := range []string{"KEY_2", "KEY_1", "KEY_1", "KEY_KPENTER", "704"} {
		f.set(pad, k, true)
		f.mu.Lock()
		f.write(pad, 1, map[string]uint16{"KEY_2": 3, "KEY_1": 2, "KEY_KPENTER": 96, "704": 704}[k], 2) // it is held
		f.mu.Unlock()
		f.set(pad, k, false)
		want = append(want, k+"+", k+"-")
	}
	f.set(pad, "KEY_3", true) // which nobody took
	expect(t, in, want...)
	silent(t, in)
}

// TestDropped: whatever was lost, in the end the levels are the keys'.
func TestDropped(t *testing.T) {
	f := newFake(t)
	pad := f.plug("Pad", "KEY_1", "KEY_2", "KEY_3")
	in := take(t, f.lines(Config{}), "KEY_1", "KEY_2", "KEY_3")
	f.set(pad, "KEY_3", true)
	for range 100 {
		f.set(pad, "KEY_1", true)
		f.set(pad, "KEY_1", false)
	}
	f.set(pad, "KEY_2", true)
	if pad.dropped == 0 {
		t.Fatal("nothing was dropped")
	}
	expect(t, in, "KEY_2+!", "KEY_3+!")
	f.set(pad, "KEY_1", true)
	f.set(pad, "KEY_2", false)
	expect(t, in, "KEY_1+!", "KEY_2-")
	silent(t, in)
}

// TestUnplugged: a key that is held is released; when the device is back all goes on.
func TestUnplugged(t *testing.T) {
	f := newFake(t)
	pad := f.plug("Pad", "KEY_1", "KEY_2")
	other := f.plug("Other", "KEY_1")
	l := f.lines(Config{})
	reports := watch(t, l)
	if err := <-reports; err != nil {
		t.Errorf("at first: %v", err)
	}
	in, err := l.Inputs(hw.Line{Name: Prefix + "Pad/KEY_1"}, hw.Line{Name: Prefix + "Other/KEY_1"})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	expect(t, in, "KEY_1-", "evdev:Other/KEY_1-")
	f.set(pad, "KEY_1", true)
	expect(t, in, "KEY_1+")
	f.unplug(pad)
	expect(t, in, "KEY_1-")
	if err := <-reports; err == nil || !strings.Contains(err.Error(), `input device "Pad": it was unplugged`) {
		t.Errorf("unplugged: %v", err)
	}
	f.set(other, "KEY_1", true) // the others work
	expect(t, in, "evdev:Other/KEY_1+")
	// Somebody holds a key as it is plugged in: that is no press.
	again := f.plug("Pad", "KEY_1", "KEY_2")
	f.set(again, "KEY_1", true)
	edges := make(chan string, 10)
	go func() {
		for {
			e, err := in.Next(t.Context())
			if err != nil {
				return
			}
			edges <- fmt.Sprintf("%s %t", e.Line, e.Active)
		}
	}()
	for err := range reports { // "there is no such device" may come first
		if err == nil {
			break
		}
	}
	f.set(again, "KEY_1", false)
	f.set(again, "KEY_1", true)
	if got := <-edges; got != "evdev:Pad/KEY_1 true" {
		t.Errorf("got %s", got)
	}
	f.set(again, "KEY_1", false)
	if got := <-edges; got != "evdev:Pad/KEY_1 false" {
		t.Errorf("got %s", got)
	}
}

// watch collects what Watch reports.
func watch(t *testing.T, l *Lines) <-chan error {
	t.Helper()
	reports := make(chan error, 10)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Watch(ctx, func(err error) { reports <- err }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("watch: %v", err)
		}
	})
	return reports
}

// TestAwait: a device that is not there at the start keeps nothing from starting, if it may come.
func TestAwait(t *testing.T) {
	f := newFake(t)
	f.plug("Other", "KEY_1")
	lines := []hw.Line{{Name: Prefix + "Pad/KEY_1"}}
	if _, err := f.lines(Config{}).Inputs(lines...); err == nil || !strings.Contains(err.Error(), `line "evdev:Pad/KEY_1": there is no input device "Pad"; there are "Other"`) {
		t.Errorf("not awaited: %v", err)
	}
	l := f.lines(Config{Await: true})
	reports := watch(t, l)
	<-reports
	in, err := l.Inputs(lines...)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	expect(t, in, "KEY_1-")
	if err := <-reports; err == nil || !strings.Contains(err.Error(), "there is no input device") {
		t.Errorf("it is not there: %v", err)
	}
	pad := f.plug("Pad", "KEY_1")
	edges := make(chan hw.Edge, 1)
	go func() {
		if e, err := in.Next(t.Context()); err == nil {
			edges <- e
		}
	}()
	if err := <-reports; err != nil {
		t.Errorf("it has come: %v", err)
	}
	f.set(pad, "KEY_1", true)
	if e := <-edges; !e.Active {
		t.Errorf("got %+v", e)
	}
	// One that is there has to be right.
	if _, err := l.Inputs(hw.Line{Name: Prefix + "Other/KEY_2"}); err == nil || !strings.Contains(err.Error(), "has no KEY_2") {
		t.Errorf("a key that it has not: %v", err)
	}
}

func TestRefused(t *testing.T) {
	f := newFake(t)
	f.plug("Two", "KEY_1")
	f.plug("Two", "KEY_1", "KEY_2")
	l := f.lines(Config{Await: true})
	for want, line := range map[string]hw.Line{
		"given as":                           {Name: "Two/KEY_1"},
		"evdev:DEVICE/KEY_1":                 {Name: Prefix + "KEY_1"},
		"not the name of a key":              {Name: Prefix + "Two/KEY_NONE"},
		"no pull":                            {Name: Prefix + "Two/KEY_1", Pull: gpio.PullUp},
		`give one as "event0" or "event1"`:   {Name: Prefix + "Two/KEY_1"},
		`"Two" (/dev/input/event1) has no K`: {Name: Prefix + "Two/KEY_3"},
	} {
		if _, err := l.Inputs(line); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), line.Name) {
			t.Errorf("%+v: got %v, want %q", line, err, want)
		}
	}
	if _, err := l.Inputs(); err == nil {
		t.Error("no lines were taken")
	}
	if _, err := l.Output(hw.Line{Name: Prefix + "Two/KEY_2"}, false); err == nil {
		t.Error("a key was taken as an output")
	}
	in, err := l.Inputs(hw.Line{Name: Prefix + "Two/KEY_2"}) // one of them has it
	if err != nil {
		t.Fatal(err)
	}
	in.Close()
}

// TestMaybe: one keypad that is two devices is the one that has more of the keys.
func TestMaybe(t *testing.T) {
	f := newFake(t)
	f.plug("Pad", "KEY_ENTER", "KEY_POWER")
	pad := f.plug("Pad", "KEY_1", "KEY_2", "KEY_ENTER")
	f.plug("Other", "KEY_POWER")
	l := f.lines(Config{})
	in := take(t, l, "KEY_1?", "KEY_2?", "KEY_3?", "KEY_ENTER")
	f.set(pad, "KEY_2", true)
	expect(t, in, "KEY_2?+")
	if _, err := l.Inputs(hw.Line{Name: Prefix + "Other/KEY_1?"}); err == nil || !strings.Contains(err.Error(), "none of the keys") {
		t.Errorf("a device without any of them: %v", err)
	}
}

func TestKeyNames(t *testing.T) {
	for name, code := range map[string]uint16{
		"KEY_ESC": 1, "KEY_1": 2, "KEY_0": 11, "KEY_ENTER": 28, "KEY_A": 30, "KEY_KPASTERISK": 55, "KEY_KP0": 82, "KEY_KPENTER": 96,
		"KEY_MICMUTE": 248, "BTN_0": 0x100, "BTN_LEFT": 0x110, "BTN_TRIGGER_HAPPY40": 0x2e7, "KEY_NUMERIC_0": 0x200, "KEY_NUMERIC_POUND": 0x20b,
		"KEY_OK": 0x160, "KEY_RIGHT_UP": 0x266, "KEY_DATA": 0x277, "704": 704,
	} {
		if got, err := KeyCode(name); err != nil || got != code {
			t.Errorf("%s: got %d, %v, want %d", name, got, err, code)
		}
	}
	for code, name := range keyNames {
		if back, err := KeyCode(keyName(code)); err != nil || back != code {
			t.Errorf("%d is %s, which is %d, %v", code, name, back, err)
		}
	}
	if got := keyName(84); got != "84" {
		t.Errorf("a key without a name is called %s", got)
	}
	if len(keyNames) < 500 {
		t.Errorf("there are %d names", len(keyNames))
	}
}
