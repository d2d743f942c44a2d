package uapi

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestNodes(t *testing.T) {
	prefix := filepath.Join(t.TempDir(), "video")
	for _, n := range []string{"-dec", "10", "0", "9"} {
		if err := os.WriteFile(prefix+n, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := Nodes(prefix), []string{prefix + "0", prefix + "9", prefix + "10", prefix + "-dec"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := Nodes(prefix + "s"); len(got) != 0 {
		t.Errorf("nodes of devices that do not exist: %q", got)
	}
}
