package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

//go:embed static
var static embed.FS

// sdkFile is the browser build in the npm package quickblox.
const sdkFile = "quickblox.min.js"

// asset is one embedded file, ready to be sent.
type asset struct {
	content []byte
	mime    string
	tag     string // ETag: the content's hash, so that a new program means a new page
}

// contentType is spelled out: mime.TypeByExtension asks the machine's tables, and with
// nosniff a browser runs no module and applies no style sheet of another type.
func contentType(name string) (string, error) {
	switch filepath.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8", nil
	case ".css":
		return "text/css; charset=utf-8", nil
	case ".js":
		return "text/javascript; charset=utf-8", nil
	case ".svg":
		return "image/svg+xml", nil
	}
	return "", fmt.Errorf("embedded file %s is of no known type", name)
}

// loadAssets reads the embedded files. The page is told in its first bytes whether it has
// a phone, so that nothing moves when it knows more.
func loadAssets(phone bool) (map[string]asset, error) {
	entries, err := fs.ReadDir(static, "static")
	if err != nil {
		return nil, err
	}
	assets := make(map[string]asset, len(entries))
	for _, e := range entries {
		content, err := static.ReadFile("static/" + e.Name())
		if err != nil {
			return nil, err
		}
		mime, err := contentType(e.Name())
		if err != nil {
			return nil, err
		}
		if e.Name() == "index.html" && !phone {
			content = bytes.Replace(content, []byte(`data-phone="yes"`), []byte(`data-phone="no"`), 1)
		}
		sum := sha256.Sum256(content)
		assets[e.Name()] = asset{content, mime, `"` + hex.EncodeToString(sum[:12]) + `"`}
	}
	return assets, nil
}

func (p *Page) serveIndex(w http.ResponseWriter, r *http.Request) { p.send(w, r, "index.html") }

func (p *Page) serveAsset(w http.ResponseWriter, r *http.Request) { p.send(w, r, r.PathValue("name")) }

func (p *Page) send(w http.ResponseWriter, r *http.Request, name string) {
	a, ok := p.assets[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", a.mime)
	w.Header().Set("Cache-Control", "no-cache") // kept, but asked about each time
	w.Header().Set("ETag", a.tag)
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(a.content))
}

// hasSDK looks each time: npm may fetch it while the page is open.
func (p *Page) hasSDK() bool {
	if p.sdk == "" {
		return false
	}
	info, err := os.Stat(filepath.Join(p.sdk, sdkFile))
	return err == nil && info.Mode().IsRegular()
}

func (p *Page) serveSDK(w http.ResponseWriter, r *http.Request) {
	if !p.hasSDK() {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	http.ServeFile(w, r, filepath.Join(p.sdk, sdkFile))
}
