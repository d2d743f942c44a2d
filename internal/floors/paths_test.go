package floors

import (
	"regexp"
	"strings"
)

var (
	codeSpan = regexp.MustCompile("`[^`\n]+`")
	pathLike = regexp.MustCompile(`^[A-Za-z0-9_.*-]+(/[A-Za-z0-9_.*-]+)+/?$`)
	inText   = regexp.MustCompile(`(?:^|[\s("'` + "`" + `])([a-z][A-Za-z0-9_-]*(?:/[A-Za-z0-9_.*-]+)+/?)`)
)

// generated are folders that exist only after a command made them.
var generated = []string{"build/", "lab/out/", "node_modules/"}

// isPath says whether a word is meant as a path of this repository: it begins with a
// folder of the root (or is a document's own ../path, which is left alone).
func isPath(word string, roots map[string]bool) bool {
	first, _, found := strings.Cut(word, "/")
	if !found || !roots[first] {
		return false
	}
	for _, g := range generated {
		if strings.HasPrefix(word+"/", g) {
			return false
		}
	}
	return true
}

// pathsInDocument returns the paths of this repository that a Markdown text names in
// backticks. A word with spaces is a command, not a path.
func pathsInDocument(text string, roots map[string]bool) []string {
	var paths []string
	for _, span := range codeSpan.FindAllString(text, -1) {
		word := strings.TrimPrefix(strings.Trim(span, "`"), "./")
		if pathLike.MatchString(word) && isPath(word, roots) {
			paths = append(paths, word)
		}
	}
	return paths
}

// pathsInComment returns the paths of this repository that a Go comment names, with or
// without backticks.
func pathsInComment(text string, roots map[string]bool) []string {
	var paths []string
	for _, m := range inText.FindAllStringSubmatch(text, -1) {
		if word := strings.TrimRight(m[1], ".-"); isPath(word, roots) {
			paths = append(paths, word)
		}
	}
	return paths
}

// known says whether a path exists. "hw/sim.Board" and "*" are understood; exists gets
// patterns as of path/filepath.Match.
func known(path string, exists func(pattern string) bool) bool {
	path = strings.TrimSuffix(path, "/")
	if exists(path) {
		return true
	}
	dot := strings.LastIndexByte(path, '.')
	if dot <= strings.LastIndexByte(path, '/') || dot+1 == len(path) {
		return false
	}
	name := path[dot+1:]
	return name[0] >= 'A' && name[0] <= 'Z' && exists(path[:dot])
}
