package sandbox

import (
	"cmp"
	"net/http"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"time"
)

func userBody(u account) map[string]any {
	text := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	body := map[string]any{
		"id": u.ID, "full_name": text(u.FullName), "login": text(u.Login), "email": text(u.Email), "phone": text(u.Phone),
		"website": text(u.Website), "custom_data": text(u.CustomData), "user_tags": text(strings.Join(u.Tags, ",")),
		"external_user_id": text(u.External), "facebook_id": nil, "twitter_id": nil, "blob_id": nil,
		"created_at": stamp(u.Created), "updated_at": stamp(u.Updated), "last_request_at": stamp(u.Seen),
	}
	if u.Blob != 0 {
		body["blob_id"] = u.Blob
	}
	return body
}

// listUsers answers with the users that all filters let through.
func (s *Server) listUsers(c *call) (answer, error) {
	var filters []filter
	for _, text := range append(c.params["filter[]"], c.params["filter"]...) {
		f, err := parseFilter(text)
		if err != nil {
			return answer{}, err
		}
		filters = append(filters, f)
	}
	all := s.store.find(func(u *account) bool {
		return !slices.ContainsFunc(filters, func(f filter) bool { return !f.match(u) })
	})
	if err := order(all, c.params.Get("order")); err != nil {
		return answer{}, err
	}
	return list(c, all, "user", userBody)
}

// findUser answers /users/{id}.json and /users/by_….json.
func (s *Server) findUser(c *call) (answer, error) {
	if id, ok := c.id("file"); ok {
		u, ok := s.store.user(id)
		if !ok {
			return answer{}, errNotFound
		}
		return answer{http.StatusOK, map[string]any{"user": userBody(u)}}, nil
	}
	var match func(*account) bool
	many := false
	switch c.PathValue("file") {
	case "by_login.json":
		match = func(u *account) bool { return u.Login == c.params.Get("login") }
	case "by_email.json":
		match = func(u *account) bool { return strings.EqualFold(u.Email, c.params.Get("email")) && u.Email != "" }
	case "phone.json":
		match = func(u *account) bool { return u.Phone == c.params.Get("phone") && u.Phone != "" }
	case "by_full_name.json":
		many = true
		name := strings.ToLower(c.params.Get("full_name"))
		match = func(u *account) bool { return name != "" && strings.Contains(strings.ToLower(u.FullName), name) }
	case "by_tags.json":
		many = true
		tags := strings.Split(strings.Join(append(c.params["tags"], c.params["tags[]"]...), ","), ",")
		match = func(u *account) bool {
			return slices.ContainsFunc(u.Tags, func(t string) bool { return slices.Contains(tags, t) })
		}
	default:
		return answer{}, errNotFound
	}
	found := s.store.find(match)
	if len(found) == 0 {
		return answer{}, errNotFound
	}
	if many {
		return list(c, found, "user", userBody)
	}
	return answer{http.StatusOK, map[string]any{"user": userBody(found[0])}}, nil
}

func (s *Server) createUser(c *call) (answer, error) {
	var u account
	if err := c.userFields(&u); err != nil {
		return answer{}, err
	}
	if u.Login == "" && u.Email == "" {
		return answer{}, invalid("base", "login or email is required")
	}
	if u.Password == "" {
		return answer{}, invalid("password", "is required")
	}
	u, err := s.store.save(u)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusCreated, map[string]any{"user": userBody(u)}}, nil
}

// updateUser changes the caller's own account. Who changes the password proves to know the
// old one.
func (s *Server) updateUser(c *call) (answer, error) {
	u, err := s.own(c)
	if err != nil {
		return answer{}, err
	}
	if c.params.Has("user[password]") && !same(u.Password.Reveal(), c.params.Get("user[old_password]")) {
		return answer{}, invalid("base", "old_password is wrong")
	}
	if err := c.userFields(&u); err != nil {
		return answer{}, err
	}
	if u, err = s.store.save(u); err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, map[string]any{"user": userBody(u)}}, nil
}

func (s *Server) deleteUser(c *call) (answer, error) {
	u, err := s.own(c)
	if err != nil {
		return answer{}, err
	}
	s.store.remove(u.ID)
	s.Kick(u.ID)
	return answer{http.StatusOK, nil}, nil
}

// own returns the user that the path names, who must be the caller.
func (s *Server) own(c *call) (account, error) {
	id, ok := c.id("file")
	if !ok {
		return account{}, errNotFound
	}
	u, ok := s.store.user(id)
	switch {
	case !ok:
		return account{}, errNotFound
	case id != c.session.User:
		return account{}, errForbidden
	}
	return u, nil
}

// userFields takes the fields of a user that the caller may set.
func (c *call) userFields(u *account) error {
	for name, field := range map[string]*string{
		"login": &u.Login, "email": &u.Email, "full_name": &u.FullName, "phone": &u.Phone,
		"website": &u.Website, "custom_data": &u.CustomData, "external_user_id": &u.External,
	} {
		if key := "user[" + name + "]"; c.params.Has(key) {
			if *field = c.params.Get(key); len(*field) > 5000 {
				return invalid(name, "is too long")
			}
		}
	}
	if strings.ContainsAny(u.Login, " \t\r\n") {
		return invalid("login", "must not have blanks")
	}
	if u.Email != "" {
		if m, err := mail.ParseAddress(u.Email); err != nil || m.Address != u.Email {
			return invalid("email", "is not an address")
		}
	}
	if c.params.Has("user[tag_list]") {
		u.Tags = strings.FieldsFunc(c.params.Get("user[tag_list]"), func(r rune) bool { return r == ',' })
	}
	if text := c.params.Get("user[blob_id]"); text != "" {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return invalid("blob_id", "must be a number")
		}
		u.Blob = id
	}
	if c.params.Has("user[password]") {
		return u.setPassword(c.params.Get("user[password]"))
	}
	return nil
}

// filter is "type field operator value", such as "number id in 1,2".
type filter struct {
	field    string
	operator string
	values   []string
}

// Columns that can be filtered and sorted by, and how they compare.
var columns = map[string]struct {
	kind  string
	value func(*account) string
}{
	"id":               {"number", func(u *account) string { return strconv.FormatInt(u.ID, 10) }},
	"full_name":        {"string", func(u *account) string { return u.FullName }},
	"login":            {"string", func(u *account) string { return u.Login }},
	"email":            {"string", func(u *account) string { return u.Email }},
	"phone":            {"string", func(u *account) string { return u.Phone }},
	"website":          {"string", func(u *account) string { return u.Website }},
	"external_user_id": {"string", func(u *account) string { return u.External }},
	"created_at":       {"date", func(u *account) string { return u.Created.UTC().Format(time.RFC3339) }},
	"updated_at":       {"date", func(u *account) string { return u.Updated.UTC().Format(time.RFC3339) }},
	"last_request_at":  {"date", func(u *account) string { return u.Seen.UTC().Format(time.RFC3339) }},
}

func parseFilter(text string) (filter, error) {
	parts := strings.SplitN(text, " ", 4)
	if len(parts) != 4 {
		return filter{}, invalid("filter", "is written as: type field operator value")
	}
	f := filter{field: parts[1], operator: parts[2], values: []string{parts[3]}}
	if _, ok := columns[f.field]; !ok {
		return f, invalid("filter", "cannot filter by "+strconv.Quote(f.field))
	}
	switch f.operator {
	case "gt", "lt", "ge", "le", "eq", "ne":
	case "in", "between":
		f.values = strings.Split(parts[3], ",")
		if f.operator == "between" && len(f.values) != 2 {
			return f, invalid("filter", "between has two values")
		}
	default:
		return f, invalid("filter", "there is no operator "+strconv.Quote(f.operator))
	}
	if columns[f.field].kind == "number" {
		for _, v := range f.values {
			if _, err := strconv.ParseInt(v, 10, 64); err != nil {
				return f, invalid("filter", strconv.Quote(v)+" is not a number")
			}
		}
	}
	return f, nil
}

func (f filter) match(u *account) bool {
	col := columns[f.field]
	got := col.value(u)
	is := func(v string) int { return compare(col.kind, got, v) }
	switch f.operator {
	case "gt":
		return is(f.values[0]) > 0
	case "lt":
		return is(f.values[0]) < 0
	case "ge":
		return is(f.values[0]) >= 0
	case "le":
		return is(f.values[0]) <= 0
	case "ne":
		return is(f.values[0]) != 0
	case "between":
		return is(f.values[0]) >= 0 && is(f.values[1]) <= 0
	}
	return slices.ContainsFunc(f.values, func(v string) bool { return is(v) == 0 }) // eq, in
}

// compare orders two values of a column. Dates are in a format that sorts as text.
func compare(kind, a, b string) int {
	if kind != "number" {
		return cmp.Compare(a, b)
	}
	x, _ := strconv.ParseInt(a, 10, 64) // both were checked
	y, _ := strconv.ParseInt(b, 10, 64)
	return cmp.Compare(x, y)
}

// order sorts users by "asc|desc type field"; "" leaves them in the order of ids.
func order(all []account, text string) error {
	if text == "" {
		return nil
	}
	parts := strings.Fields(text)
	if len(parts) != 3 || parts[0] != "asc" && parts[0] != "desc" {
		return invalid("order", "is written as: asc|desc type field")
	}
	col, ok := columns[parts[2]]
	if !ok {
		return invalid("order", "cannot sort by "+strconv.Quote(parts[2]))
	}
	slices.SortStableFunc(all, func(a, b account) int {
		n := compare(col.kind, col.value(&a), col.value(&b))
		if parts[0] == "desc" {
			return -n
		}
		return n
	})
	return nil
}
