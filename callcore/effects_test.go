package callcore

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryEffectIsPerformed looks for the case of each effect: perform has all of them, and
// a function that it hands some to has these and no others.
func TestEveryEffectIsPerformed(t *testing.T) {
	cases := map[string]map[string]string{} // by function, then effect: the function that it calls
	var declared []string
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.GenDecl:
				declared = append(declared, effectsDeclared(d)...)
			case *ast.FuncDecl:
				if strings.HasPrefix(d.Name.Name, "perform") {
					cases[d.Name.Name] = casesOf(d)
				}
			}
		}
	}
	if len(declared) != int(effects) {
		t.Fatalf("%d effects found, want %d", len(declared), effects)
	}
	for _, e := range declared {
		if _, ok := cases["perform"][e]; !ok {
			t.Errorf("perform has no case for %s", e)
		}
	}
	for f, list := range cases {
		if f == "perform" {
			continue
		}
		for e := range list {
			if got := cases["perform"][e]; got != f {
				t.Errorf("perform hands %s to %q, but %s has a case for it", e, got, f)
			}
		}
		for e, to := range cases["perform"] {
			if _, ok := list[e]; to == f && !ok {
				t.Errorf("%s has no case for %s", f, e)
			}
		}
	}
}

// effectsDeclared returns the constants of the list of effects, if it is that.
func effectsDeclared(d *ast.GenDecl) (names []string) {
	if len(d.Specs) == 0 {
		return nil
	}
	first, ok := d.Specs[0].(*ast.ValueSpec)
	if !ok || d.Tok != token.CONST {
		return nil
	}
	if kind, ok := first.Type.(*ast.Ident); !ok || kind.Name != "effect" {
		return nil
	}
	for _, s := range d.Specs {
		if n := s.(*ast.ValueSpec).Names[0].Name; n != "effects" {
			names = append(names, n)
		}
	}
	return names
}

// casesOf returns the cases of a function, each with the method of the loop that it begins
// with calling.
func casesOf(f *ast.FuncDecl) map[string]string {
	found := map[string]string{}
	ast.Inspect(f.Body, func(n ast.Node) bool {
		c, ok := n.(*ast.CaseClause)
		if !ok {
			return true
		}
		var calls string
		if len(c.Body) > 0 {
			if s, ok := c.Body[0].(*ast.ExprStmt); ok {
				if s, ok := s.X.(*ast.CallExpr).Fun.(*ast.SelectorExpr); ok {
					calls = s.Sel.Name
				}
			}
		}
		for _, e := range c.List {
			if e, ok := e.(*ast.Ident); ok {
				found[e.Name] = calls
			}
		}
		return true
	})
	return found
}
