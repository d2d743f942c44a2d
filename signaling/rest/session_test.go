package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// script answers requests without a network; it runs in bubbles.
type script func(*http.Request) (status int, header http.Header, body string)

func (s script) RoundTrip(r *http.Request) (*http.Response, error) {
	status, header, body := s(r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func scripted(t *testing.T, s script) *Client {
	t.Helper()
	c, err := New(Config{API: "https://api.example", ApplicationID: 1, AuthKey: "k", AuthSecret: "s3cret", Login: "door", Password: "passw0rd",
		HTTP: &http.Client{Transport: s}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// cloud is a server whose tokens die two hours after their last use.
func cloud(t *testing.T, tokens *int) script {
	alive := map[string]time.Time{}
	return func(r *http.Request) (int, http.Header, string) {
		now := time.Now()
		h := http.Header{"Qb-Token-Expirationdate": {now.Add(2 * time.Hour).UTC().Format("2006-01-02 15:04:05 -0700")},
			"Date": {now.UTC().Format(http.TimeFormat)}}
		if r.Method == "POST" {
			*tokens++
			token := "t" + strconv.Itoa(*tokens)
			alive[token] = now
			return 201, h, fmt.Sprintf(`{"session":{"token":%q,"user_id":7}}`, token)
		}
		token := r.Header.Get("QB-Token")
		if used, ok := alive[token]; !ok || now.Sub(used) >= 2*time.Hour {
			delete(alive, token)
			return 401, http.Header{}, `{"errors":["Required session does not exist"]}`
		}
		alive[token] = now
		if r.Method == "DELETE" {
			delete(alive, token)
			return 200, h, ""
		}
		if r.URL.Path == "/users/5.json" {
			return 200, h, `{"user":{"id":5,"login":"five"}}`
		}
		return 200, h, `{}`
	}
}

// TestRenewal: trap 27. Only REST calls keep a token alive.
func TestRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := 0
		c := scripted(t, cloud(t, &tokens))
		want := func(token string) {
			t.Helper()
			s, err := c.Session(t.Context())
			if err != nil || s.Token != token || time.Until(s.Expires) < renewBefore-time.Second {
				t.Fatalf("got %s %v, %v; want %s", s.Token, s, err, token)
			}
		}
		want("t1")
		time.Sleep(100 * time.Minute)
		want("t1")
		if _, err := c.Check(t.Context()); err != nil { // use prolongs it
			t.Fatal(err)
		}
		time.Sleep(100 * time.Minute)
		want("t1")
		time.Sleep(5 * time.Minute) // 14 minutes are left
		want("t2")
		time.Sleep(10 * time.Hour)
		want("t3")
	})
}

func TestDeadToken(t *testing.T) {
	tokens := 0
	c := scripted(t, cloud(t, &tokens))
	s, err := c.Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// Somebody else ends the session.
	if _, err := c.do(t.Context(), http.MethodDelete, "session", nil, s.Token, nil); err != nil {
		t.Fatal(err)
	}
	u, err := c.User(t.Context(), 5)
	if err != nil || u.Login != "five" || tokens != 2 {
		t.Errorf("got %v, %v with %d sessions; want user five in the second", u, err, tokens)
	}
	if err := c.Destroy(t.Context()); err != nil {
		t.Error(err)
	}
	if err := c.Destroy(t.Context()); err != nil {
		t.Errorf("destroyed again: %v", err)
	}
	var status *StatusError
	if _, err := c.Check(t.Context()); !errors.As(err, &status) || status.Status != 401 {
		t.Errorf("no session: got %v, want status 401", err)
	}
	if _, err := c.User(t.Context(), 6); err == nil || !strings.Contains(err.Error(), "no user") {
		t.Errorf("empty reply: got %v", err)
	}
}

// A server that refuses every token is asked twice, not for ever.
func TestTokenNeverGood(t *testing.T) {
	requests := 0
	c := scripted(t, func(r *http.Request) (int, http.Header, string) {
		requests++
		if r.Method == "POST" {
			return 201, http.Header{}, `{"session":{"token":"t","user_id":7}}`
		}
		return 401, http.Header{}, `{}`
	})
	var status *StatusError
	if _, err := c.User(t.Context(), 5); !errors.As(err, &status) || !status.Auth() || requests != 4 {
		t.Errorf("got %v after %d requests, want a refusal after 4", err, requests)
	}
}

func TestClock(t *testing.T) {
	for name, c := range map[string]struct {
		off  time.Duration
		auth bool
		want string
	}{
		"right":  {0, true, "auth_secret"},
		"ahead":  {3 * time.Hour, false, "clock is 3h0m0s ahead of the server's"},
		"behind": {-26 * time.Hour, false, "clock is 26h0m0s behind the server's"},
	} {
		synctest.Test(t, func(t *testing.T) {
			client := scripted(t, func(*http.Request) (int, http.Header, string) {
				return 422, http.Header{"Date": {time.Now().Add(-c.off).UTC().Format(http.TimeFormat)}}, `{"errors":{"base":["Unexpected signature"]}}`
			})
			_, err := client.Session(t.Context())
			var status *StatusError
			if !errors.As(err, &status) || status.Auth() != c.auth || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: got %v, want %q", name, err, c.want)
			}
		})
	}
}

func TestSilentServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := scripted(t, func(r *http.Request) (int, http.Header, string) {
			<-r.Context().Done()
			return 0, nil, ""
		})
		begin := time.Now()
		_, err := c.Session(t.Context())
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != requestTime {
			t.Errorf("got %v after %v, want a deadline after %v", err, time.Since(begin), requestTime)
		}
	})
}

func TestReplies(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"no JSON":      {201, "<html>", "not what was expected"},
		"no session":   {201, "{}", "neither a token nor a user"},
		"no user":      {201, `{"session":{"token":"t","user_id":0}}`, "neither a token nor a user"},
		"endless":      {201, strings.Repeat(" ", maxReply+1), "more than"},
		"repeats them": {401, `{"errors":["passw0rd is wrong, and so is s3cret"]}`, "(secret) is wrong, and so is (secret)"},
		"gateway":      {502, "<html>", "502 Bad Gateway"},
		"plan":         {429, "{}", "plan"},
	} {
		client := scripted(t, func(*http.Request) (int, http.Header, string) { return c.status, http.Header{}, c.body })
		if _, err := client.Session(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q in it", name, err, c.want)
		}
	}
}

func TestForm(t *testing.T) {
	got := encode(map[string]string{"user[password]": "p@ss word,+&=é", "a": "1"})
	if want := "a=1&user[password]=p%40ss%20word%2C%2B%26%3D%C3%A9"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSecretsStayHidden(t *testing.T) {
	cfg := Config{API: "https://api.example", AuthSecret: "s3cret", AccountKey: "acc0unt", Login: "door", Password: "passw0rd"}
	s := Session{Token: "t0ken", UserID: 7}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "cfg", cfg, "session", s)
	all := log.String() + fmt.Sprintf("%v %+v %#v %v %+v %#v", cfg, cfg, cfg, s, s, s)
	for _, secret := range []string{"s3cret", "acc0unt", "passw0rd", "t0ken"} {
		if strings.Contains(all, secret) {
			t.Errorf("%s is in %s", secret, all)
		}
	}
	if !strings.Contains(all, "door") || !strings.Contains(all, "user 7") {
		t.Errorf("got %s, want whose they are", all)
	}
}
