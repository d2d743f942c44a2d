package floors

import (
	"path/filepath"
	"testing"
)

func TestNamedPathsExist(t *testing.T) {
	x := read(t)
	exists := func(pattern string) bool {
		found, err := filepath.Glob(filepath.Join(x.root, filepath.FromSlash(pattern)))
		return err == nil && len(found) > 0
	}
	n := 0
	for file, paths := range x.named {
		for _, p := range paths {
			n++
			beside := filepath.ToSlash(filepath.Join(filepath.Dir(file), p))
			if !known(p, exists) && !known(beside, exists) {
				t.Errorf("%s: names %s, which does not exist", file, p)
			}
		}
	}
	if n < 20 {
		t.Errorf("only %d paths were found in comments and documents", n)
	}
}
