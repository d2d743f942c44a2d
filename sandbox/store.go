package sandbox

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"intercom/internal/conf"
)

// Bounds of what is kept.
const (
	maxSessions = 50_000
	maxUsers    = 100_000
	maxEvents   = 1000 // the oldest go
	maxDevices  = 10   // subscriptions of one user
)

// signatureSkew is how far a client's clock may be off.
const signatureSkew = time.Hour

// store is all that the REST service remembers. Its methods may be called from any
// goroutine; what they return are copies.
type store struct {
	app  Application
	life time.Duration

	mu       sync.Mutex
	last     int64 // the newest number of sessions, subscriptions, events and files
	users    map[int64]*account
	sessions map[string]*session // by token
	nonces   map[nonce]struct{}
	devices  map[int64][]subscription // by user
	events   []event
	files    files
}

// account is a user with what has happened to it.
type account struct {
	User
	Phone, Website, CustomData string
	External                   string // id in another system
	Blob                       int64
	Created, Updated, Seen     time.Time
}

// session is what a token stands for. User 0 is the application itself, which may read.
type session struct {
	ID, User         int64
	Token            string
	Nonce, Timestamp int64
	Created, Updated time.Time
	Expires          time.Time
}

// nonce is a pair that signs once.
type nonce struct{ timestamp, value int64 }

func newStore(a Accounts, life time.Duration) *store {
	s := &store{app: a.Application, life: life, users: map[int64]*account{}, sessions: map[string]*session{},
		nonces: map[nonce]struct{}{}, devices: map[int64][]subscription{}}
	now := time.Now()
	for _, u := range a.Users {
		u.Tags = slices.Clone(u.Tags)
		s.users[u.ID] = &account{User: u, Created: now, Updated: now}
	}
	return s
}

// node returns the part of a user's chat address before the "@".
func (s *store) node(user int64) string {
	return strconv.FormatInt(user, 10) + "-" + strconv.FormatInt(s.app.ID, 10)
}

// chatPassword tells whether a password is the user's own, or the token of a session of
// the user.
func (s *store) chatPassword(node, password string) bool {
	id, app, _ := strings.Cut(node, "-")
	user, err := strconv.ParseInt(id, 10, 64)
	if err != nil || node != s.node(user) || app == "" {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.users[user]
	if u == nil {
		return false
	}
	if same(u.Password.Reveal(), password) {
		return true
	}
	x := s.sessions[password]
	return x != nil && x.User == user && time.Now().Before(x.Expires)
}

// same compares secrets.
func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// open makes a session for a user that has proved who they are, or for the application.
func (s *store) open(user int64, n nonce) (session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for k := range s.nonces {
		if time.Unix(k.timestamp, 0).Before(now.Add(-signatureSkew)) {
			delete(s.nonces, k) // such a timestamp is refused anyway
		}
	}
	if _, used := s.nonces[n]; used {
		return session{}, invalid("nonce", "has been used with this timestamp")
	}
	if len(s.sessions) >= maxSessions {
		s.expire(now)
	}
	if len(s.sessions) >= maxSessions || len(s.nonces) >= maxSessions {
		return session{}, &restError{http.StatusTooManyRequests, []string{"too many sessions"}}
	}
	s.nonces[n] = struct{}{}
	var token [20]byte
	rand.Read(token[:])
	s.last++
	x := &session{ID: s.last, User: user, Token: hex.EncodeToString(token[:]), Nonce: n.value, Timestamp: n.timestamp,
		Created: now, Updated: now, Expires: now.Add(s.life)}
	s.sessions[x.Token] = x
	if u := s.users[user]; u != nil {
		u.Seen = now
	}
	return *x, nil
}

func (s *store) expire(now time.Time) {
	for t, x := range s.sessions {
		if !now.Before(x.Expires) {
			delete(s.sessions, t)
		}
	}
}

// touch finds the session of a token and prolongs it: a session lives on as long as it is
// used.
func (s *store) touch(token string) (session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	x := s.sessions[token]
	if x == nil || !now.Before(x.Expires) {
		delete(s.sessions, token)
		return session{}, false
	}
	x.Expires = now.Add(s.life)
	if u := s.users[x.User]; u != nil {
		u.Seen = now
	}
	return *x, true
}

// become gives a session to a user; 0 takes it back to the application.
func (s *store) become(token string, user int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.sessions[token]; x != nil {
		x.User, x.Updated = user, time.Now()
	}
}

// destroy ends a session.
func (s *store) destroy(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, token)
}

// password finds the user of a login or an address with this password.
func (s *store) password(login, email, password string) (account, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.users {
		if login != "" && u.Login == login || login == "" && email != "" && strings.EqualFold(u.Email, email) {
			return *u, same(u.Password.Reveal(), password)
		}
	}
	return account{}, false
}

// user returns a user by id.
func (s *store) user(id int64) (account, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.users[id]
	if u == nil {
		return account{}, false
	}
	return *u, true
}

// find returns the users that match, in the order of their ids.
func (s *store) find(match func(*account) bool) []account {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []account
	for _, u := range s.users {
		if match(u) {
			all = append(all, *u)
		}
	}
	slices.SortFunc(all, func(a, b account) int { return int(a.ID - b.ID) })
	return all
}

// save adds a user, if its id is 0, or changes one.
func (s *store) save(u account) (account, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var highest int64
	for id, o := range s.users {
		highest = max(highest, id)
		if id == u.ID {
			continue
		}
		if u.Login != "" && o.Login == u.Login {
			return account{}, invalid("login", "has already been taken")
		}
		if u.Email != "" && strings.EqualFold(o.Email, u.Email) {
			return account{}, invalid("email", "has already been taken")
		}
	}
	u.Updated = time.Now()
	if u.ID == 0 {
		if len(s.users) >= maxUsers {
			return account{}, &restError{http.StatusForbidden, []string{"too many users"}}
		}
		u.ID, u.Created = highest+1, u.Updated
	}
	s.users[u.ID] = &u
	return u, nil
}

// remove deletes a user and all of their sessions.
func (s *store) remove(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.users, id)
	delete(s.devices, id)
	for t, x := range s.sessions {
		if x.User == id {
			delete(s.sessions, t)
		}
	}
}

// setPassword is where a request's password becomes a secret.
func (u *account) setPassword(p string) error {
	if len(p) < 8 || len(p) > 40 {
		return invalid("password", "is too short or too long (8 to 40 characters)")
	}
	u.Password = conf.Secret(p)
	return nil
}
