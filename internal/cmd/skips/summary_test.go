package main

import (
	"strings"
	"testing"
)

// stream makes test output of lines "action package test output", "-" for an empty one.
func stream(lines ...string) string {
	var b strings.Builder
	for _, l := range lines {
		f := append(strings.SplitN(l, " ", 4), "", "", "")
		for i := range f {
			if f[i] == "-" {
				f[i] = ""
			}
		}
		b.WriteString(`{"Action":"` + f[0] + `","Package":"` + f[1] + `","Test":"` + f[2] + `","Output":"` + f[3] + "\"}\n")
	}
	return b.String()
}

func TestSummary(t *testing.T) {
	tests := []struct {
		name    string
		allowed string
		in      string
		good    bool
		want    []string
		not     []string
	}{
		{
			name: "all pass",
			in: stream("start p", "run p TestA", `output p TestA === RUN TestA\n`, `output p TestA said in passing\n`,
				"pass p TestA", `output p - a table\n`, `output p - PASS\n`, "pass p"),
			good: true,
			want: []string{"ok    p", "1 tests", "a table\n", "\n1 passed, 0 failed, 0 skipped\n"},
			not:  []string{"said in passing", "=== RUN", "PASS"},
		},
		{
			name: "a failing subtest is shown in full and its package counted once",
			in: stream("start p", "run p TestA", "run p TestA/b", `output p TestA/b got 1, want 2\n`, "fail p TestA/b",
				"fail p TestA", "run p TestC", "pass p TestC", `output p - FAIL\n`, "fail p"),
			want: []string{"--- FAIL: p TestA/b\ngot 1, want 2\n", "FAIL  p", "\n1 passed, 2 failed, 0 skipped\n"},
		},
		{
			name: "a skip that is not listed is a failure",
			in: stream("start p", "run p TestA", `output p TestA a_test.go:3: no camera\n`, "skip p TestA",
				"run p TestB", "pass p TestB", "pass p"),
			want: []string{"--- SKIP: p TestA\na_test.go:3: no camera\n", "which is a failure:\n    p TestA\n", "\n1 passed, 0 failed, 1 skipped\n"},
		},
		{
			name:    "a skip that is listed is told with its reason",
			allowed: "# comment\n\np TestA needs a real camera\n",
			in:      stream("start p", "run p TestA", "skip p TestA", "run p TestB", "pass p TestB", "pass p"),
			good:    true,
			want:    []string{"skipped:\n    p TestA: needs a real camera\n", "\n1 passed, 0 failed, 1 skipped\n"},
		},
		{
			name:    "the list is by package",
			allowed: "q TestA needs a real camera\n",
			in:      stream("start p", "run p TestA", "skip p TestA", "run p TestB", "pass p TestB", "pass p"),
			want:    []string{"\n1 passed, 0 failed, 1 skipped\n"},
		},
		{
			name:    "an entry with a star is for all tests that begin so",
			allowed: "p TestGuest* needs QEMU\n",
			in: stream("start p", "run p TestGuestCall", `output p TestGuestCall a_test.go:3: no QEMU here\n`, "skip p TestGuestCall",
				"run p TestGuestDoor", "skip p TestGuestDoor", "pass p"),
			good: true,
			want: []string{"no QEMU here\n", "skipped:\n    p TestGuestCall: needs QEMU\n    p TestGuestDoor: needs QEMU\n", "\n0 passed, 0 failed, 2 skipped\n"},
		},
		{
			name:    "a star is not for others",
			allowed: "p TestGuest* needs QEMU\n",
			in:      stream("start p", "run p TestGuess", "skip p TestGuess", "run p TestB", "pass p TestB", "pass p"),
			want:    []string{"which is a failure:\n    p TestGuess\n"},
		},
		{
			name: "a package without tests is not a skipped test",
			in:   stream("start p", `output p - ?   \tp\t[no test files]\n`, "skip p", "start q", "run q TestA", "pass q TestA", "pass q"),
			good: true,
			want: []string{"\n1 passed, 0 failed, 0 skipped\n"},
			not:  []string{"no test files"},
		},
		{
			name: "a package that does not build",
			in: `{"ImportPath":"p","Action":"build-output","Output":"a.go:1:1: expected 'package'\n"}` + "\n" +
				`{"ImportPath":"p","Action":"build-fail"}` + "\n" +
				stream("start p", `output p - FAIL\tp [build failed]\n`, "fail p", "start q", "run q TestA", "pass q TestA", "pass q"),
			want: []string{"a.go:1:1: expected 'package'\n", "failed:\n    p\n", "\n1 passed, 1 failed, 0 skipped\n"},
		},
		{
			name: "a process that dies",
			in:   stream("start p", "run p TestA", `output p TestA panic: oh\n`, `output p - exit status 2\n`, "fail p"),
			want: []string{"--- did not end: p TestA\npanic: oh\n", "exit status 2\n", "FAIL"},
		},
		{
			name: "output that is cut short",
			in:   stream("start p", "run p TestA", "pass p TestA"),
			want: []string{"p (did not end)", "\n1 passed, 1 failed, 0 skipped\n"},
		},
		{
			name: "no test at all",
			in:   "go: no such tool\n",
			want: []string{"go: no such tool\n", "no test ran", "\n0 passed, 0 failed, 0 skipped\n"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			allowed, err := readAllowed(strings.NewReader(tt.allowed))
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			s := newSummary(allowed, &out)
			if err := s.read(strings.NewReader(tt.in)); err != nil {
				t.Fatal(err)
			}
			if got := s.end(); got != tt.good {
				t.Errorf("good: got %v, want %v", got, tt.good)
			}
			for _, want := range tt.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("%q is missing from:\n%s", want, &out)
				}
			}
			for _, not := range tt.not {
				if strings.Contains(out.String(), not) {
					t.Errorf("%q should not be in:\n%s", not, &out)
				}
			}
		})
	}
}

func TestReadAllowedNamesTheLine(t *testing.T) {
	_, err := readAllowed(strings.NewReader("# fine\np TestA because\np TestB\n"))
	if err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("got %v, want an error that names line 3", err)
	}
}

func TestTimes(t *testing.T) {
	var out strings.Builder
	s := newSummary(nil, &out)
	s.showTimes = true
	in := stream("start p", "run p TestA", "run p TestA/b", "pass p TestA/b") + `{"Action":"pass","Package":"p","Test":"TestA","Elapsed":2.5}` + "\n" + stream("pass p")
	if err := s.read(strings.NewReader(in)); err != nil {
		t.Fatal(err)
	}
	if !s.end() || !strings.Contains(out.String(), "pass     2.5 s  p TestA\n") || strings.Contains(out.String(), "s  p TestA/b") {
		t.Errorf("got %s, want a line for TestA alone", &out)
	}
}
