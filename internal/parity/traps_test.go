package parity

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// traps is how many the protocol has.
const traps = 32

var (
	trapRow  = regexp.MustCompile(`^\| (\d+) \|.*\|([^|]*)\|$`)
	trapTest = regexp.MustCompile("`([a-z]+)\\.(Test\\w+)`")
	// trapName is "trap 3" or "traps 3, 5 and 7" in a comment.
	trapName = regexp.MustCompile(`(?i)\btraps? (\d+(?:(?:, | and )\d+)*)`)
)

// namedTraps returns the traps that the comments of each test of a package name.
func namedTraps(t *testing.T, folder string) map[string][]int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	named := map[string][]int{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, file, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			fn, is := d.(*ast.FuncDecl)
			if !is || !strings.HasPrefix(fn.Name.Name, "Test") {
				continue
			}
			named[fn.Name.Name] = []int{}
			from := fn.Pos()
			if fn.Doc != nil {
				from = fn.Doc.Pos()
			}
			for _, c := range f.Comments {
				if c.Pos() >= from && c.End() <= fn.End() {
					named[fn.Name.Name] = append(named[fn.Name.Name], trapsIn(c.Text())...)
				}
			}
		}
	}
	return named
}

func trapsIn(comment string) (numbers []int) {
	for _, m := range trapName.FindAllStringSubmatch(strings.ReplaceAll(comment, "\n", " "), -1) {
		for _, f := range strings.FieldsFunc(m[1], func(r rune) bool { return r < '0' || r > '9' }) {
			n, err := strconv.Atoi(f)
			if err == nil {
				numbers = append(numbers, n)
			}
		}
	}
	return numbers
}

func TestTraps(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "traps.md"))
	if err != nil {
		t.Fatal(err)
	}
	x := readTree(t)
	named := map[string]map[string][]int{}
	seen := map[int]bool{}
	for line := range strings.Lines(string(text)) {
		row := trapRow.FindStringSubmatch(strings.TrimSpace(line))
		if row == nil {
			continue
		}
		trap, err := strconv.Atoi(row[1])
		if err != nil || seen[trap] {
			t.Errorf("trap %s is there twice", row[1])
		}
		seen[trap] = true
		tests := trapTest.FindAllStringSubmatch(row[2], -1)
		if len(tests) == 0 {
			t.Errorf("trap %d: no test in %q", trap, row[2])
		}
		for _, m := range tests {
			pkg, test := m[1], m[2]
			if len(x.folders[pkg]) != 1 {
				t.Errorf("trap %d: no package %s", trap, pkg)
				continue
			}
			if named[pkg] == nil {
				named[pkg] = namedTraps(t, filepath.Join("..", "..", x.folders[pkg][0]))
			}
			traps, there := named[pkg][test]
			if !there {
				t.Errorf("trap %d: there is no %s.%s", trap, pkg, test)
			} else if !slices.Contains(traps, trap) {
				t.Errorf("trap %d: %s.%s does not name it, but %v", trap, pkg, test, traps)
			}
		}
	}
	for n := 1; n <= traps; n++ {
		if !seen[n] {
			t.Errorf("trap %d has no row", n)
		}
	}
	if len(seen) != traps {
		t.Errorf("%d rows, want %d", len(seen), traps)
	}
}

// TestTrapsIn checks the reading of comments.
func TestTrapsIn(t *testing.T) {
	for comment, want := range map[string][]int{
		"Trap 1: x": {1}, "traps 5 and\n1, y": {5, 1}, "(traps 3, 4 and 17)": {3, 4, 17}, "a trap": nil, "strap 3": nil, "traps 2 and more": {2},
	} {
		if got := trapsIn(comment); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", comment, got, want)
		}
	}
}
