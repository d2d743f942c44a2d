package audio

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"intercom/capture"
)

// script drives a jitter buffer with 20 ms packets: a number is put, "-" is one pull. It
// returns what was pulled: a packet's number, "s" for one that is skipped, "r" for one
// that is made of the next, "c" for a concealed one, "." for silence.
func script(t *testing.T, j *jitter, text string) string {
	t.Helper()
	var got []string
	for _, word := range strings.Fields(text) {
		if word != "-" {
			n, err := strconv.Atoi(word)
			if err != nil {
				t.Fatal(err)
			}
			j.put(uint16(n), []byte(word))
			continue
		}
		switch v, payload := j.pull(); v {
		case play, spare:
			got = append(got, string(payload))
		case recover:
			got = append(got, "r")
		case skip:
			got = append(got, "s")
		case conceal:
			got = append(got, "c")
		case silence:
			got = append(got, ".")
		}
	}
	return strings.Join(got, " ")
}

func TestJitter(t *testing.T) {
	for _, test := range []struct{ name, script, want string }{
		{"nothing", "- -", ". ."},
		{"steady", "10 - 11 - 12 - 13 - 14 - 15 -", ". . 10 11 12 13"},
		{"one packet only", "10 - - - - -", ". . . 10 c"},
		{"reordered at the start", "11 10 12 - - -", "10 11 12"},
		{"reordered", "10 11 12 - 14 13 - - - -", "10 11 12 13 14"},
		{"duplicates", "10 10 11 12 12 - 11 - - -", "10 11 12 c"},
		{"lost", "10 11 12 - 14 - 15 - - -", "10 11 12 r 14"},
		{"late", "10 11 13 - - - 12 - 14 -", "10 11 r 13 14"},
		{"wraps", "65534 65535 0 - 1 - 2 - - -", "65534 65535 0 1 2"},
		{"wraps, reordered at the start", "0 65535 1 - - -", "65535 0 1"},
		{"starves and goes on", "10 11 12 - - - - - 13 14 - -", "10 11 12 c c 13 14"},
		{"starves, what was lost is not waited for", "10 11 12 - - - - - 15 - -", "10 11 12 c c 15 c"},
		{"starves, more was lost", "10 11 12 - - - - 16 - - - -", "10 11 12 c c r 16 c"},
		{"starves into silence", "10 11 12 - - - - - - - - - - 13 - 14 - 15 -", "10 11 12 c c c c c . . . . 13"},
		{"late after silence", "10 11 12 - - - - - - - - - 9 12 13 14 15 - - -", "10 11 12 c c c c c . 13 14 15"},
		{"after silence, gap", "10 11 12 - - - - - - - - - 40 41 42 - -", "10 11 12 c c c c c . 40 41"},
		{"a burst is cut to 60 ms", "1 2 3 4 5 6 7 8 9 10 11 - - - -", "9 10 11 c"},
		{"up to 200 ms", "1 2 3 4 5 6 7 8 9 10 - -", "1 2"},
		{"one stray packet", "10 11 12 - 40000 13 - - -", "10 11 12 13"},
		{"a new sequence", "10 11 12 - 40000 40001 40002 40003 - - -", "10 40001 40002 40003"},
		{"two stray packets apart", "10 11 12 - 40000 50000 13 - - -", "10 11 12 13"},
		{"a jump ahead", "10 11 12 - 100 101 102 - - -", "10 100 101 102"},
		{"far behind", "1000 1001 1002 - 500 1003 - - -", "1000 1001 1002 1003"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := script(t, newJitter(), test.script); got != test.want {
				t.Errorf("%s\ngot  %s\nwant %s", test.script, got, test.want)
			}
		})
	}
}

func TestJitterLongPackets(t *testing.T) {
	j := newJitter()
	j.samples = 3 * capture.PeriodSamples // 60 ms: one of them is enough to begin
	if got, want := script(t, j, "1 - 2 - - - -"), "1 2 c . ."; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	j = newJitter()
	j.samples = 3 * capture.PeriodSamples
	if got, want := script(t, j, "1 2 3 4 - -"), "4 c"; got != want {
		t.Errorf("got %s, want %s: 200 ms are three of them", got, want)
	}
}

// TestStandingDelay: a burst leaves 160 ms in the buffer, which nothing needs.
func TestStandingDelay(t *testing.T) {
	j := newJitter()
	n := uint16(0)
	put := func() { j.put(n, nil); n++ }
	for range 8 {
		put()
	}
	skipped := 0
	for range 2000 {
		if v, _ := j.pull(); v == skip {
			skipped++
			j.pull()
		}
		put()
	}
	if got := j.depth(); got != 2 || skipped != 6 {
		t.Errorf("%d packets of standing delay, skipped %d, want 2 and 6", got, skipped)
	}
}

// TestJitterRandom: whatever comes in whatever order, no packet is played twice or out of
// order, and the buffer stays within its bounds.
func TestJitterRandom(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		j := newJitter()
		j.samples = []int{120, 480, 960, 2880, 5760}[r.IntN(5)]
		base := uint16(r.Uint32())
		last := -1
		for i := range 3000 {
			n := i/2 + r.IntN(6)
			if r.IntN(4) > 0 {
				j.put(base+uint16(n), []byte(strconv.Itoa(n)))
			}
			for range r.IntN(2) {
				v, payload := j.pull()
				if v != play && v != spare && v != skip {
					continue
				}
				n, err := strconv.Atoi(string(payload))
				if err != nil || n <= last {
					t.Fatalf("seed %d: %q after %d", seed, payload, last)
				}
				last = n
			}
			if d := j.depth(); d < 0 || d > windowLen || d > max(j.packets(maxDelay), 1) || j.count > d {
				t.Fatalf("seed %d: depth %d with %d packets", seed, d, j.count)
			}
		}
		if last < 1000 {
			t.Errorf("seed %d: played until %d only", seed, last)
		}
	}
}

func FuzzJitter(f *testing.F) {
	f.Add([]byte{0, 1, 2, 255, 255, 255, 3, 255})
	f.Add([]byte{10, 9, 9, 255, 100, 101, 255, 255, 255})
	f.Fuzz(func(t *testing.T, data []byte) {
		j := newJitter()
		at := uint16(0)
		for _, b := range data {
			if b == 255 {
				j.pull()
			} else {
				at += uint16(int16(int8(b)) * int16(1+b%7*50)) // near and far
				j.put(at, data[:min(len(data), 10)])
			}
			held := 0
			for i := range j.slots {
				if j.slots[i].held {
					held++
				}
			}
			if held != j.count || j.depth() > windowLen || j.depth() < j.count {
				t.Fatalf("depth %d, count %d, held %d", j.depth(), j.count, held)
			}
		}
	})
}

func TestFates(t *testing.T) {
	j := newJitter()
	got := []fate{j.put(10, nil), j.put(10, nil), j.put(11, nil), j.put(12, nil)}
	j.pull()
	got = append(got, j.put(10, nil), j.put(30000, nil))
	want := []fate{kept, duplicate, kept, kept, late, strange}
	if !slices.Equal(got, want) {
		t.Errorf("fates %v, want %v", got, want)
	}
}
