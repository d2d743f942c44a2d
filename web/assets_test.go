package web

import (
	"regexp"
	"strings"
	"testing"
)

func TestAssets(t *testing.T) {
	p := newPage(t, Config{Station: newFakeStation(), Phone: newPhone()})
	for path, want := range map[string]string{
		"/":                 "text/html; charset=utf-8",
		"/assets/app.js":    "text/javascript; charset=utf-8",
		"/assets/panel.css": "text/css; charset=utf-8",
		"/assets/icon.svg":  "image/svg+xml",
	} {
		code, header, body := ask(t, p, "GET", path, "")
		if code != 200 || header.Get("Content-Type") != want || body == "" {
			t.Errorf("%s: got status %d %q, %d bytes, want %q", path, code, header.Get("Content-Type"), len(body), want)
		}
		if code, _, body := ask(t, p, "GET", path, "", "If-None-Match: "+header.Get("ETag")); code != 304 || body != "" {
			t.Errorf("%s: got status %d for the same content, want 304", path, code)
		}
	}
	for _, path := range []string{"/index.html", "/assets/", "/assets/none.js", "/assets/..%2fweb.go", "/favicon.ico", "/api/", "/api/none"} {
		if code, _, _ := ask(t, p, "GET", path, ""); code != 404 {
			t.Errorf("%s: got status %d, want 404", path, code)
		}
	}
}

func TestPageSaysWhetherItHasAPhone(t *testing.T) {
	for want, phone := range map[string]*Phone{`data-phone="yes"`: newPhone(), `data-phone="no"`: nil} {
		_, _, body := ask(t, newPage(t, Config{Station: newFakeStation(), Phone: phone}), "GET", "/", "")
		if strings.Count(body, "data-phone=") != 1 || !strings.Contains(body, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}

func TestHeaders(t *testing.T) {
	p := newPage(t, Config{Station: newFakeStation(), Phone: newPhone()})
	for _, path := range []string{"/", "/api/status", "/assets/none.js"} {
		_, header, _ := ask(t, p, "GET", path, "")
		if got := header.Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("%s: got X-Content-Type-Options %q", path, got)
		}
		got := header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "connect-src 'self' http://127.0.0.1:8081 ws://127.0.0.1:8082;", "frame-ancestors 'none'"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: got policy %q, want %q in it", path, got, want)
			}
		}
		if rest := strings.Replace(got, "style-src-attr 'unsafe-inline'", "", 1); strings.Contains(rest, "unsafe") || strings.Contains(rest, "*") {
			t.Errorf("%s: the policy %q allows what is unsafe", path, got)
		}
	}
	_, header, _ := ask(t, newPage(t, Config{Station: newFakeStation()}), "GET", "/", "")
	if got := header.Get("Content-Security-Policy"); !strings.Contains(got, "connect-src 'self';") {
		t.Errorf("got policy %q without a phone, want connections to the page's server only", got)
	}
	if got := header.Get("Content-Security-Policy"); strings.Contains(got, "unsafe") {
		t.Errorf("got policy %q without a phone, want nothing unsafe", got)
	}
}

// What the page asks of its server is there, it asks nobody else, and the elements that
// tests rely on are there.
func TestPageIsWhole(t *testing.T) {
	assets, err := loadAssets(true)
	if err != nil {
		t.Fatal(err)
	}
	index := string(assets["index.html"].content)
	for name, a := range assets {
		text := string(a.content)
		for _, m := range regexp.MustCompile(`/assets/([\w.-]+)`).FindAllStringSubmatch(text, -1) {
			if _, ok := assets[m[1]]; !ok {
				t.Errorf("%s uses %s, which is not embedded", name, m[0])
			}
		}
		for _, m := range regexp.MustCompile(`from "\./([\w.-]+)"`).FindAllStringSubmatch(text, -1) {
			if _, ok := assets[m[1]]; !ok {
				t.Errorf("%s imports %s, which is not embedded", name, m[1])
			}
		}
		for _, m := range regexp.MustCompile(`(?:https?:)?//[a-z0-9-]+\.[a-z0-9./-]+`).FindAllString(text, -1) {
			if !strings.HasPrefix(m, "http://www.w3.org/") {
				t.Errorf("%s names another server: %s", name, m)
			}
		}
		if regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(`).MatchString(text) {
			t.Errorf("%s makes elements or code of text", name)
		}
		for _, m := range regexp.MustCompile(`\$\("([\w-]+)"\)`).FindAllStringSubmatch(text, -1) {
			if !strings.Contains(index, `id="`+m[1]+`"`) {
				t.Errorf("%s uses the element %s, which the page lacks", name, m[1])
			}
		}
		for _, m := range regexp.MustCompile(`#(i-[\w-]+)`).FindAllStringSubmatch(text, -1) {
			if !strings.Contains(index, `<symbol id="`+m[1]+`"`) {
				t.Errorf("%s uses the icon %s, which the page lacks", name, m[1])
			}
		}
	}
	if regexp.MustCompile(`(?i)<script>|<style|\sstyle=|\son[a-z]+=`).MatchString(index) {
		t.Error("index.html has inline code or style, which its policy forbids")
	}
	for _, id := range []string{
		"panel", "light", "panel-hangup", "keypad", "directory", "typed", "camera", "speaker", "link", "health", "journal",
		"phone", "answer", "decline", "open", "mute", "hangup", "calldoor", "receipt", "notice", "video",
	} {
		if strings.Count(index, `id="`+id+`"`) != 1 {
			t.Errorf("index.html has no element #%s, or more than one", id)
		}
	}
}
