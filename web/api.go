package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"time"

	"intercom/internal/control"
)

const (
	maxBody      = 4 << 10         // of a request; a button's name needs less
	actionLimit  = 5 * time.Second // for the station to take a press
	statusIsGone = 499             // the browser went away; nobody reads it, the log may
)

func (p *Page) serveStatus(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, p.station.Status())
}

// servePhone gives null where there is no phone: the page then shows the panel alone.
func (p *Page) servePhone(w http.ResponseWriter, _ *http.Request) {
	if p.phone == nil {
		reply(w, http.StatusOK, nil)
		return
	}
	reply(w, http.StatusOK, struct {
		*Phone
		SDK       bool   `json:"sdk"`       // is there
		SDKFolder string `json:"sdkFolder"` // or should be there
	}{p.phone, p.hasSDK(), p.sdk})
}

func (p *Page) servePress(w http.ResponseWriter, r *http.Request) {
	var press struct {
		Name string `json:"name"`
	}
	if status, err := readJSON(w, r, &press); err != nil {
		refuse(w, status, err)
		return
	}
	if press.Name == "" {
		refuse(w, http.StatusBadRequest, errors.New(`no button named: send {"name": "..."}`))
		return
	}
	p.act(w, r, func(ctx context.Context) error { return p.station.Press(ctx, press.Name) }, func() int {
		known := slices.ContainsFunc(p.station.Status().Buttons, func(b control.Button) bool { return b.Name == press.Name })
		if !known {
			return http.StatusNotFound
		}
		return http.StatusConflict
	})
}

func (p *Page) serveType(w http.ResponseWriter, r *http.Request) {
	var press struct {
		Keys string `json:"keys"`
	}
	if status, err := readJSON(w, r, &press); err != nil {
		refuse(w, status, err)
		return
	}
	if press.Keys == "" {
		refuse(w, http.StatusBadRequest, errors.New(`nothing to type: send {"keys": "..."}`))
		return
	}
	p.act(w, r, func(ctx context.Context) error { return p.station.Type(ctx, press.Keys) }, func() int { return http.StatusConflict })
}

func (p *Page) serveHangUp(w http.ResponseWriter, r *http.Request) {
	p.act(w, r, p.station.HangUp, func() int { return http.StatusConflict })
}

// act lets the station do something; refused says what the station's refusal is in HTTP.
func (p *Page) act(w http.ResponseWriter, r *http.Request, do func(context.Context) error, refused func() int) {
	ctx, cancel := context.WithTimeout(r.Context(), actionLimit)
	defer cancel()
	err := do(ctx)
	switch {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
	case r.Context().Err() != nil:
		w.WriteHeader(statusIsGone)
	case ctx.Err() != nil:
		refuse(w, http.StatusServiceUnavailable, fmt.Errorf("the station does not react: %w", err))
	default:
		refuse(w, refused(), err)
	}
}

// readJSON reads one JSON object without unknown fields. The status is for the error. The
// content type is required because a form on another page cannot send it.
func readJSON(w http.ResponseWriter, r *http.Request, to any) (int, error) {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return http.StatusUnsupportedMediaType, errors.New("send application/json")
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	err := d.Decode(to)
	if err == nil {
		if _, err = d.Token(); err == io.EOF {
			return 0, nil
		}
		if err == nil {
			err = errors.New("more than one value")
		}
	}
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return http.StatusRequestEntityTooLarge, fmt.Errorf("the request is larger than %d bytes", tooLarge.Limit)
	}
	return http.StatusBadRequest, fmt.Errorf("read JSON: %w", err)
}

func reply(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // a level that is not a number, for example
		refuse(w, http.StatusInternalServerError, fmt.Errorf("write JSON: %w", err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(append(body, '\n'))
}

// refuse answers with {"error": "..."}, which the page shows as it is.
func refuse(w http.ResponseWriter, status int, err error) {
	reply(w, status, struct {
		Error string `json:"error"`
	}{err.Error()})
}
