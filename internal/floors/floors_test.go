package floors

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// tree is the module as it stands on the disk.
type tree struct {
	root    string
	roots   map[string]bool // folders in it
	sources []source
	named   map[string][]string // by file: the paths that it names
}

// read reads the module around the working directory.
func read(t *testing.T) *tree {
	t.Helper()
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		if root == filepath.Dir(root) {
			t.Fatal("no go.mod above the working directory")
		}
		root = filepath.Dir(root)
	}
	x := &tree{root: root, roots: map[string]bool{}, named: map[string][]string{}}
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			x.roots[e.Name()] = true
		}
	}
	if err := filepath.WalkDir(root, x.visit); err != nil {
		t.Fatal(err)
	}
	return x
}

func (x *tree) visit(path string, e fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	rel, err := filepath.Rel(x.root, path)
	if err != nil {
		return err
	}
	rel = filepath.ToSlash(rel)
	name := e.Name()
	switch {
	case rel == ".":
		return nil
	case e.IsDir():
		if name == "testdata" || name == "node_modules" || name[0] == '.' || name[0] == '_' || slices.Contains(generated, rel+"/") {
			return filepath.SkipDir
		}
		return nil
	case strings.HasSuffix(name, ".go"):
		return x.parse(path, rel)
	case strings.HasSuffix(name, ".md"):
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		x.named[rel] = pathsInDocument(string(text), x.roots)
	}
	return nil
}

func (x *tree) parse(path, rel string) error {
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	s := source{pkg: filepath.ToSlash(filepath.Dir(rel)), file: rel, name: f.Name.Name, test: strings.HasSuffix(rel, "_test.go"), doc: f.Doc.Text()}
	for _, i := range f.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			return err
		}
		if ours, ok := strings.CutPrefix(p, "intercom/"); ok {
			p = "./" + ours
		}
		s.imports = append(s.imports, p)
	}
	x.sources = append(x.sources, s)
	if s.pkg == "internal/floors" {
		return nil // its examples name what does not exist
	}
	for _, group := range f.Comments {
		x.named[rel] = append(x.named[rel], pathsInComment(group.Text(), x.roots)...)
	}
	return nil
}

func TestFloors(t *testing.T) {
	x := read(t)
	if len(x.sources) < 50 {
		t.Fatalf("only %d Go files were found", len(x.sources))
	}
	for _, bad := range checkImports(x.sources) {
		t.Error(bad)
	}
}

func TestPackageComments(t *testing.T) {
	for _, bad := range checkComments(read(t).sources) {
		t.Error(bad)
	}
}
