package parity

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// names are what a seed has words for: the first cells of its tables, and in its blocks and
// spans of code all members, calls, keys and types.
type names map[string]bool

var (
	fence     = regexp.MustCompile("^\\s*```(\\w*)")
	tableRule = regexp.MustCompile(`^\|(\s*-+\s*\|)+$`)
	inline    = regexp.MustCompile("`([\\w. ]+)(\\(\\))?`")

	stringsOf = regexp.MustCompile(`"[^"\n]*"|'[^'\n]*'`)
	comment   = regexp.MustCompile(`//[^\n]*`)

	member  = regexp.MustCompile(`\.\s*([A-Za-z_]\w*)`)
	called  = regexp.MustCompile(`\b([A-Za-z_]\w*)\s*\(`)
	named   = regexp.MustCompile(`\b([A-Z]\w*)`)
	key     = regexp.MustCompile(`(?m)^\s*([A-Za-z_]\w*)\s*:`)
	xmlTag  = regexp.MustCompile(`<([\w.]+)`)
	shouted = regexp.MustCompile(`\b([A-Z][A-Z_]{2,})\b`)
	xmlAtt  = regexp.MustCompile(`\b(\w+:\w+)=`)
)

// keywords are words of the languages that look like calls in code.
var keywords = []string{"function", "if", "for"}

func extract(seed string) names {
	n := names{}
	var block []string
	language := ""
	lines := strings.Split(seed, "\n")
	for i, line := range lines {
		// A fence within a line is prose.
		if m := fence.FindStringSubmatch(line); m != nil {
			if language == "" {
				language = m[1]
			} else {
				n.code(language, strings.Join(block, "\n"))
				language, block = "", nil
			}
			continue
		}
		switch {
		case language != "":
			block = append(block, line)
		case strings.HasPrefix(line, "|"):
			header := i+1 < len(lines) && tableRule.MatchString(lines[i+1])
			if !header && !tableRule.MatchString(line) {
				n.add(strings.ReplaceAll(strings.TrimSpace(strings.Split(line, "|")[1]), `\`, ""))
			}
		}
		if language == "" {
			for _, m := range inline.FindAllStringSubmatch(line, -1) {
				n.words(strings.TrimSpace(m[1]))
			}
		}
	}
	return n
}

// code takes the names out of a block.
func (n names) code(language, text string) {
	if language == "XML" {
		for _, m := range xmlTag.FindAllStringSubmatch(text, -1) {
			n.words(m[1])
		}
		for _, m := range xmlAtt.FindAllStringSubmatch(text, -1) {
			n.add(m[1])
		}
		return
	}
	text = stringsOf.ReplaceAllString(text, `""`)
	for _, c := range comment.FindAllString(text, -1) {
		for _, m := range shouted.FindAllStringSubmatch(c, -1) {
			n.add(m[1])
		}
	}
	text = comment.ReplaceAllString(text, "")
	patterns := []*regexp.Regexp{member, called, named}
	if language == "JavaScript" {
		patterns = append(patterns, key)
	}
	for _, p := range patterns {
		for _, m := range p.FindAllStringSubmatch(text, -1) {
			if !slices.Contains(keywords, m[1]) {
				n.add(m[1])
			}
		}
	}
}

// words takes the parts of a dotted name that are not those of a package.
func (n names) words(dotted string) {
	if strings.Contains(dotted, " ") {
		return
	}
	parts := strings.Split(dotted, ".")
	for i, p := range parts {
		if i == len(parts)-1 || strings.ToLower(p) != p {
			n.add(p)
		}
	}
}

func (n names) add(name string) {
	if name = strings.TrimSuffix(name, "()"); name != "" {
		n[name] = true
	}
}

// TestExtract checks the extraction itself: a row can only be missing if it is blind.
func TestExtract(t *testing.T) {
	const seed = "Use `QBRTCConfig.setDebugEnabled()` and `a b`, not `org.x.View`.\n" +
		"| State | Meaning |\n| ----- | ------- |\n| QB\\_NEW | `cell` |\n| stop() | x |\n" +
		"  ```Java theme={null}\n  // or LOUD\n  for (QBUser u : us) { session.startCall(\"not.this\").done; }\n  ```\n" +
		"```JavaScript\nvar CONFIG = {\n  timeout: 30,\n}\n```\n```XML\n<com.q.QBView\n  android:id=\"@+id/x\"/>\n```\n"
	want := []string{"CONFIG", "LOUD", "QBRTCConfig", "QBUser", "QBView", "QB_NEW", "View", "android:id", "cell", "done", "setDebugEnabled", "startCall", "stop", "timeout"}
	if got := slices.Sorted(maps.Keys(extract(seed))); !slices.Equal(got, want) {
		t.Errorf("extracted %q\nwant %q", got, want)
	}
}
