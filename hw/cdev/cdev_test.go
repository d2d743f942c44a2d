package cdev

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/warthog618/go-gpiocdev/uapi"
	"periph.io/x/conn/v3/gpio"

	"intercom/hw"
)

// pi is a machine like a Raspberry Pi 4 with an expander whose names are partly the same.
func pi() []Chip {
	soc := make([]Info, 58)
	soc[4].Name, soc[17].Name, soc[0].Name = "GPIO4", "GPIO17", "ID_SDA"
	return []Chip{
		{Name: "gpiochip0", Label: "pinctrl-bcm2711", Lines: soc},
		{Name: "gpiochip1", Label: "raspberrypi-exp-gpio", Lines: []Info{{Name: "BT_ON"}, {Name: "GPIO4"}}},
		{Name: "gpiochip2", Label: "expander", Lines: []Info{{Name: "strike:1"}, {}}},
		{Name: "gpiochip3", Label: "expander", Lines: []Info{{}}},
	}
}

func TestFind(t *testing.T) {
	for _, tt := range []struct {
		name string
		want string // or of the error
	}{
		{"gpiochip0:17", "gpiochip0:17"},
		{"pinctrl-bcm2711:3", "gpiochip0:3"},
		{"GPIO17", "gpiochip0:17"},
		{"BT_ON", "gpiochip1:0"},
		{"strike:1", "gpiochip2:0"}, // a name with a colon is a name first
		{"P1_11", "gpiochip0:17"},
		{"P1_27", "gpiochip0:0"}, // GPIO0, whatever the kernel calls it
		{"gpiochip3:0", "gpiochip3:0"},

		{"", "there is no such line"},
		{"GPIO18", "there is no such line"},
		{"P1_1", "there is no such line"}, // 3.3 V
		{"gpiochip9:1", "there is no such line"},
		{"gpiochip0:58", "has lines 0 to 57"},
		{"gpiochip0:-1", "has lines 0 to 57"},
		{"gpiochip0:", `"" is not the number of a line`},
		{"gpiochip0:x", `"x" is not the number of a line`},
		{"GPIO4", "give one of them as gpiochip0:4 or gpiochip1:1"},
		{"expander:0", `gpiochip2 and gpiochip3 are both called "expander"`},
	} {
		got, err := findOn(pi(), tt.name)
		if err != nil {
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%q: %v, want %q", tt.name, err, tt.want)
			}
		} else if got.String() != tt.want {
			t.Errorf("%q: %v, want %q", tt.name, got, tt.want)
		}
	}
}

func TestFindWithoutChips(t *testing.T) {
	if _, err := findOn(nil, "GPIO17"); !errors.Is(err, errNoChips) {
		t.Errorf("got %v, want %v", err, errNoChips)
	}
	locked := []Chip{{Name: "gpiochip0", Err: closed("gpiochip0", fs.ErrPermission)}}
	for _, name := range []string{"GPIO17", "gpiochip0:17"} {
		if _, err := findOn(locked, name); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "group") {
			t.Errorf("%s on a chip that may not be read: got %v, want that and the cure", name, err)
		}
	}
	// Another board may use the names of the header's lines.
	other := []Chip{{Name: "gpiochip0", Label: "other", Lines: []Info{{}, {Name: "GPIO17"}}}}
	if got, err := findOn(other, "P1_11"); err != nil || got != (place{"gpiochip0", 1}) {
		t.Errorf("P1_11 of another board: %v, %v", got, err)
	}
}

// TestHeader checks periph's table against what is printed on the boards.
func TestHeader(t *testing.T) {
	for pin, number := range map[string]int{"P1_3": 2, "P1_8": 14, "P1_11": 17, "P1_12": 18, "P1_36": 16, "P1_40": 21} {
		if got := header[pin].Number(); got != number {
			t.Errorf("%s is GPIO%d, want %d", pin, got, number)
		}
	}
	if len(header) != 28 {
		t.Errorf("%d pins, the header has 28 lines", len(header))
	}
}

func TestRequest(t *testing.T) {
	r, err := request(hw.Line{Name: "x", ActiveLow: true, Pull: gpio.PullUp, Debounce: 20 * time.Millisecond}, 5)
	if err != nil {
		t.Fatal(err)
	}
	want := uapi.LineFlagV2Input | uapi.LineFlagV2EdgeBoth | uapi.LineFlagV2ActiveLow | uapi.LineFlagV2BiasPullUp
	if r.Config.Flags != want || r.Offsets[0] != 5 || r.Lines != 1 {
		t.Errorf("flags %#x of line %d, want %#x of 5", r.Config.Flags, r.Offsets[0], want)
	}
	if r.Config.NumAttrs != 1 || r.Config.Attrs[0].Attr.ID != uapi.LineAttributeIDDebounce || r.Config.Attrs[0].Attr.Value32() != 20_000 {
		t.Errorf("attributes %+v, want a debounce period of 20000 us", r.Config.Attrs[:r.Config.NumAttrs])
	}
	if _, err := request(hw.Line{Pull: gpio.Pull(77)}, 0); err == nil {
		t.Error("an unknown pull was taken")
	}
}

// event is what the kernel writes.
func event(at time.Duration, rising bool, seq uint32) []byte {
	b := make([]byte, eventSize)
	id := uapi.LineEventFallingEdge
	if rising {
		id = uapi.LineEventRisingEdge
	}
	binary.NativeEndian.PutUint64(b, uint64(at))
	binary.NativeEndian.PutUint32(b[8:], uint32(id))
	binary.NativeEndian.PutUint32(b[20:], seq)
	return b
}

func TestEdge(t *testing.T) {
	t0 := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	l := &input{Line: hw.Line{Name: "call"}, said: true}
	for i, tt := range []struct {
		rising bool
		seq    uint32
		want   *hw.Edge
	}{
		{true, 1, nil}, // it came while the level was read
		{false, 2, &hw.Edge{Line: "call", At: t0.Add(time.Second)}},
		{true, 3, &hw.Edge{Line: "call", Active: true, At: t0.Add(time.Second)}},
		{false, 8, &hw.Edge{Line: "call", At: t0.Add(time.Second), Lost: 4}},
		{false, 10, &hw.Edge{Line: "call", At: t0.Add(time.Second), Lost: 1}}, // the same level again, after one that was lost
	} {
		got, ok := l.edge(event(time.Second, tt.rising, tt.seq), t0)
		if ok != (tt.want != nil) || ok && got != *tt.want {
			t.Errorf("event %d: got %+v, %v, want %+v", i, got, ok, tt.want)
		}
	}
	l.seq, l.said = ^uint32(0), false
	if got, _ := l.edge(event(0, true, 0), t0); got.Lost != 0 || !got.Active {
		t.Errorf("after the counter's end: %+v, want none lost", got)
	}
}

func TestRefusals(t *testing.T) {
	if _, err := (Lines{}).Inputs(); err == nil {
		t.Error("no lines were taken")
	}
	const name = "no such line here"
	if _, err := (Lines{}).Inputs(hw.Line{Name: name}); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("input: %v, want an error that names it", err)
	}
	if _, err := (Lines{}).Output(hw.Line{Name: name}, true); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("output: %v, want an error that names it", err)
	}
}
