package parity

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const module = "intercom"

// tree is the source of the module, type-checked as far as it is asked for.
type tree struct {
	fset    *token.FileSet
	files   map[string][]*ast.File // by folder; tests too
	folders map[string][]string    // by package name
	loaded  map[string]*types.Package
	owners  map[types.Object]string // of a field: its type's name
	tests   map[string]map[string]map[string]bool
}

// errForeign makes go/types go on with a package that it knows nothing of.
var errForeign = errors.New("not of this module")

func readTree(t *testing.T) *tree {
	t.Helper()
	x := &tree{
		fset: token.NewFileSet(), files: map[string][]*ast.File{}, folders: map[string][]string{},
		loaded: map[string]*types.Package{}, owners: map[types.Object]string{}, tests: map[string]map[string]map[string]bool{},
	}
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		name := ""
		if err == nil {
			name = e.Name()
		}
		switch {
		case err != nil:
			return err
		case e.IsDir() && path != root && (name == "testdata" || name == "node_modules" || name[0] == '.' || name[0] == '_'):
			return filepath.SkipDir
		case e.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		f, err := parser.ParseFile(x.fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if x.files[rel] == nil {
			pkg := strings.TrimSuffix(f.Name.Name, "_test")
			x.folders[pkg] = append(x.folders[pkg], rel)
		}
		x.files[rel] = append(x.files[rel], f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatal(err)
	}
	return x
}

// Import is part of types.Importer.
func (x *tree) Import(path string) (*types.Package, error) {
	folder, ours := strings.CutPrefix(path, module+"/")
	if !ours {
		return nil, errForeign
	}
	if x.loaded[folder] == nil {
		x.loaded[folder] = x.check(folder, nil, func(f *ast.File) bool { return !x.isTest(f) })
	}
	return x.loaded[folder], nil
}

func (x *tree) isTest(f *ast.File) bool {
	return strings.HasSuffix(x.fset.File(f.Package).Name(), "_test.go")
}

// check type-checks the files of a folder that ok likes. Errors are expected: what is not
// of this module is not known, and files for several platforms are taken together.
func (x *tree) check(folder string, info *types.Info, ok func(*ast.File) bool) *types.Package {
	var files []*ast.File
	for _, f := range x.files[folder] {
		if ok(f) {
			files = append(files, f)
		}
	}
	cfg := types.Config{Importer: x, FakeImportC: true, Error: func(error) {}}
	pkg, _ := cfg.Check(module+"/"+folder, x.fset, files, info)
	for _, name := range pkg.Scope().Names() {
		typ, is := pkg.Scope().Lookup(name).(*types.TypeName)
		if !is {
			continue
		}
		if s, is := typ.Type().Underlying().(*types.Struct); is {
			for i := range s.NumFields() {
				x.owners[s.Field(i)] = name
			}
		}
	}
	return pkg
}

// exists says whether there is an exported identifier such as callcore.Session.Accept.
func (x *tree) exists(identifier string) bool {
	parts := strings.Split(identifier, ".")
	folders := x.folders[parts[0]]
	if len(folders) != 1 || len(parts) < 2 {
		return false
	}
	pkg, err := x.Import(module + "/" + folders[0])
	if err != nil {
		return false
	}
	o := pkg.Scope().Lookup(parts[1])
	if len(parts) == 3 && o != nil {
		o, _, _ = types.LookupFieldOrMethod(o.Type(), true, pkg, parts[2])
	}
	return o != nil && o.Exported() && x.nameOf(o) == identifier
}

// nameOf returns the identifier of an object of this module: callcore.New, or
// callcore.Session.Accept; empty if it has none.
func (x *tree) nameOf(o types.Object) string {
	if o.Pkg() == nil {
		return ""
	}
	owner := ""
	switch v := o.(type) {
	case *types.Var:
		if o = v.Origin(); v.IsField() {
			owner = x.owners[o] + "."
		}
	case *types.Func:
		o = v.Origin()
		if recv := v.Origin().Signature().Recv(); recv != nil {
			typ := recv.Type()
			if p, is := typ.(*types.Pointer); is {
				typ = p.Elem()
			}
			if n, is := typ.(*types.Named); is {
				owner = n.Obj().Name() + "."
			}
		}
	}
	return o.Pkg().Name() + "." + owner + o.Name()
}

// uses returns what a test such as callcore.TestAnswered names in its own text; nil if there
// is no such test.
func (x *tree) uses(test string) map[string]bool {
	pkg, name, _ := strings.Cut(test, ".")
	if len(x.folders[pkg]) != 1 {
		return nil
	}
	if x.tests[pkg] == nil {
		x.tests[pkg] = x.usesIn(x.folders[pkg][0], pkg)
	}
	return x.tests[pkg][name]
}

// usesIn returns what the tests of a folder use, by their names.
func (x *tree) usesIn(folder, pkg string) map[string]map[string]bool {
	info := types.Info{Uses: map[*ast.Ident]types.Object{}}
	x.check(folder, &info, func(f *ast.File) bool { return f.Name.Name == pkg })
	x.check(folder, &info, func(f *ast.File) bool { return f.Name.Name == pkg+"_test" })
	all := map[string]map[string]bool{}
	for _, f := range x.files[folder] {
		if !x.isTest(f) {
			continue
		}
		for _, d := range f.Decls {
			fn, is := d.(*ast.FuncDecl)
			if !is || fn.Recv != nil || !strings.HasPrefix(fn.Name.Name, "Test") && !strings.HasPrefix(fn.Name.Name, "Example") {
				continue
			}
			used := map[string]bool{}
			ast.Inspect(fn.Body, func(n ast.Node) bool {
				if id, is := n.(*ast.Ident); is && info.Uses[id] != nil {
					used[x.nameOf(info.Uses[id])] = true
				}
				return true
			})
			all[fn.Name.Name] = used
		}
	}
	return all
}
