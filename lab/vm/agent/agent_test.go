package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"intercom/lab/vm/wire"
)

func post(t *testing.T, srv *httptest.Server, c wire.Command) []wire.Output {
	t.Helper()
	body, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.Post(srv.URL+wire.Run, "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(answer.Body)
		t.Fatalf("%v: %s: %s", c.Args, answer.Status, text)
	}
	var all []wire.Output
	for d := json.NewDecoder(answer.Body); ; {
		var o wire.Output
		if err := d.Decode(&o); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
}

// TestRunBeginsWithTheNumber runs a program that writes at once, often: its number comes
// first nevertheless.
func TestRunBeginsWithTheNumber(t *testing.T) {
	srv := httptest.NewServer(handler())
	defer srv.Close()
	for range 50 {
		all := post(t, srv, wire.Command{Args: []string{"sh", "-c", "echo $X; cat; exit 4"}, Env: []string{"X=out"}, Stdin: []byte("in")})
		var out strings.Builder
		for _, o := range all {
			out.Write(o.Stdout)
		}
		last := all[len(all)-1]
		if all[0].PID == 0 || out.String() != "out\nin" || !last.Ended || last.Code != 4 {
			t.Fatalf("got %+v with output %q, want the number first, \"out\\nin\" and code 4", all, &out)
		}
	}
}

func TestFiles(t *testing.T) {
	srv := httptest.NewServer(handler())
	defer srv.Close()
	path := filepath.Join(t.TempDir(), "new", "file")
	at := srv.URL + wire.File + "?" + url.Values{"path": {path}, "mode": {"750"}}.Encode()
	for _, content := range []string{"first", "then this"} {
		r, err := http.NewRequest(http.MethodPut, at, strings.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		got, err := os.ReadFile(path)
		if err != nil || string(got) != content {
			t.Errorf("put: got %q, %v, want %q", got, err, content)
		}
	}
	if s, err := os.Stat(path); err != nil || s.Mode().Perm() != 0o750 {
		t.Errorf("mode: got %v, %v, want 750", s.Mode(), err)
	}
	answer, err := http.Get(at)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if got, err := io.ReadAll(answer.Body); err != nil || string(got) != "then this" {
		t.Errorf("get: got %q, %v", got, err)
	}
}
