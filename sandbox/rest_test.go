package sandbox

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
)

// The vectors of the fact sheet, computed without this code.
func TestSignatureVectors(t *testing.T) {
	login := url.Values{"application_id": {"76730"}, "auth_key": {"Key-A"}, "nonce": {"4321"}, "timestamp": {"1700000000"},
		"user[login]": {"alice"}, "user[password]": {"p@ss word"}}
	app := url.Values{"application_id": {"76730"}, "auth_key": {"Key-A"}, "nonce": {"4321"}, "timestamp": {"1700000000"}}
	for _, x := range []struct {
		params    url.Values
		signature string
		want      bool
	}{
		{app, "dfa00a18fc65d9cdf14dbbe94b20df10aa4481fe", true},
		{login, "35b0ece4c61790ac3a41f170bcf72dfca7d30549", true},
		{login, "95f50042a87cd773b06abd070d9ba608fdb36a7edc50111b84c1661223c0f8d5", true},
		{app, "35b0ece4c61790ac3a41f170bcf72dfca7d30549", false},
		{app, "DFA00A18FC65D9CDF14DBBE94B20DF10AA4481FE", false},
		{app, "dfa0", false},
		{app, "", false},
		{app, "x", false},
	} {
		x.params.Set("signature", x.signature)
		if got := signed(x.params, "Secret-B"); got != x.want {
			t.Errorf("signature %q: got %v, want %v", x.signature, got, x.want)
		}
	}
}

func TestSession(t *testing.T) {
	_, addrs := start(t, nil)
	a := newAPI(t, addrs)
	status, v, head := a.do("POST", "/session.json", sign(request("1"), "Secret-B"))
	if status != 201 {
		t.Fatalf("got %d %v", status, v)
	}
	session := v["session"].(map[string]any)
	if session["user_id"] != 0.0 || session["application_id"] != 76730.0 || len(session["token"].(string)) != 40 {
		t.Errorf("got %v", session)
	}
	expires, err := time.Parse("2006-01-02 15:04:05 -0700", head.Get("QB-Token-ExpirationDate"))
	if d := time.Until(expires); err != nil || d < 119*time.Minute || d > 2*time.Hour {
		t.Errorf("the token lives %v (%v), want two hours", d, err)
	}
	a.token = session["token"].(string)
	got := a.want(200, "GET", "/session.json", "")["session"].(map[string]any)
	if !reflect.DeepEqual(got, session) {
		t.Errorf("read again: got %v, want %v", got, session)
	}
	a.want(403, "GET", "/subscriptions.json", "") // the application is nobody
	user := a.want(202, "POST", "/login.json", "login=alice&password=p%40ss%20word")["user"].(map[string]any)
	if user["id"] != 2001.0 || user["full_name"] != "Alice Doe" {
		t.Errorf("logged in as %v", user)
	}
	a.want(200, "GET", "/subscriptions.json", "")
	a.want(200, "DELETE", "/login.json", "")
	a.want(403, "DELETE", "/login.json", "")
	a.want(200, "DELETE", "/session.json", "")
	dead := a.want(401, "GET", "/session.json", "")
	if want := []any{"Required session does not exist"}; !reflect.DeepEqual(dead["errors"], want) {
		t.Errorf("dead token: got %v, want %v", dead["errors"], want)
	}
	a.token = ""
	a.want(401, "GET", "/session.json", "")
}

func TestSessionRefused(t *testing.T) {
	_, addrs := start(t, nil)
	a := newAPI(t, addrs)
	now := time.Now()
	at := func(d time.Duration) string { return fmt.Sprint(now.Add(d).Unix()) }
	a.want(201, "POST", "/session.json", sign(request("7", "timestamp", at(0)), "Secret-B"))
	for name, x := range map[string]struct {
		body   string
		status int
		field  string
	}{
		"wrong secret":      {sign(request("1"), "Secret-X"), 422, "base"},
		"changed after":     {strings.Replace(sign(request("1"), "Secret-B"), "nonce=1", "nonce=2", 1), 422, "base"},
		"added after":       {sign(request("1"), "Secret-B") + "&user%5Blogin%5D=alice", 422, "base"},
		"nonce again":       {sign(request("7", "timestamp", at(0)), "Secret-B"), 422, "nonce"},
		"clock behind":      {sign(request("1", "timestamp", at(-61*time.Minute)), "Secret-B"), 422, "timestamp"},
		"clock ahead":       {sign(request("1", "timestamp", at(61*time.Minute)), "Secret-B"), 422, "timestamp"},
		"other application": {sign(request("1", "application_id", "1"), "Secret-B"), 422, "application_id"},
		"other key":         {sign(request("1", "auth_key", "Key-X"), "Secret-B"), 422, "auth_key"},
		"no nonce":          {sign(request(""), "Secret-B"), 422, "nonce"},
		"word for nonce":    {sign(request("x"), "Secret-B"), 422, "nonce"},
		"facebook":          {sign(request("1", "provider", "facebook"), "Secret-B"), 422, "provider"},
		"wrong password":    {sign(request("1", "user[login]", "alice", "user[password]", "x"), "Secret-B"), 401, ""},
		"unknown user":      {sign(request("1", "user[login]", "eve", "user[password]", "x"), "Secret-B"), 401, ""},
		"bad form":          {"a=%zz", 400, ""},
		"bad JSON":          {"{", 400, ""},
	} {
		v := a.want(x.status, "POST", "/session.json", x.body)
		if x.field == "" {
			continue
		}
		if fields, _ := v["errors"].(map[string]any); fields[x.field] == nil {
			t.Errorf("%s: got %v, want an error of %s", name, v, x.field)
		}
	}
	// The other side of the limits.
	a.want(201, "POST", "/session.json", sign(request("7", "timestamp", at(-59*time.Minute)), "Secret-B"))
	a.want(201, "POST", "/session.json", sign(request("8", "user[email]", "carol@example.org", "user[password]", "carol-password"), "Secret-B"))
}

func TestTokenLife(t *testing.T) {
	s, addrs := start(t, func(c *Config) { c.TokenLife = time.Nanosecond })
	a := newAPI(t, addrs)
	a.login("1", "alice", "p@ss word")
	if s.store.chatPassword("2001-76730", a.token) {
		t.Error("a dead token is still a chat password")
	}
	a.want(401, "GET", "/session.json", "")
}

func TestChatPassword(t *testing.T) {
	s, addrs := start(t, nil)
	a := newAPI(t, addrs)
	a.login("1", "alice", "p@ss word")
	b := newAPI(t, addrs)
	b.token = b.want(201, "POST", "/session.json", sign(request("2"), "Secret-B"))["session"].(map[string]any)["token"].(string)
	for _, x := range []struct {
		node, password string
		want           bool
	}{
		{"2001-76730", "p@ss word", true},
		{"2001-76730", a.token, true},
		{"2001-76730", b.token, false}, // the application's
		{"2002-76730", a.token, false}, // somebody else's
		{"2001-76730", "", false},
		{"2001-1", "p@ss word", false},
		{"2001", "p@ss word", false},
		{"02001-76730", "p@ss word", false},
		{"9-76730", "p@ss word", false},
	} {
		if got := s.store.chatPassword(x.node, x.password); got != x.want {
			t.Errorf("%s with %q: got %v, want %v", x.node, x.password, got, x.want)
		}
	}
}

func TestUsers(t *testing.T) {
	_, addrs := start(t, nil)
	a := newAPI(t, addrs)
	a.login("1", "alice", "p@ss word")
	for path, want := range map[string]float64{
		"/users/2002.json":                             2002,
		"/users/by_login.json?login=bob":               2002,
		"/users/by_email.json?email=alice@example.org": 2001,
	} {
		if got := a.want(200, "GET", path, "")["user"].(map[string]any)["id"]; got != want {
			t.Errorf("%s: got %v, want %v", path, got, want)
		}
	}
	for _, path := range []string{"/users/9.json", "/users/by_login.json?login=eve", "/users/by_email.json", "/users/phone.json", "/users/2001", "/users/x.json", "/users/by_full_name.json", "/nothing.json"} {
		if v := a.want(404, "GET", path, ""); v["message"] == nil {
			t.Errorf("%s: got %v, want a message", path, v)
		}
	}
	for query, want := range map[string][]float64{
		"":                                        {2001, 2002, 2003},
		"?filter[]=number+id+in+2003,2001,5":      {2001, 2003},
		"?filter[]=number+id+gt+2001":             {2002, 2003},
		"?filter[]=number+id+between+2002,2003":   {2002, 2003},
		"?filter[]=string+login+eq+bob":           {2002},
		"?filter[]=string+full_name+ne+Bob+Doe":   {2001, 2003},
		"?order=desc+number+id":                   {2003, 2002, 2001},
		"?order=desc+string+login&per_page=2":     {2002, 2001},
		"?per_page=2&page=2":                      {2003},
		"?page=99":                                {},
		"?filter[]=date+created_at+gt+2099-01-01": {},
	} {
		v := a.want(200, "GET", "/users.json"+query, "")
		got := []float64{}
		for _, item := range v["items"].([]any) {
			got = append(got, item.(map[string]any)["user"].(map[string]any)["id"].(float64))
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", query, got, want)
		}
	}
	if v := a.want(200, "GET", "/users/by_tags.json?tags=second,third", ""); v["total_entries"] != 1.0 {
		t.Errorf("by tags: got %v", v)
	}
	if v := a.want(200, "GET", "/users/by_full_name.json?full_name=doe", ""); v["total_entries"] != 2.0 {
		t.Errorf("by name: got %v", v)
	}
	for _, query := range []string{"filter[]=id+in+1", "filter[]=number+id+in+x", "filter[]=number+id+near+1", "filter[]=string+password+eq+x",
		"filter[]=number+id+between+1", "order=up+number+id", "order=asc+string+password", "page=0", "per_page=x"} {
		a.want(422, "GET", "/users.json?"+query, "")
	}
}

func TestChangeUsers(t *testing.T) {
	_, addrs := start(t, nil)
	a := newAPI(t, addrs)
	a.token = a.want(201, "POST", "/session.json", sign(request("1"), "Secret-B"))["session"].(map[string]any)["token"].(string)
	user := a.want(201, "POST", "/users.json", "user[login]=dave&user[password]=dave-password&user[tag_list]=a,b")["user"].(map[string]any)
	if user["id"] != 2004.0 || user["user_tags"] != "a,b" || user["password"] != nil {
		t.Errorf("got %v", user)
	}
	a.want(422, "POST", "/users.json", "user[login]=dave&user[password]=dave-password")
	a.want(422, "POST", "/users.json", "user[login]=erin&user[password]=short")
	a.want(422, "POST", "/users.json", "user[login]=erin")
	a.want(422, "POST", "/users.json", "user[password]=erin-password")
	a.want(422, "POST", "/users.json", "user[login]=a+b&user[password]=erin-password")
	a.want(422, "POST", "/users.json", "user[email]=x&user[password]=erin-password")
	a.want(403, "PUT", "/users/2004.json", "user[full_name]=D")
	a.login("2", "dave", "dave-password")
	if got := a.want(200, "PUT", "/users/2004.json", `{"user":{"full_name":"Dave"}}`)["user"].(map[string]any); got["full_name"] != "Dave" || got["login"] != "dave" {
		t.Errorf("got %v", got)
	}
	a.want(403, "PUT", "/users/2001.json", "user[full_name]=D")
	a.want(422, "PUT", "/users/2004.json", "user[login]=alice")
	a.want(422, "PUT", "/users/2004.json", "user[password]=new-password")
	a.want(200, "PUT", "/users/2004.json", "user[password]=new-password&user[old_password]=dave-password")
	a.login("3", "dave", "new-password")
	a.want(200, "DELETE", "/users/2004.json", "")
	a.want(401, "GET", "/session.json", "")
}

func TestPush(t *testing.T) {
	_, addrs := start(t, nil)
	a := newAPI(t, addrs)
	a.login("1", "alice", "p@ss word")
	device := "notification_channel=gcm&push_token[environment]=production&push_token[client_identification_sequence]=T&device[platform]=android&device[udid]=U"
	for range 2 { // the same device again takes its own place
		list := a.want(201, "POST", "/subscriptions.json", device)["list"].([]any)
		if len(list) != 1 {
			t.Fatalf("got %d subscriptions, want 1", len(list))
		}
	}
	id := a.want(200, "GET", "/subscriptions.json", "")["list"].([]any)[0].(map[string]any)["subscription"].(map[string]any)["id"]
	a.want(200, "DELETE", fmt.Sprintf("/subscriptions/%v.json", id), "")
	a.want(404, "DELETE", fmt.Sprintf("/subscriptions/%v.json", id), "")
	for _, bad := range []string{"gcm", "production", "android"} {
		a.want(422, "POST", "/subscriptions.json", strings.Replace(device, bad, "x", 1))
	}

	event := `{"event":{"notification_type":"push","environment":"production","message":"aGk=","user":{"ids":[2002,2003]}}}`
	list := a.want(201, "POST", "/events.json", event)["list"].([]any)
	got := list[0].(map[string]any)["event"].(map[string]any)
	if want := []any{2002.0, 2003.0}; !reflect.DeepEqual(got["subscribers_selector"].(map[string]any)["user_ids"], want) || got["message"] != "aGk=" {
		t.Errorf("got %v", got)
	}
	a.want(201, "POST", "/events.json", strings.Replace(event, "[2002,2003]", `"2002,2003"`, 1))
	for old, bad := range map[string]string{`"push"`: `"pull"`, "production": "?", "aGk=": "?", "[2002,2003]": `["?"]`, `"ids"`: `"logins"`} {
		a.want(422, "POST", "/events.json", strings.Replace(event, old, bad, 1))
	}
	if v := a.want(200, "GET", "/events.json", ""); v["total_entries"] != 2.0 {
		t.Errorf("got %v events, want 2", v["total_entries"])
	}
	a.want(200, "GET", fmt.Sprintf("/events/%v.json", got["id"]), "")
	a.want(200, "DELETE", fmt.Sprintf("/events/%v.json", got["id"]), "")
	a.want(404, "GET", fmt.Sprintf("/events/%v.json", got["id"]), "")
}

func TestAccountSettings(t *testing.T) {
	_, addrs := start(t, nil)
	a := newAPI(t, addrs)
	a.want(401, "GET", "/account_settings.json", "")
	req, err := http.NewRequest("GET", a.base+"/account_settings.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("QB-Account-Key", "Account-C")
	res, err := a.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 200 {
		t.Errorf("got %d, want 200", res.StatusCode)
	}
}

func TestBrowsersMayCall(t *testing.T) {
	_, addrs := start(t, nil)
	a := newAPI(t, addrs)
	status, _, head := a.do("OPTIONS", "/session.json", "")
	if status != 204 {
		t.Errorf("got %d, want 204", status)
	}
	for _, want := range []string{"Content-Type", "QB-Token", "QB-SDK", "QB-OS", "QB-Account-Key"} {
		if !strings.Contains(head.Get("Access-Control-Allow-Headers"), want) {
			t.Errorf("%s is not allowed: %s", want, head.Get("Access-Control-Allow-Headers"))
		}
	}
	_, _, head = a.do("GET", "/session.json", "")
	if head.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(head.Get("Access-Control-Expose-Headers"), "QB-Token-ExpirationDate") {
		t.Errorf("got %v", head)
	}
}

func TestLargeBody(t *testing.T) {
	_, addrs := start(t, nil)
	a := newAPI(t, addrs)
	a.want(413, "POST", "/session.json", strings.Repeat("a", maxBody+1))
}
