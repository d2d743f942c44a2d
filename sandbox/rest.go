package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxBody bounds the body of a request that is not a file, in bytes.
const maxBody = 1 << 20

// Formats of times: in bodies, and in the header that tells when a token dies.
const (
	timeFormat   = "2006-01-02T15:04:05Z"
	expiryFormat = "2006-01-02 15:04:05 -0700"
)

// restError is an answer that is not a success. Errors is what the body has under
// "errors": a list, or lists by field.
type restError struct {
	Status int
	Errors any
}

// Error returns the status and the errors.
func (e *restError) Error() string { return fmt.Sprintf("%d %v", e.Status, e.Errors) }

// invalid is an error of validation.
func invalid(field, text string) error {
	return &restError{http.StatusUnprocessableEntity, map[string][]string{field: {text}}}
}

// Errors that several calls have.
var (
	errNoToken      = &restError{http.StatusUnauthorized, []string{"Token is required"}}
	errDeadToken    = &restError{http.StatusUnauthorized, []string{"Required session does not exist"}}
	errUnauthorized = &restError{http.StatusUnauthorized, []string{"Unauthorized"}}
	errForbidden    = &restError{http.StatusForbidden, []string{"You don't have appropriate permissions to perform this operation"}}
	errNotFound     = &restError{Status: http.StatusNotFound}
)

// access is what a call demands of its caller.
type access int

const (
	anyone      access = iota
	application        // a session
	user               // a session of a user
)

// call is one request, understood.
type call struct {
	*http.Request
	params  url.Values // of the query and of the body, "user[login]" for nested ones
	session session
	header  http.Header // of the answer
}

// id reads the number in a path such as /users/{file}, where file is "12.json".
func (c *call) id(name string) (int64, bool) {
	text, ok := strings.CutSuffix(c.PathValue(name), ".json")
	if !ok {
		return 0, false
	}
	id, err := strconv.ParseInt(text, 10, 64)
	return id, err == nil && id > 0
}

// answer is a status with a body, which is JSON unless it is []byte.
type answer struct {
	status int
	body   any
}

// handler returns the REST service.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	for _, r := range []struct {
		pattern string
		need    access
		do      func(*call) (answer, error)
	}{
		{"GET /account_settings.json", anyone, s.accountSettings},
		{"POST /session.json", anyone, s.createSession},
		{"GET /session.json", application, s.readSession},
		{"DELETE /session.json", application, s.destroySession},
		{"POST /login.json", application, s.login},
		{"DELETE /login.json", user, s.logout},
		{"GET /users.json", application, s.listUsers},
		{"POST /users.json", application, s.createUser},
		{"GET /users/{file}", application, s.findUser},
		{"PUT /users/{file}", user, s.updateUser},
		{"DELETE /users/{file}", user, s.deleteUser},
		{"POST /subscriptions.json", user, s.subscribe},
		{"GET /subscriptions.json", user, s.listSubscriptions},
		{"DELETE /subscriptions/{file}", user, s.unsubscribe},
		{"POST /events.json", user, s.createEvent},
		{"GET /events.json", user, s.listEvents},
		{"GET /events/{file}", user, s.readEvent},
		{"DELETE /events/{file}", user, s.deleteEvent},
		{"POST /blobs.json", user, s.createFile},
		{"GET /blobs.json", user, s.listFiles},
		{"GET /blobs/{file}", anyone, s.readFile},
		{"PUT /blobs/{id}/complete.json", user, s.completeFile},
		{"DELETE /blobs/{file}", user, s.deleteFile},
	} {
		mux.Handle(r.pattern, s.serve(r.need, r.do))
	}
	mux.HandleFunc("POST /blobs/{id}/upload/{$}", s.upload)
	mux.Handle("/", s.serve(anyone, func(*call) (answer, error) { return answer{}, errNotFound }))
	return cors(mux)
}

// cors lets pages of any origin call: what protects a call is its token, not a cookie.
func cors(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("Access-Control-Allow-Origin", "*")
		head.Set("Access-Control-Expose-Headers", "QB-Token-ExpirationDate, QuickBlox-REST-API-Version, Status")
		if r.Method != http.MethodOptions {
			h.ServeHTTP(w, r)
			return
		}
		head.Set("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE, OPTIONS")
		head.Set("Access-Control-Allow-Headers", "Content-Type, Authorization, QB-Token, QB-Account-Key, QB-SDK, QB-OS, QuickBlox-REST-API-Version")
		head.Set("Access-Control-Allow-Private-Network", "true")
		head.Set("Access-Control-Max-Age", "86400")
		w.WriteHeader(http.StatusNoContent)
	})
}

// serve does what all calls have in common.
func (s *Server) serve(need access, do func(*call) (answer, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{Request: r, header: w.Header()}
		a, err := s.do(c, w, need, do)
		if err != nil {
			a = refusal(err)
		}
		attrs := []any{"method", r.Method, "path", r.URL.Path, "status", a.status}
		if err != nil {
			attrs = append(attrs, "cause", err)
		}
		s.log.Debug("rest", attrs...)
		reply(w, a)
	})
}

func (s *Server) do(c *call, w http.ResponseWriter, need access, do func(*call) (answer, error)) (answer, error) {
	if need != anyone {
		token := c.Header.Get("QB-Token")
		if token == "" {
			return answer{}, errNoToken
		}
		var ok bool
		if c.session, ok = s.store.touch(token); !ok {
			return answer{}, errDeadToken
		}
		c.expires(c.session)
		if need == user && c.session.User == 0 {
			return answer{}, errForbidden
		}
	}
	var err error
	if c.params, err = readParams(c.Request, http.MaxBytesReader(w, c.Body, maxBody)); err != nil {
		return answer{}, err
	}
	return do(c)
}

// expires tells the caller when the token dies.
func (c *call) expires(x session) {
	c.header.Set("QB-Token-ExpirationDate", x.Expires.UTC().Format(expiryFormat))
}

// refusal is the answer that says what is wrong.
func refusal(err error) answer {
	var e *restError
	if !errors.As(err, &e) {
		e = &restError{http.StatusBadRequest, []string{err.Error()}}
	}
	if e.Errors == nil {
		return answer{e.Status, map[string]any{"code": nil, "message": "Entity you are looking for was not found."}}
	}
	return answer{e.Status, map[string]any{"errors": e.Errors}}
}

// reply writes an answer.
func reply(w http.ResponseWriter, a answer) {
	w.Header().Set("QuickBlox-REST-API-Version", "0.1.1")
	w.Header().Set("Cache-Control", "no-store")
	data, raw := a.body.([]byte)
	if !raw && a.body != nil {
		var b bytes.Buffer
		if err := json.NewEncoder(&b).Encode(a.body); err != nil {
			a.status, data = http.StatusInternalServerError, []byte(`{"errors":["`+http.StatusText(http.StatusInternalServerError)+`"]}`)
		} else {
			data = bytes.TrimSpace(b.Bytes())
		}
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(data) // the caller is gone if it fails, and nobody is left to tell
}

// readParams reads the parameters of a request: query, and a form or a JSON object.
func readParams(r *http.Request, body io.Reader) (url.Values, error) {
	params, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, &restError{http.StatusBadRequest, []string{"query: " + err.Error()}}
	}
	data, err := io.ReadAll(body)
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, &restError{http.StatusRequestEntityTooLarge, []string{err.Error()}}
	}
	if err != nil || len(data) == 0 {
		return params, err
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		kind = ""
	}
	switch kind {
	case "application/x-www-form-urlencoded":
		form, err := url.ParseQuery(string(data))
		if err != nil {
			return nil, &restError{http.StatusBadRequest, []string{"form: " + err.Error()}}
		}
		for k, v := range form {
			params[k] = append(params[k], v...)
		}
	case "application/json":
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.UseNumber()
		var v map[string]any
		if err := dec.Decode(&v); err != nil {
			return nil, &restError{http.StatusBadRequest, []string{"JSON: " + err.Error()}}
		}
		for k, v := range v {
			flatten(params, k, v)
		}
	default:
		return nil, &restError{http.StatusUnsupportedMediaType, []string{"a body is application/x-www-form-urlencoded or application/json"}}
	}
	return params, nil
}

// flatten writes a JSON value in the notation of forms.
func flatten(params url.Values, key string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, v := range v {
			flatten(params, key+"["+k+"]", v)
		}
	case []any:
		for _, v := range v {
			flatten(params, key+"[]", v)
		}
	case nil:
	default:
		params.Add(key, fmt.Sprint(v))
	}
}

// page is a part of a list, as the "page" and "per_page" parameters have it.
type page struct{ number, size int }

func (c *call) page() (page, error) {
	p := page{1, 10}
	for name, v := range map[string]*int{"page": &p.number, "per_page": &p.size} {
		if text := c.params.Get(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 1 || n > 1_000_000 {
				return p, invalid(name, "must be a positive number")
			}
			*v = n
		}
	}
	p.size = min(p.size, 100)
	return p, nil
}

// list answers with one page of what there is; kind is what one of it is called.
func list[T any](c *call, all []T, kind string, body func(T) map[string]any) (answer, error) {
	p, err := c.page()
	if err != nil {
		return answer{}, err
	}
	from := min((p.number-1)*p.size, len(all))
	items := []any{}
	for _, one := range all[from:min(from+p.size, len(all))] {
		items = append(items, map[string]any{kind: body(one)})
	}
	return answer{http.StatusOK, map[string]any{
		"current_page": p.number, "per_page": p.size, "total_entries": len(all), "items": items,
	}}, nil
}

func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(timeFormat)
}
