package keyring

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Link is what an app needs to know to be a paired one. It holds the secret: it is shown
// once, to the resident, and kept nowhere.
type Link struct {
	Door   int64 // the door's user id
	User   int64 // the resident's
	ID     string
	Secret []byte
	Lock   string // the first lock's name
}

const linkScheme = "intercom-pair:v1?"

// String returns the link as text: intercom-pair:v1?door=1001&key=...&lock=...&secret=...&user=2001,
// with the secret in base64 for URLs, without padding.
func (l Link) String() string {
	v := url.Values{
		"door": {strconv.FormatInt(l.Door, 10)}, "user": {strconv.FormatInt(l.User, 10)}, "key": {l.ID},
		"secret": {base64.RawURLEncoding.EncodeToString(l.Secret)},
	}
	if l.Lock != "" {
		v.Set("lock", l.Lock)
	}
	return linkScheme + v.Encode()
}

// ParseLink reads what String has written. The error does not show the secret.
func ParseLink(text string) (Link, error) {
	query, ok := strings.CutPrefix(text, linkScheme)
	if !ok {
		return Link{}, errors.New("it does not begin with " + linkScheme)
	}
	v, err := url.ParseQuery(query)
	if err != nil {
		return Link{}, errors.New("it is no link")
	}
	var l Link
	for _, n := range []struct {
		name string
		to   *int64
	}{{"door", &l.Door}, {"user", &l.User}} {
		if *n.to, err = strconv.ParseInt(v.Get(n.name), 10, 64); err != nil || *n.to <= 0 {
			return Link{}, fmt.Errorf("its %s is no user id", n.name)
		}
	}
	l.ID, l.Lock = v.Get("key"), v.Get("lock")
	l.Secret, err = base64.RawURLEncoding.DecodeString(v.Get("secret"))
	if err != nil || len(l.Secret) != SecretSize || l.ID == "" {
		return Link{}, errors.New("its key is incomplete")
	}
	return l, nil
}
