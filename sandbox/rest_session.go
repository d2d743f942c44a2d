package sandbox

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// accountSettings tells a paying account its own hosts.
func (s *Server) accountSettings(c *call) (answer, error) {
	key := s.store.app.AccountKey.Reveal()
	if key == "" || !same(key, c.Header.Get("QB-Account-Key")) {
		return answer{}, errUnauthorized
	}
	return answer{http.StatusOK, map[string]any{
		"account_id": 1, "api_endpoint": s.base(), "chat_endpoint": s.cfg.Domain, "turnserver_endpoint": "", "s3_bucket_name": "",
	}}, nil
}

// createSession opens a session for whoever can sign, and for a user who can log in.
func (s *Server) createSession(c *call) (answer, error) {
	n, err := s.verify(c.params)
	if err != nil {
		return answer{}, err
	}
	var user int64
	if c.params.Has("user[login]") || c.params.Has("user[email]") {
		u, ok := s.store.password(c.params.Get("user[login]"), c.params.Get("user[email]"), c.params.Get("user[password]"))
		if !ok {
			return answer{}, errUnauthorized
		}
		user = u.ID
	} else if c.params.Has("provider") {
		return answer{}, invalid("provider", "is not offered here")
	}
	x, err := s.store.open(user, n)
	if err != nil {
		return answer{}, err
	}
	c.expires(x)
	return answer{http.StatusCreated, map[string]any{"session": s.sessionBody(x)}}, nil
}

// verify checks what a session is opened with, and the signature over it.
func (s *Server) verify(params url.Values) (nonce, error) {
	var n nonce
	for _, name := range []string{"application_id", "auth_key", "nonce", "timestamp", "signature"} {
		if params.Get(name) == "" {
			return n, invalid(name, "is required")
		}
	}
	var err error
	if n.timestamp, err = strconv.ParseInt(params.Get("timestamp"), 10, 64); err != nil {
		return n, invalid("timestamp", "must be a number of seconds")
	}
	if n.value, err = strconv.ParseInt(params.Get("nonce"), 10, 64); err != nil {
		return n, invalid("nonce", "must be a number")
	}
	if params.Get("application_id") != strconv.FormatInt(s.store.app.ID, 10) {
		return n, invalid("application_id", "No application found")
	}
	if params.Get("auth_key") != s.store.app.AuthKey {
		return n, invalid("auth_key", "is not the application's")
	}
	if !signed(params, s.store.app.AuthSecret.Reveal()) {
		return n, invalid("base", "Unexpected signature")
	}
	// After the signature, so that only who can sign learns of the server's clock.
	if age := time.Since(time.Unix(n.timestamp, 0)).Abs(); age >= signatureSkew {
		return n, invalid("timestamp", "is more than an hour off")
	}
	return n, nil
}

// signed tells whether the signature is the HMAC, by SHA-1 or SHA-256, of all other
// parameters: sorted as text, joined by "&", not escaped.
func signed(params url.Values, secret string) bool {
	got, err := hex.DecodeString(params.Get("signature"))
	if err != nil || hex.EncodeToString(got) != params.Get("signature") {
		return false // upper case is refused too: nobody sends it
	}
	var pairs []string
	for k, values := range params {
		for _, v := range values {
			if k != "signature" {
				pairs = append(pairs, k+"="+v)
			}
		}
	}
	slices.Sort(pairs)
	algorithm := map[int]func() hash.Hash{sha1.Size: sha1.New, sha256.Size: sha256.New}[len(got)]
	if algorithm == nil {
		return false
	}
	mac := hmac.New(algorithm, []byte(secret))
	mac.Write([]byte(strings.Join(pairs, "&")))
	return hmac.Equal(mac.Sum(nil), got)
}

func (s *Server) sessionBody(x session) map[string]any {
	return map[string]any{
		"_id": x.Token[:24], "id": x.ID, "application_id": s.store.app.ID, "user_id": x.User, "token": x.Token,
		"nonce": x.Nonce, "ts": x.Timestamp, "created_at": stamp(x.Created), "updated_at": stamp(x.Updated),
	}
}

func (s *Server) readSession(c *call) (answer, error) {
	return answer{http.StatusOK, map[string]any{"session": s.sessionBody(c.session)}}, nil
}

func (s *Server) destroySession(c *call) (answer, error) {
	s.store.destroy(c.session.Token)
	c.header.Del("QB-Token-ExpirationDate")
	return answer{http.StatusOK, nil}, nil
}

// login makes a user's session of an application's.
func (s *Server) login(c *call) (answer, error) {
	if c.params.Has("provider") {
		return answer{}, invalid("provider", "is not offered here")
	}
	u, ok := s.store.password(c.params.Get("login"), c.params.Get("email"), c.params.Get("password"))
	if !ok {
		return answer{}, errUnauthorized
	}
	s.store.become(c.session.Token, u.ID)
	return answer{http.StatusAccepted, map[string]any{"user": userBody(u)}}, nil
}

func (s *Server) logout(c *call) (answer, error) {
	s.store.become(c.session.Token, 0)
	return answer{http.StatusOK, nil}, nil
}
