package prompts

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestTexts: every language says the same things, in words of its own.
func TestTexts(t *testing.T) {
	want := slices.Sorted(maps.Keys(texts["en"]))
	said := map[string]string{}
	for _, l := range Languages() {
		if got := slices.Sorted(maps.Keys(Texts(l))); !slices.Equal(got, want) {
			t.Errorf("%s has %q, want %q", l, got, want)
		}
		for cue, text := range Texts(l) {
			if text == "" || text != strings.TrimSpace(text) || Spoken(cue) != strings.HasSuffix(text, ".") {
				t.Errorf("%s, %s: %q", l, cue, text)
			}
			if other := said[text]; other != "" {
				t.Errorf("%q is said in %s and in %s", text, other, l)
			}
			said[text] = l
		}
	}
	if len(Languages()) < 4 {
		t.Errorf("languages: %q", Languages())
	}
	if Texts("xx") != nil {
		t.Error("an unknown language says something")
	}
	// Nobody changes ours.
	Texts("en")["fault"] = "x"
	if Texts("en")["fault"] == "x" {
		t.Error("a caller changed a sentence")
	}
}
