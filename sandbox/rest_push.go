package sandbox

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// subscription is a device that wants push notifications. Nothing is ever pushed: there
// are no phones behind a sandbox.
type subscription struct {
	id                         int64
	channel, platform, udid    string
	environment, token, bundle string
}

// event is a push notification that was asked for, and kept so that one can look.
type event struct {
	id, user  int64
	created   time.Time
	recipient []int64
	fields    map[string]string
}

// Words that the parameters of push calls may have.
var (
	channels     = []string{"apns", "apns_voip", "gcm", "email"}
	platforms    = []string{"ios", "android"}
	environments = []string{"development", "production"}
	eventTypes   = []string{"one_shot", "fixed_date", "period_date"}
)

func (s *Server) subscribe(c *call) (answer, error) {
	sub := subscription{
		platform: c.params.Get("device[platform]"), udid: c.params.Get("device[udid]"),
		environment: c.params.Get("push_token[environment]"), token: c.params.Get("push_token[client_identification_sequence]"),
		bundle: c.params.Get("push_token[bundle_identifier]"),
	}
	// Both names are in use.
	sub.channel = c.params.Get("notification_channel") + c.params.Get("notification_channels")
	switch {
	case !slices.Contains(channels, sub.channel):
		return answer{}, invalid("notification_channel", "is one of "+strings.Join(channels, ", "))
	case !slices.Contains(environments, sub.environment):
		return answer{}, invalid("environment", "is one of "+strings.Join(environments, ", "))
	case !slices.Contains(platforms, sub.platform):
		return answer{}, invalid("platform", "is one of "+strings.Join(platforms, ", "))
	case sub.token == "":
		return answer{}, invalid("client_identification_sequence", "is required")
	case sub.udid == "":
		return answer{}, invalid("udid", "is required")
	}
	all, err := s.store.subscribe(c.session.User, sub)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusCreated, subscriptionList(all)}, nil
}

// subscribe adds a device, in the place of the same one, and returns the user's.
func (s *store) subscribe(user int64, sub subscription) ([]subscription, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.DeleteFunc(slices.Clone(s.devices[user]), func(o subscription) bool {
		return o.udid == sub.udid && o.channel == sub.channel
	})
	if len(all) >= maxDevices {
		return nil, invalid("base", "a user has at most "+strconv.Itoa(maxDevices)+" subscriptions")
	}
	s.last++
	sub.id = s.last
	s.devices[user] = append(all, sub)
	return slices.Clone(s.devices[user]), nil
}

func subscriptionList(all []subscription) []any {
	list := []any{}
	for _, o := range all {
		list = append(list, map[string]any{"subscription": map[string]any{
			"id": o.id, "_id": strconv.FormatInt(o.id, 10), "bundle_identifier": o.bundle, "client_identification_sequence": o.token,
			"notification_channel": map[string]any{"name": o.channel},
			"device":               map[string]any{"udid": o.udid, "platform": map[string]any{"name": o.platform}},
		}})
	}
	return list
}

func (s *Server) listSubscriptions(c *call) (answer, error) {
	s.store.mu.Lock()
	all := slices.Clone(s.store.devices[c.session.User])
	s.store.mu.Unlock()
	return answer{http.StatusOK, subscriptionList(all)}, nil
}

func (s *Server) unsubscribe(c *call) (answer, error) {
	id, _ := c.id("file")
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	all := s.store.devices[c.session.User]
	i := slices.IndexFunc(all, func(o subscription) bool { return o.id == id })
	if i < 0 {
		return answer{}, errNotFound
	}
	s.store.devices[c.session.User] = slices.Delete(all, i, i+1)
	return answer{http.StatusOK, nil}, nil
}

// createEvent checks a push notification and keeps it.
func (s *Server) createEvent(c *call) (answer, error) {
	e := event{user: c.session.User, created: time.Now(), fields: map[string]string{}}
	for _, name := range []string{"notification_type", "environment", "event_type", "push_type", "message", "name", "date", "period"} {
		e.fields[name] = c.params.Get("event[" + name + "]")
	}
	if e.fields["event_type"] == "" {
		e.fields["event_type"] = "one_shot"
	}
	push := e.fields["push_type"]
	switch {
	case e.fields["notification_type"] != "push" && e.fields["notification_type"] != "email":
		return answer{}, invalid("notification_type", "is push or email")
	case !slices.Contains(environments, e.fields["environment"]):
		return answer{}, invalid("environment", "is one of "+strings.Join(environments, ", "))
	case !slices.Contains(eventTypes, e.fields["event_type"]):
		return answer{}, invalid("event_type", "is one of "+strings.Join(eventTypes, ", "))
	case push != "" && (push == "email" || !slices.Contains(channels, push)):
		return answer{}, invalid("push_type", "is one of "+strings.Join(channels[:3], ", "))
	case e.fields["message"] == "":
		return answer{}, invalid("message", "is required")
	}
	if _, err := base64.StdEncoding.DecodeString(e.fields["message"]); err != nil && push == "" {
		return answer{}, invalid("message", "is base64 unless push_type is set")
	}
	var err error
	if e.recipient, err = c.recipients(); err != nil {
		return answer{}, err
	}
	e = s.store.keep(e)
	if push == "" { // to every kind of phone, each of which has an event
		return answer{http.StatusCreated, []any{map[string]any{"event": eventBody(e)}}}, nil
	}
	return answer{http.StatusCreated, map[string]any{"event": eventBody(e)}}, nil
}

// recipients reads to whom a notification goes: a list, or numbers separated by commas.
func (c *call) recipients() ([]int64, error) {
	var ids []int64
	text := strings.Join(append(c.params["event[user][ids]"], c.params["event[user][ids][]"]...), ",")
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		id, err := strconv.ParseInt(part, 10, 64)
		if err != nil || id <= 0 {
			return nil, invalid("user", strconv.Quote(part)+" is not a user's id")
		}
		ids = append(ids, id)
	}
	for key := range c.params {
		if strings.HasPrefix(key, "event[user][tags]") || strings.HasPrefix(key, "event[external_user][ids]") {
			return ids, nil
		}
	}
	if len(ids) == 0 {
		return nil, invalid("user", "nobody to notify")
	}
	return ids, nil
}

// keep numbers an event and stores it, in the place of the oldest if need be.
func (s *store) keep(e event) event {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	e.id = s.last
	if len(s.events) >= maxEvents {
		s.events = slices.Delete(s.events, 0, 1)
	}
	s.events = append(s.events, e)
	return e
}

func eventBody(e event) map[string]any {
	body := map[string]any{
		"id": e.id, "user_id": e.user, "active": true, "occured_count": 0, "created_at": stamp(e.created), "updated_at": stamp(e.created),
		"subscribers_selector": map[string]any{"user_ids": e.recipient},
	}
	for k, v := range e.fields {
		body[k] = nil
		if v != "" {
			body[k] = v
		}
	}
	return body
}

func (s *Server) listEvents(c *call) (answer, error) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	var own []event
	for _, e := range s.store.events {
		if e.user == c.session.User {
			own = append(own, e)
		}
	}
	return list(c, own, "event", eventBody)
}

// event finds one of the caller's events. The caller holds the lock.
func (s *Server) event(c *call) (int, bool) {
	id, _ := c.id("file")
	i := slices.IndexFunc(s.store.events, func(e event) bool { return e.id == id && e.user == c.session.User })
	return i, i >= 0
}

func (s *Server) readEvent(c *call) (answer, error) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	i, ok := s.event(c)
	if !ok {
		return answer{}, errNotFound
	}
	return answer{http.StatusOK, map[string]any{"event": eventBody(s.store.events[i])}}, nil
}

func (s *Server) deleteEvent(c *call) (answer, error) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	i, ok := s.event(c)
	if !ok {
		return answer{}, errNotFound
	}
	s.store.events = slices.Delete(s.store.events, i, i+1)
	return answer{http.StatusOK, nil}, nil
}
