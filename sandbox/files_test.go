package sandbox

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// upload posts a file the way the SDK does: the query's fields, then the file.
func (a *api) upload(to string, data []byte, change func(url.Values)) int {
	a.t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		a.t.Fatal(err)
	}
	fields := u.Query()
	if change != nil {
		change(fields)
	}
	u.RawQuery = ""
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for k, v := range fields {
		form.WriteField(k, v[0])
	}
	if data != nil {
		w, err := form.CreateFormFile("file", "x.jpg")
		if err != nil {
			a.t.Fatal(err)
		}
		w.Write(data)
	}
	form.WriteField("name", "x.jpg")
	form.Close()
	res, err := a.http.Post(u.String(), form.FormDataContentType(), &body)
	if err != nil {
		a.t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

// download reads a path and returns the status and the body.
func (a *api) download(path string) (int, string) {
	a.t.Helper()
	res, err := a.http.Get(a.base + path)
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return res.StatusCode, string(data)
}

func TestFiles(t *testing.T) {
	_, addrs := start(t, nil)
	a, b := newAPI(t, addrs), newAPI(t, addrs)
	a.login("1", "alice", "p@ss word")
	b.login("2", "bob", "bob-password")
	create := func() (id any, uid, to string) {
		blob := a.want(201, "POST", "/blobs.json", "blob[content_type]=image/jpeg&blob[name]=x.jpg")["blob"].(map[string]any)
		return blob["id"], blob["uid"].(string), blob["blob_object_access"].(map[string]any)["params"].(string)
	}
	id, uid, to := create()
	if got := a.upload(to, []byte("picture"), func(v url.Values) { v.Set("key", "x") }); got != 403 {
		t.Errorf("without the key: got %d, want 403", got)
	}
	if got := a.upload(to, nil, nil); got != 422 {
		t.Errorf("without a file: got %d, want 422", got)
	}
	if got := a.upload(to, make([]byte, maxFile+1), nil); got != 413 {
		t.Errorf("too large: got %d, want 413", got)
	}
	if got := a.upload(to, []byte("picture"), nil); got != 201 {
		t.Fatalf("got %d, want 201", got)
	}
	if got := a.upload(to, []byte("another"), nil); got != 403 {
		t.Errorf("again: got %d, want 403", got)
	}
	complete := fmt.Sprintf("/blobs/%v/complete.json", id)
	if got, _ := a.download("/blobs/" + uid + "?token=" + a.token); got != 404 {
		t.Errorf("before it is complete: got %d, want 404", got)
	}
	a.want(422, "PUT", complete, "size=1")
	b.want(404, "PUT", complete, "size=7")
	a.want(200, "PUT", complete, "size=7")
	for path, want := range map[string]int{"?token=" + a.token: 200, "?token=" + b.token: 200, "": 401, "?token=x": 401} {
		if got, body := a.download("/blobs/" + uid + path); got != want || want == 200 && body != "picture" {
			t.Errorf("%q: got %d %q, want %d", path, got, body, want)
		}
	}
	if v := b.want(200, "GET", fmt.Sprintf("/blobs/%v.json", id), ""); v["blob"].(map[string]any)["size"] != 7.0 {
		t.Errorf("got %v", v)
	}
	if v := a.want(200, "GET", "/blobs.json", ""); v["total_entries"] != 1.0 {
		t.Errorf("got %v", v)
	}
	b.want(404, "DELETE", fmt.Sprintf("/blobs/%v.json", id), "")
	a.want(200, "DELETE", fmt.Sprintf("/blobs/%v.json", id), "")
	a.want(404, "GET", fmt.Sprintf("/blobs/%v.json", id), "")
	a.want(422, "POST", "/blobs.json", "blob[content_type]=image/jpeg")
	a.want(422, "POST", "/blobs.json", "blob[content_type]=%00&blob[name]=x")
	if got := a.upload(strings.Replace(to, fmt.Sprintf("/%v/", id), "/999/", 1), []byte("x"), nil); got != 404 {
		t.Errorf("an unknown file: got %d, want 404", got)
	}
	if res, err := a.http.Post(a.base+"/blobs/1/upload/", "text/plain", strings.NewReader("x")); err != nil || res.StatusCode != http.StatusBadRequest {
		t.Errorf("no form: got %v, %v", res, err)
	}
}

// Memory is bounded: the oldest files make room.
func TestFilesMakeRoom(t *testing.T) {
	var f files
	for i := range int64(20) {
		x := &file{id: i}
		f.all = append(f.all, x)
		f.store(x, make([]byte, maxFile))
		if f.size > maxFiles {
			t.Fatalf("%d bytes are kept, at most %d may be", f.size, maxFiles)
		}
	}
	if n := len(f.all); n != maxFiles/maxFile || f.all[0].id != 12 {
		t.Errorf("got %d files from %d on, want %d from 12 on", n, f.all[0].id, maxFiles/maxFile)
	}
}
