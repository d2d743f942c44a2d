package sandbox

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds of files, which are kept in memory: a snapshot of a visitor has 100 to 300 kB.
const (
	maxFile  = 8 << 20  // bytes of one
	maxFiles = 64 << 20 // bytes of all; the oldest go
	maxNames = 10_000   // how many there are
)

// uploadTime is how long the permission to upload lasts.
const uploadTime = time.Hour

// file is what QuickBlox calls a blob.
type file struct {
	id, user           int64
	uid, key           string // for reading, for uploading once
	name, kind, tags   string
	public, done       bool
	data               []byte
	created, completed time.Time
}

// files are those of a store, and guarded by its lock.
type files struct {
	all  []*file // in the order of their ids
	size int     // of all, in bytes
}

// find returns the file that matches, or nil.
func (f *files) find(match func(*file) bool) *file {
	if i := slices.IndexFunc(f.all, match); i >= 0 {
		return f.all[i]
	}
	return nil
}

// remove deletes a file.
func (f *files) remove(x *file) {
	if i := slices.Index(f.all, x); i >= 0 {
		f.all = slices.Delete(f.all, i, i+1)
		f.size -= len(x.data)
	}
}

// store keeps a file's content, and to that end removes the oldest others.
func (f *files) store(x *file, data []byte) {
	f.size += len(data) - len(x.data)
	x.data = data
	for f.size > maxFiles {
		oldest := f.find(func(o *file) bool { return o != x })
		if oldest == nil {
			return
		}
		f.remove(oldest)
	}
}

// createFile announces a file; the answer says where to and with what to upload it.
func (s *Server) createFile(c *call) (answer, error) {
	x := &file{user: c.session.User, uid: randomHex(), key: randomHex(), name: c.params.Get("blob[name]"),
		kind: c.params.Get("blob[content_type]"), tags: c.params.Get("blob[tag_list]"), created: time.Now()}
	if x.name == "" || len(x.name) > 255 {
		return answer{}, invalid("name", "has 1 to 255 characters")
	}
	if _, _, err := mime.ParseMediaType(x.kind); err != nil {
		return answer{}, invalid("content_type", "is not a media type")
	}
	x.public = slices.Contains([]string{"true", "1"}, c.params.Get("blob[public]"))
	base, st := s.base(), s.store
	st.mu.Lock()
	defer st.mu.Unlock()
	st.last++
	x.id = st.last
	if len(st.files.all) >= maxNames {
		st.files.remove(st.files.all[0])
	}
	st.files.all = append(st.files.all, x)
	body := fileBody(x)
	to := base + "/blobs/" + strconv.FormatInt(x.id, 10) + "/upload/"
	body["blob_object_access"] = map[string]any{
		"id": x.id, "blob_id": x.id, "expires": stamp(x.created.Add(uploadTime)), "object_access_type": "Write",
		"params": to + "?" + url.Values{"Content-Type": {x.kind}, "key": {x.key}, "success_action_status": {"201"}}.Encode(),
	}
	return answer{http.StatusCreated, map[string]any{"blob": body}}, nil
}

func randomHex() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

func fileBody(x *file) map[string]any {
	status := any(nil)
	if x.done {
		status = "complete"
	}
	return map[string]any{
		"id": x.id, "uid": x.uid, "name": x.name, "content_type": x.kind, "size": len(x.data), "public": x.public, "tag_list": x.tags,
		"blob_status": status, "created_at": stamp(x.created), "updated_at": stamp(x.created), "set_completed_at": stamp(x.completed), "ref_count": 1,
	}
}

// upload takes a file's content, as Amazon's S3 does for QuickBlox: what permits it is
// the key among the form's fields, which come before the file.
func (s *Server) upload(w http.ResponseWriter, r *http.Request) {
	status := http.StatusCreated
	if err := s.takeFile(r, http.MaxBytesReader(w, r.Body, maxFile+maxBody)); err != nil {
		a := refusal(err)
		status = a.status
		s.log.Debug("rest", "method", r.Method, "path", r.URL.Path, "status", status, "cause", err)
		reply(w, a)
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	reply(w, answer{status, []byte("<PostResponse/>")})
}

func (s *Server) takeFile(r *http.Request, body io.ReadCloser) error {
	r.Body = body
	form, err := r.MultipartReader()
	if err != nil {
		return err
	}
	fields := map[string]string{}
	for {
		part, err := form.NextPart()
		var large *http.MaxBytesError
		switch {
		case errors.Is(err, io.EOF):
			return invalid("file", "is required")
		case errors.As(err, &large):
			return &restError{http.StatusRequestEntityTooLarge, []string{err.Error()}}
		case err != nil:
			return err
		}
		limit := int64(maxFile)
		if part.FormName() != "file" {
			limit = 16 << 10
		}
		data, err := io.ReadAll(io.LimitReader(part, limit+1))
		if err != nil {
			return err
		}
		if int64(len(data)) > limit {
			return &restError{http.StatusRequestEntityTooLarge, []string{part.FormName() + " has more than " + strconv.FormatInt(limit, 10) + " bytes"}}
		}
		if part.FormName() == "file" {
			return s.store.fill(r.PathValue("id"), fields["key"], data)
		}
		if fields[part.FormName()] = string(data); len(fields) > 32 {
			return invalid("base", "too many fields")
		}
	}
}

// fill stores the content of an announced file.
func (s *store) fill(id, key string, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.files.find(func(x *file) bool { return strconv.FormatInt(x.id, 10) == id })
	if x == nil {
		return errNotFound
	}
	if !same(x.key, key) || x.data != nil || time.Since(x.created) > uploadTime {
		return errForbidden
	}
	s.files.store(x, data)
	return nil
}

// completeFile ends an upload.
func (s *Server) completeFile(c *call) (answer, error) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	x := s.store.files.find(func(x *file) bool {
		return strconv.FormatInt(x.id, 10) == c.PathValue("id") && x.user == c.session.User
	})
	if x == nil {
		return answer{}, errNotFound
	}
	size := c.params.Get("size") + c.params.Get("blob[size]") // both names are in use
	if size != strconv.Itoa(len(x.data)) {
		return answer{}, invalid("size", "differs from what was uploaded")
	}
	x.done, x.completed = true, time.Now()
	return answer{http.StatusOK, nil}, nil
}

// readFile answers /blobs/{id}.json and /blobs/{uid}.json with what is known of a file,
// and /blobs/{uid} with its content.
func (s *Server) readFile(c *call) (answer, error) {
	name, about := strings.CutSuffix(c.PathValue("file"), ".json")
	s.store.mu.Lock()
	x := s.store.files.find(func(x *file) bool { return x.uid == name || about && strconv.FormatInt(x.id, 10) == name })
	if x == nil {
		s.store.mu.Unlock()
		return answer{}, errNotFound
	}
	public, done, data, kind, body := x.public, x.done, x.data, x.kind, fileBody(x)
	s.store.mu.Unlock()
	if !public || about {
		token := c.Header.Get("QB-Token")
		if token == "" && !about {
			token = c.params.Get("token") // of a link in a page
		}
		if token == "" {
			return answer{}, errNoToken
		}
		session, ok := s.store.touch(token)
		if !ok {
			return answer{}, errDeadToken
		}
		c.expires(session)
	}
	if about {
		return answer{http.StatusOK, map[string]any{"blob": body}}, nil
	}
	if !done {
		return answer{}, errNotFound
	}
	// Whatever it is, it does not run as a page of this server.
	c.header.Set("Content-Type", kind)
	c.header.Set("X-Content-Type-Options", "nosniff")
	c.header.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	return answer{http.StatusOK, data}, nil
}

func (s *Server) listFiles(c *call) (answer, error) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	var own []*file
	for _, x := range s.store.files.all {
		if x.user == c.session.User {
			own = append(own, x)
		}
	}
	return list(c, own, "blob", fileBody)
}

func (s *Server) deleteFile(c *call) (answer, error) {
	id, _ := c.id("file")
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	x := s.store.files.find(func(x *file) bool { return x.id == id && x.user == c.session.User })
	if x == nil {
		return answer{}, errNotFound
	}
	s.store.files.remove(x)
	return answer{http.StatusOK, nil}, nil
}
