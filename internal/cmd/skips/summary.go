package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// event is a line of go test -json: see go doc test2json and go help buildjson.
type event struct {
	Action     string
	Package    string
	ImportPath string // of a package that is being built
	Test       string
	Elapsed    float64 // seconds
	Output     string
}

// test names a test, or subtest, as the list of skips does.
type test struct{ pkg, name string }

func (t test) String() string { return t.pkg + " " + t.name }

// readAllowed reads lines "package test reason"; empty ones and those that start with #
// are comments. A test that ends with * stands for all that begin so. A line without a
// reason is an error.
func readAllowed(r io.Reader) (map[test]string, error) {
	allowed := map[test]string{}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Fields(line)
		if len(f) < 3 {
			return nil, fmt.Errorf("line %d: %q is not \"package test reason\"", n, line)
		}
		allowed[test{f[0], f[1]}] = strings.Join(f[2:], " ")
	}
	return allowed, lines.Err()
}

// summary counts what happened and prints what matters while it reads.
type summary struct {
	out     io.Writer
	allowed map[test]string

	output  map[test][]string // of tests and, with an empty name, packages that run
	tests   map[string]int    // a package's that have ended
	broken  map[string]bool   // packages of which a test has failed
	passed  int
	failed  []string
	skipped []string
	refused []string // skipped, and not listed
	times   []string // of tests, in the order of their ends; shown at the end if showTimes

	showTimes bool
}

func newSummary(allowed map[test]string, out io.Writer) *summary {
	return &summary{
		out: out, allowed: allowed,
		output: map[test][]string{}, tests: map[string]int{}, broken: map[string]bool{},
	}
}

// read takes everything in. What is not JSON is printed as it is.
func (s *summary) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil || e.Action == "" {
				fmt.Fprintf(s.out, "%s\n", strings.TrimRight(string(line), "\n"))
			} else {
				s.add(e)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read test output: %w", err)
		}
	}
}

// reason is why a test may be skipped; empty if it may not.
func (s *summary) reason(t test) string {
	if r := s.allowed[t]; r != "" {
		return r
	}
	for a, r := range s.allowed {
		if start, ok := strings.CutSuffix(a.name, "*"); ok && a.pkg == t.pkg && strings.HasPrefix(t.name, start) {
			return r
		}
	}
	return ""
}

func (s *summary) add(e event) {
	t := test{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(s.out, e.Output)
	case "start", "run":
		s.output[t] = nil
	case "output":
		if !noise(e.Output) {
			s.output[t] = append(s.output[t], e.Output)
		}
	case "pass", "fail", "skip":
		if e.Test == "" {
			s.endPackage(e)
		} else {
			s.endTest(e, t)
		}
		delete(s.output, t)
	}
}

func (s *summary) endTest(e event, t test) {
	s.tests[t.pkg]++
	if !strings.Contains(t.name, "/") {
		s.times = append(s.times, fmt.Sprintf("%-4s %7.1f s  %v", e.Action, e.Elapsed, t))
	}
	switch e.Action {
	case "pass":
		s.passed++
	case "fail":
		s.failed = append(s.failed, t.String())
		s.broken[t.pkg] = true
		fmt.Fprintf(s.out, "--- FAIL: %v\n%s", t, strings.Join(s.output[t], ""))
	case "skip":
		reason := s.reason(t)
		s.skipped = append(s.skipped, t.String()+": "+reason)
		if reason == "" {
			s.refused = append(s.refused, t.String())
		}
		fmt.Fprintf(s.out, "--- SKIP: %v\n%s", t, strings.Join(s.output[t], ""))
	}
}

// endPackage prints a line for the package and what it wrote outside of tests.
func (s *summary) endPackage(e event) {
	p := test{pkg: e.Package}
	n := s.tests[e.Package]
	switch e.Action {
	case "pass":
		fmt.Fprintf(s.out, "ok    %-44s %4d tests %7.1f s\n", e.Package, n, e.Elapsed)
	case "fail":
		if !s.broken[e.Package] {
			s.failed = append(s.failed, e.Package) // it did not build, or its process failed
		}
		fmt.Fprintf(s.out, "FAIL  %-44s %4d tests %7.1f s\n", e.Package, n, e.Elapsed)
		// What a test wrote that never ended, because the process did.
		for _, t := range s.running(e.Package) {
			s.failed = append(s.failed, t.String())
			fmt.Fprintf(s.out, "--- did not end: %v\n%s", t, strings.Join(s.output[t], ""))
			delete(s.output, t)
		}
	}
	fmt.Fprint(s.out, strings.Join(s.output[p], ""))
}

// running lists the tests of a package that began and have not ended.
func (s *summary) running(pkg string) []test {
	var ts []test
	for t := range s.output {
		if t.name != "" && t.pkg == pkg {
			ts = append(ts, t)
		}
	}
	slices.SortFunc(ts, func(a, b test) int { return strings.Compare(a.String(), b.String()) })
	return ts
}

// end prints the closing lines and says whether all is well.
func (s *summary) end() bool {
	for t := range s.output {
		if t.name == "" {
			s.failed = append(s.failed, t.pkg+" (did not end)")
		}
	}
	list := func(title string, lines []string) {
		if len(lines) > 0 {
			slices.Sort(lines)
			fmt.Fprintf(s.out, "%s:\n    %s\n", title, strings.Join(lines, "\n    "))
		}
	}
	if s.showTimes {
		fmt.Fprintf(s.out, "%s\n", strings.Join(s.times, "\n"))
	}
	list("failed", s.failed)
	list("skipped", s.skipped)
	list("skipped without a reason in testdata/skips.txt, which is a failure", s.refused)
	if s.passed+len(s.failed)+len(s.skipped) == 0 {
		fmt.Fprintln(s.out, "no test ran, which is a failure")
	}
	fmt.Fprintf(s.out, "%d passed, %d failed, %d skipped\n", s.passed, len(s.failed), len(s.skipped))
	return len(s.failed) == 0 && len(s.refused) == 0 && s.passed+len(s.skipped) > 0
}

// noise says whether a line is what go test writes around what tests write.
func noise(line string) bool {
	line = strings.TrimLeft(line, " ")
	return slices.ContainsFunc([]string{
		"=== ", "--- PASS: ", "--- FAIL: ", "--- SKIP: ", "PASS\n", "FAIL\n", "ok  \t", "FAIL\t", "?   \t",
		"testing: warning: no tests to run",
	}, func(prefix string) bool { return strings.HasPrefix(line, prefix) })
}
