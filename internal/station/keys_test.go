package station

import (
	"testing"

	"intercom/internal/keyring"
)

func TestKeyName(t *testing.T) {
	for want, k := range map[string]keyring.Key{
		`key abc "Anna's phone"`: {ID: "abc", Name: "Anna's phone"},
		"key abc":                {ID: "abc"},
	} {
		if got := keyName(k); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
