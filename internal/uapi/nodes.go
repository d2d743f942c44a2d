package uapi

import (
	"cmp"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Nodes returns the device nodes whose paths begin with a prefix, such as "/dev/video", in
// the order of the numbers behind it. What has something else there comes last.
func Nodes(prefix string) []string {
	paths, _ := filepath.Glob(prefix + "*") // the pattern is right
	number := func(path string) int {
		n, err := strconv.Atoi(strings.TrimPrefix(path, prefix))
		if err != nil {
			return math.MaxInt
		}
		return n
	}
	slices.SortFunc(paths, func(a, b string) int { return cmp.Compare(number(a), number(b)) })
	return paths
}
