package web

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"intercom/internal/control"
)

// ask sends one request and gives status, header and body. The header's entries are
// "Name: value"; Host is the page's unless one says otherwise.
func ask(t *testing.T, h http.Handler, method, path, body string, header ...string) (int, http.Header, string) {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "127.0.0.1:8080"
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	result := w.Result()
	got, err := io.ReadAll(result.Body)
	if err != nil {
		t.Fatal(err)
	}
	return result.StatusCode, result.Header, string(got)
}

// complaint reads {"error": "..."}.
func complaint(t *testing.T, body string) string {
	t.Helper()
	var v struct{ Error string }
	if err := json.Unmarshal([]byte(body), &v); err != nil || v.Error == "" {
		t.Fatalf("got body %q, want an error in JSON", body)
	}
	return v.Error
}

func TestNewChecksTheConfiguration(t *testing.T) {
	phone := func(change func(*Phone)) Config {
		p := newPhone()
		change(p)
		return Config{Station: newFakeStation(), Phone: p}
	}
	tests := []struct {
		name   string
		config Config
		want   string // part of the error; empty: none
	}{
		{"no station", Config{}, "no station"},
		{"panel only", Config{Station: newFakeStation()}, ""},
		{"phone", phone(func(*Phone) {}), ""},
		{"real account", phone(func(p *Phone) { p.API, p.WebSocket = "https://api.example.com", "wss://chat.example.com:5291" }), ""},
		{"IPv6", phone(func(p *Phone) { p.API = "http://[::1]:8081" }), ""},
		{"plaintext elsewhere", phone(func(p *Phone) { p.API = "http://192.0.2.1:8081" }), "not on this machine"},
		{"plaintext chat elsewhere", phone(func(p *Phone) { p.WebSocket = "ws://chat.example.com" }), "not on this machine"},
		{"loopback only in the name", phone(func(p *Phone) { p.API = "http://localhost.example.com" }), "not on this machine"},
		{"other scheme", phone(func(p *Phone) { p.API = "ftp://127.0.0.1" }), "neither"},
		{"no host", phone(func(p *Phone) { p.API = "127.0.0.1:8081" }), "REST server"},
		{"credentials in the address", phone(func(p *Phone) { p.API = "http://u:p@127.0.0.1:8081" }), "is not like"},
		{"directive in the address", phone(func(p *Phone) { p.API = "http://127.0.0.1:80;script-src *" }), "REST server"},
		{"no chat domain", phone(func(p *Phone) { p.Chat = "" }), "no chat domain"},
		{"no account key", phone(func(p *Phone) { p.AccountKey = "" }), ""},
		{"no secret", phone(func(p *Phone) { p.AuthSecret = "" }), "no authorization secret"},
		{"no application", phone(func(p *Phone) { p.AppID = 0 }), "application id 0"},
		{"no door", phone(func(p *Phone) { p.Door = -1 }), "user id -1"},
		{"relay only", phone(func(p *Phone) { p.ICEPolicy = "relay" }), ""},
		{"other ICE policy", phone(func(p *Phone) { p.ICEPolicy = "none" }), `ICE policy "none"`},
		{"no residents", phone(func(p *Phone) { p.Residents = nil }), "no residents"},
		{"resident without password", phone(func(p *Phone) { p.Residents[0].Password = "" }), "Ada Byron"},
		{"same login twice", phone(func(p *Phone) { p.Residents = append(p.Residents, p.Residents[0]) }), `"ada"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := New(test.config)
			switch {
			case test.want == "" && err != nil:
				t.Errorf("got %v, want no error", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

func TestGuard(t *testing.T) {
	const press = `{"name":"front"}`
	tests := []struct {
		name, method, path string
		header             []string
		want               int
	}{
		{"page by address", "GET", "/", nil, 200},
		{"page by name", "GET", "/", []string{"Host: localhost:8080"}, 200},
		{"page by IPv6 address", "GET", "/", []string{"Host: [::1]:8080"}, 200},
		{"page without a port", "GET", "/", []string{"Host: [::1]"}, 200},
		{"page by a rebound name", "GET", "/", []string{"Host: evil.example:8080"}, 403},
		{"page by a name that starts well", "GET", "/", []string{"Host: 127.0.0.1.evil.example"}, 403},
		{"page by the machine's address", "GET", "/", []string{"Host: 192.0.2.7:8080"}, 403},
		{"page without a host", "GET", "/", []string{"Host: "}, 403},
		{"status by a rebound name", "GET", "/api/status", []string{"Host: evil.example"}, 403},
		{"page from a link elsewhere", "GET", "/", []string{"Sec-Fetch-Site: cross-site"}, 200},
		{"phone from the page", "GET", "/api/phone", []string{"Sec-Fetch-Site: same-origin"}, 200},
		{"phone from the address bar", "GET", "/api/phone", []string{"Sec-Fetch-Site: none"}, 200},
		{"phone from elsewhere", "GET", "/api/phone", []string{"Sec-Fetch-Site: cross-site"}, 403},
		{"phone from another port", "GET", "/api/phone", []string{"Sec-Fetch-Site: same-site"}, 403},
		{"phone from another origin", "GET", "/api/phone", []string{"Origin: http://127.0.0.1:9999"}, 403},
		{"events from elsewhere", "GET", "/api/events", []string{"Origin: http://evil.example"}, 403},
		{"press without a browser", "POST", "/api/press", nil, 204},
		{"press from the page", "POST", "/api/press", []string{"Sec-Fetch-Site: same-origin", "Origin: http://127.0.0.1:8080"}, 204},
		{"press from elsewhere", "POST", "/api/press", []string{"Sec-Fetch-Site: cross-site", "Origin: http://evil.example"}, 403},
		{"press by an old browser from elsewhere", "POST", "/api/press", []string{"Origin: http://evil.example"}, 403},
		{"press from a sandboxed frame", "POST", "/api/press", []string{"Origin: null"}, 403},
		{"press from another port", "POST", "/api/press", []string{"Origin: http://127.0.0.1:9999"}, 403},
		{"press by a navigation", "POST", "/api/press", []string{"Sec-Fetch-Site: none"}, 403},
		{"hang-up from elsewhere", "POST", "/api/hangup", []string{"Sec-Fetch-Site: cross-site"}, 403},
		{"press by a rebound name", "POST", "/api/press", []string{"Host: evil.example:8080", "Origin: http://evil.example:8080", "Sec-Fetch-Site: same-origin"}, 403},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newFakeStation()
			p := newPage(t, Config{Station: s, Phone: newPhone()})
			body := ""
			if test.method == "POST" {
				body = press
			}
			got, _, answer := ask(t, p, test.method, test.path, body, append([]string{"Content-Type: application/json"}, test.header...)...)
			if got != test.want {
				t.Errorf("got status %d %s, want %d", got, answer, test.want)
			}
			if test.want == 403 {
				complaint(t, answer)
				if len(s.pressed) > 0 || s.hangUps > 0 || strings.Contains(answer, "secret") {
					t.Errorf("a refused request had an effect: pressed %q, %d hang-ups, answer %s", s.pressed, s.hangUps, answer)
				}
			}
		})
	}
}

func TestPress(t *testing.T) {
	const asJSON = "Content-Type: application/json"
	tests := []struct {
		name, body, contentType string
		fail                    error
		want                    int
		says                    string
	}{
		{name: "known", body: `{"name":"back"}`, contentType: asJSON, want: 204},
		{name: "with a charset", body: `{"name":"back"}`, contentType: asJSON + "; charset=utf-8", want: 204},
		{name: "unknown", body: `{"name":"side"}`, contentType: asJSON, want: 404, says: "there are front and back"},
		{name: "refused", body: `{"name":"back"}`, contentType: asJSON, fail: errors.New("a call is going on"), want: 409, says: "a call is going on"},
		{name: "no name", body: `{}`, contentType: asJSON, want: 400, says: "no button named"},
		{name: "no body", body: ``, contentType: asJSON, want: 400, says: "read JSON"},
		{name: "not JSON", body: `name=back`, contentType: asJSON, want: 400, says: "read JSON"},
		{name: "half", body: `{"name":"ba`, contentType: asJSON, want: 400, says: "read JSON"},
		{name: "two values", body: `{"name":"back"}{"name":"front"}`, contentType: asJSON, want: 400, says: "more than one"},
		{name: "other type", body: `{"name":7}`, contentType: asJSON, want: 400, says: "read JSON"},
		{name: "unknown field", body: `{"name":"back","for":9}`, contentType: asJSON, want: 400, says: "unknown field"},
		{name: "form", body: `{"name":"back"}`, contentType: "Content-Type: text/plain", want: 415, says: "application/json"},
		{name: "no content type", body: `{"name":"back"}`, contentType: "X-Nothing: ", want: 415, says: "application/json"},
		{name: "large", body: `{"name":"` + strings.Repeat("b", maxBody) + `"}`, contentType: asJSON, want: 413, says: "larger"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newFakeStation()
			s.fail = test.fail
			got, _, body := ask(t, newPage(t, Config{Station: s}), "POST", "/api/press", test.body, test.contentType)
			if got != test.want {
				t.Fatalf("got status %d %s, want %d", got, body, test.want)
			}
			if test.want == 204 {
				if len(s.pressed) != 1 || s.pressed[0] != "back" {
					t.Errorf("got presses %q, want one of back", s.pressed)
				}
				return
			}
			if said := complaint(t, body); !strings.Contains(said, test.says) {
				t.Errorf("got error %q, want it to say %q", said, test.says)
			}
			if len(s.pressed) != 0 {
				t.Errorf("got presses %q, want none", s.pressed)
			}
		})
	}
}

func TestPressOfAStuckStation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeStation()
		s.stuck = true
		start := time.Now()
		got, _, body := ask(t, newPage(t, Config{Station: s}), "POST", "/api/press", `{"name":"front"}`, "Content-Type: application/json")
		if got != http.StatusServiceUnavailable || !strings.Contains(complaint(t, body), "does not react") {
			t.Errorf("got status %d %s, want 503 and why", got, body)
		}
		if took := time.Since(start); took != actionLimit {
			t.Errorf("answered after %v, want %v", took, actionLimit)
		}
	})
}

func TestHangUp(t *testing.T) {
	s := newFakeStation()
	p := newPage(t, Config{Station: s})
	if got, _, body := ask(t, p, "POST", "/api/hangup", ""); got != 204 || s.hangUps != 1 {
		t.Errorf("got status %d %s and %d hang-ups, want 204 and one", got, body, s.hangUps)
	}
	s.fail = errors.New("no call")
	if got, _, body := ask(t, p, "POST", "/api/hangup", ""); got != 409 || complaint(t, body) != "no call" {
		t.Errorf("got status %d %s, want 409 and the station's words", got, body)
	}
	if got, _, _ := ask(t, p, "GET", "/api/hangup", ""); got != 405 {
		t.Errorf("got status %d for a GET, want 405", got)
	}
}

func TestType(t *testing.T) {
	s := newFakeStation()
	p := newPage(t, Config{Station: s})
	const json = "Content-Type: application/json"
	if got, _, body := ask(t, p, "POST", "/api/type", `{"keys":"12#"}`, json); got != 204 || s.typed != "12#" {
		t.Errorf("got status %d %s, and %q was typed", got, body, s.typed)
	}
	if got, _, body := ask(t, p, "POST", "/api/type", `{"keys":""}`, json); got != 400 || !strings.Contains(complaint(t, body), "nothing to type") {
		t.Errorf("nothing: got status %d %s", got, body)
	}
	if got, _, _ := ask(t, p, "POST", "/api/type", `{"keys":"1"}`); got != 415 {
		t.Errorf("from a form: got status %d, want 415", got)
	}
	s.fail = errors.New("no keypad")
	if got, _, body := ask(t, p, "POST", "/api/type", `{"keys":"1"}`, json); got != 409 || complaint(t, body) != "no keypad" {
		t.Errorf("got status %d %s, want 409 and the station's words", got, body)
	}
}

func TestStatus(t *testing.T) {
	s := newFakeStation()
	p := newPage(t, Config{Station: s})
	code, header, body := ask(t, p, "GET", "/api/status", "")
	var got control.Status
	if err := json.Unmarshal([]byte(body), &got); err != nil || code != 200 {
		t.Fatalf("got status %d %s: %v", code, body, err)
	}
	if got.State != "idle" || len(got.Buttons) != 2 || got.Buttons[1].Label != "Garden" {
		t.Errorf("got %+v, want the station's status", got)
	}
	if c := header.Get("Cache-Control"); c != "no-store" {
		t.Errorf("got Cache-Control %q, want no-store", c)
	}
	// Not a number has no JSON: an error, not half an answer.
	s.set(func(now *control.Status) { now.Speaker.DBFS = math.NaN() })
	if code, _, body := ask(t, p, "GET", "/api/status", ""); code != 500 || !strings.Contains(complaint(t, body), "JSON") {
		t.Errorf("got status %d %s, want 500 and why", code, body)
	}
}

func TestPhone(t *testing.T) {
	folder := t.TempDir()
	phone := newPhone()
	phone.ICEPolicy = "relay"
	phone.ICEServers = []ICEServer{{URLs: []string{"turn:192.0.2.1"}, Username: "ada", Credential: "quiet"}}
	p := newPage(t, Config{Station: newFakeStation(), Phone: phone, SDK: folder})
	read := func() map[string]any {
		t.Helper()
		code, _, body := ask(t, p, "GET", "/api/phone", "")
		var v map[string]any
		if err := json.Unmarshal([]byte(body), &v); err != nil || code != 200 {
			t.Fatalf("got status %d %s: %v", code, body, err)
		}
		return v
	}
	got := read()
	if got["sdk"] != false || got["sdkFolder"] != folder || got["door"] != 100.0 || got["appID"] != 1.0 {
		t.Errorf("got %v, want the phone, without the SDK", got)
	}
	servers := []any{map[string]any{"urls": []any{"turn:192.0.2.1"}, "username": "ada", "credential": "quiet"}}
	if !reflect.DeepEqual(got["iceServers"], servers) || got["icePolicy"] != "relay" {
		t.Errorf("got ICE servers %v, policy %v; want %v, relay", got["iceServers"], got["icePolicy"], servers)
	}
	if code, _, _ := ask(t, p, "GET", "/sdk/quickblox.min.js", ""); code != 404 {
		t.Errorf("got status %d for the missing SDK, want 404", code)
	}

	for name, content := range map[string]string{sdkFile: "var QB;", "secret.txt": "x"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if read()["sdk"] != true {
		t.Error("the SDK is there, and the page does not know")
	}
	code, header, body := ask(t, p, "GET", "/sdk/quickblox.min.js", "")
	if code != 200 || body != "var QB;" || header.Get("Content-Type") != "text/javascript; charset=utf-8" {
		t.Errorf("got status %d %q %q, want the SDK as JavaScript", code, header.Get("Content-Type"), body)
	}
	for _, path := range []string{"/sdk/", "/sdk/secret.txt", "/sdk/%2e%2e/secret.txt"} {
		if code, _, body := ask(t, p, "GET", path, ""); code == 200 {
			t.Errorf("%s gave %q, want nothing but the SDK", path, body)
		}
	}

	alone := newPage(t, Config{Station: newFakeStation()})
	if code, _, body := ask(t, alone, "GET", "/api/phone", ""); code != 200 || body != "null\n" {
		t.Errorf("got status %d %q without a phone, want null", code, body)
	}
}
