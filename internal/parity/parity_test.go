package parity

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// document is where the rows are, sections what they are about: one for each seed.
const document = "../../docs/parity.md"

var sections = []struct{ title, seed string }{
	{"JavaScript", "testdata/seeds/quickblox-js-video-calling.md"},
	{"Android", "testdata/seeds/quickblox-android-video-calling.md"},
}

// unseeded is the section of what the SDKs have and no seed is about.
const unseeded = "More of the SDKs"

// none begins what a row says instead of naming an identifier, before the reason.
const none = "none: "

// row is one of the document.
type row struct {
	line                      int
	names, identifiers, tests []string
	identifierCell, testsCell string
	remarks                   string
}

var span = regexp.MustCompile("`([^`]+)`")

func spans(cell string) (list []string) {
	for _, m := range span.FindAllStringSubmatch(cell, -1) {
		list = append(list, m[1])
	}
	return list
}

// rows returns those of the tables in each section, by its title.
func rows(t *testing.T, text string) map[string][]row {
	t.Helper()
	all := map[string][]row{}
	section := ""
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if title, is := strings.CutPrefix(line, "## "); is {
			section = title
		}
		if !strings.HasPrefix(line, "|") || tableRule.MatchString(line) || i+1 < len(lines) && tableRule.MatchString(lines[i+1]) {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if len(cells) != 4 {
			t.Errorf("line %d: %d cells, want 4", i+1, len(cells))
			continue
		}
		r := row{
			line: i + 1, names: spans(cells[0]), identifiers: spans(cells[1]), tests: spans(cells[2]),
			identifierCell: strings.TrimSpace(cells[1]), testsCell: strings.TrimSpace(cells[2]), remarks: strings.TrimSpace(cells[3]),
		}
		if len(r.names) == 0 || strings.Trim(span.ReplaceAllString(cells[0], ""), ", ") != "" {
			t.Errorf("line %d: the first cell is to be names in backticks", r.line)
		}
		all[section] = append(all[section], r)
	}
	return all
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestNothingIsMissing: the rows of a section are about what is in its seed, all of it and
// nothing else.
func TestNothingIsMissing(t *testing.T) {
	all := rows(t, read(t, document))
	for _, s := range sections {
		want := extract(read(t, s.seed))
		if len(want) < 50 {
			t.Fatalf("%s: only %d names", s.seed, len(want))
		}
		lines := map[string]int{}
		for _, r := range all[s.title] {
			for _, n := range r.names {
				if lines[n] != 0 {
					t.Errorf("%s: %s is in lines %d and %d", s.title, n, lines[n], r.line)
				}
				if lines[n] = r.line; !want[n] {
					t.Errorf("%s: line %d is about %s, which is not in the seed", s.title, r.line, n)
				}
			}
		}
		for _, n := range slices.Sorted(maps.Keys(want)) {
			if lines[n] == 0 {
				t.Errorf("%s: %s has no row", s.title, n)
			}
		}
		delete(all, s.title)
	}
	delete(all, unseeded)
	for title := range all {
		t.Errorf("the table in section %q belongs to no seed", title)
	}
}

// TestRows: every identifier in a row exists and is used by one of its tests, which all
// exist and use one. Only a row with a reason may do without.
func TestRows(t *testing.T) {
	x := readTree(t)
	for title, list := range rows(t, read(t, document)) {
		for _, r := range list {
			if reason, is := strings.CutPrefix(r.identifierCell, none); is {
				if len(reason) < 20 || len(r.tests) > 0 {
					t.Errorf("%s: line %d: %v: %q is no reason", title, r.line, r.names, reason)
				}
				continue
			}
			x.checkRow(t, title, r)
		}
	}
}

func (x *tree) checkRow(t *testing.T, title string, r row) {
	if len(r.identifiers) == 0 || len(r.tests) == 0 {
		t.Errorf("%s: line %d: %v: no identifier or no test", title, r.line, r.names)
	}
	used := map[string]bool{}
	for _, test := range r.tests {
		uses := x.uses(test)
		if uses == nil {
			t.Errorf("%s: line %d: there is no test %s", title, r.line, test)
			continue
		}
		if !slices.ContainsFunc(r.identifiers, func(id string) bool { return uses[id] }) {
			t.Errorf("%s: line %d: %s uses none of %v", title, r.line, test, r.identifiers)
		}
		maps.Copy(used, uses)
	}
	for _, id := range r.identifiers {
		if !x.exists(id) {
			t.Errorf("%s: line %d: there is no %s", title, r.line, id)
		} else if !used[id] {
			t.Errorf("%s: line %d: %s is not used in %v", title, r.line, id, r.tests)
		}
	}
}
