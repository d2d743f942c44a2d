package floors

import (
	"fmt"
	"slices"
	"strings"
)

// house is a package and what is below it in the tree: one unit, within which imports are
// free. A package of a house that has no floor is an error: it is to be given one here
// and in CONTRIBUTING.md.
type house struct {
	name  string
	floor int
}

// houseOf finds the house of a package by its path from the module's root.
func houseOf(pkg string) (house, bool) {
	part := strings.Split(pkg, "/")
	first := func(n, floor int) (house, bool) {
		if len(part) < n {
			return house{}, false
		}
		return house{strings.Join(part[:n], "/"), floor}, true
	}
	switch part[0] {
	case "cmd", "examples":
		return first(2, 4)
	case "lab":
		return first(1, 4)
	case "callcore", "door", "sandbox", "web":
		return first(1, 2)
	case "signaling", "capture", "hw":
		switch {
		case len(part) == 1:
			return first(1, 1)
		case pkg == "capture/soft" || strings.HasPrefix(pkg, "capture/soft/"):
			return first(3, 2) // each codec is a house
		}
		return first(2, 2)
	case "internal":
		switch {
		case len(part) > 1 && part[1] == "cmd": // tools of the Makefile
			return first(3, 4)
		case len(part) > 1 && part[1] == "station":
			return first(2, 3)
		}
		return first(2, 0)
	}
	return house{}, false
}

// neighbours are the imports between houses of one floor that are meant.
var neighbours = map[string][]string{
	"signaling/quickblox":   {"signaling/xmpp", "signaling/rest"},
	"callcore/callcoretest": {"signaling/memory"}, // real clients, calling each other
	"hw/cdev":               {"hw/edges"},         // lines that are files of the kernel
	"hw/evdev":              {"hw/edges"},
	"hw/hwtest":             {"hw/press"}, // what the edges of a backend mean
}

// testNeighbours are those that only tests may make, by house.
var testNeighbours = map[string][]string{"callcore": {"signaling/memory"}}

// source is one Go file.
type source struct {
	pkg, file string // paths from the module's root
	name      string // of the package
	test      bool
	imports   []string // those of the module without its name: "./hw"
	doc       string   // the package comment
}

// bench says that a package exists for tests: a contract suite, a bed of real clients.
func bench(pkg string) bool { return strings.HasSuffix(pkg, "test") }

// checkImports returns every breach of the floors.
func checkImports(sources []source) []string {
	var bad []string
	for _, s := range sources {
		from, ok := houseOf(s.pkg)
		if !ok {
			bad = append(bad, fmt.Sprintf("%s: package %s has no floor", s.file, s.pkg))
			continue
		}
		for _, path := range s.imports {
			why := ""
			if pkg, ours := strings.CutPrefix(path, "./"); ours {
				why = checkOurs(s, from, pkg)
			} else {
				why = checkForeign(s, from, path)
			}
			if why != "" {
				bad = append(bad, fmt.Sprintf("%s: imports %s: %s", s.file, strings.TrimPrefix(path, "./"), why))
			}
		}
	}
	return bad
}

// checkOurs says why a package of the module may not be imported.
func checkOurs(s source, from house, pkg string) string {
	to, ok := houseOf(pkg)
	switch {
	case !ok:
		return "it has no floor"
	case bench(pkg) && !s.test && !bench(s.pkg):
		return "only tests import what is made for tests"
	case from.name == to.name:
		return ""
	case from.name == "sandbox" && (pkg == "signaling" || strings.HasPrefix(pkg, "signaling/")):
		return "the sandbox shares nothing with the client side, or a mistake is made twice"
	case from.name == "door" && to.floor != 1:
		return "the door is a pure table: it imports floor 1 alone"
	case slices.Contains(neighbours[s.pkg], pkg), s.test && slices.Contains(testNeighbours[from.name], pkg):
		return ""
	case from.floor == to.floor && (from.floor == 0 || s.test && bench(pkg)):
		return ""
	case from.floor == to.floor:
		return fmt.Sprintf("sideways, both are on floor %d", from.floor)
	case from.floor < to.floor:
		return fmt.Sprintf("upwards, from floor %d to %d", from.floor, to.floor)
	}
	return ""
}

// checkForeign says why another module, or a package of the standard library, may not be
// imported.
func checkForeign(s source, from house, path string) string {
	domain, _, _ := strings.Cut(path, "/")
	foreign := strings.Contains(domain, ".")
	words := from.floor == 1 || from.name == "door"
	switch {
	case strings.HasPrefix(path, "github.com/pion/webrtc/") && from.name != "callcore":
		return "callcore alone knows pion/webrtc"
	case path == "unsafe" && from.name != "internal/uapi" && !slices.Contains(s.imports, "C"):
		return "unsafe is for internal/uapi and for cgo"
	case !words || s.test:
		return ""
	case from.name == "hw" && strings.HasPrefix(path, "periph.io/x/conn/"):
		return "" // its value types
	case foreign:
		return "vocabulary and tables depend on nobody"
	case path == "C" || path == "log" || path == "log/slog" || path == "encoding/json":
		return "vocabulary and tables neither log nor encode"
	}
	return ""
}

// checkComments returns the packages that do not say what they are. Tests need not.
func checkComments(sources []source) []string {
	type pkg struct{ docs, files int }
	pkgs := map[string]*pkg{}
	var bad []string
	for _, s := range sources {
		if s.test {
			continue
		}
		p := pkgs[s.pkg]
		if p == nil {
			p = &pkg{}
			pkgs[s.pkg] = p
		}
		p.files++
		if s.doc == "" {
			continue
		}
		p.docs++
		want := "Package " + s.name + " "
		if s.name == "main" {
			want = "Command " + s.pkg[strings.LastIndex(s.pkg, "/")+1:] + " "
		}
		if !strings.HasPrefix(s.doc, want) {
			bad = append(bad, fmt.Sprintf("%s: the package comment does not begin with %q", s.file, want))
		}
	}
	for path, p := range pkgs {
		if p.docs != 1 {
			bad = append(bad, fmt.Sprintf("%s: %d files have a package comment, want one", path, p.docs))
		}
	}
	slices.Sort(bad)
	return bad
}
