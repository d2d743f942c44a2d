package sandbox

import (
	"fmt"
	"log/slog"
	"net/mail"

	"intercom/internal/conf"
)

// Accounts are an application and its users. Passwords and keys are as long as one likes,
// but not empty.
type Accounts struct {
	Application Application `toml:"application"`
	Users       []User      `toml:"user"`
}

// Application is what the QuickBlox dashboard shows of one.
type Application struct {
	ID         int64       `toml:"id"`
	AuthKey    string      `toml:"auth_key"`
	AuthSecret conf.Secret `toml:"auth_secret"`
	AccountKey conf.Secret `toml:"account_key"` // optional
}

// User is one account.
type User struct {
	ID       int64       `toml:"id"`
	Login    string      `toml:"login"` // or Email, or both
	Email    string      `toml:"email"`
	Password conf.Secret `toml:"password"`
	FullName string      `toml:"full_name"`
	Tags     []string    `toml:"tags"`
}

// LogValue shows who it is.
func (u User) LogValue() slog.Value {
	return slog.GroupValue(slog.Int64("id", u.ID), slog.String("login", u.Login))
}

// LoadAccounts reads a TOML file:
//
//	[application]
//	id = 1
//	auth_key = "key"
//	auth_secret = "file:/etc/intercom/auth_secret"  # or env:NAME, credential:NAME, or itself
//	account_key = "account"                         # optional
//
//	[[user]]
//	id = 2001
//	login = "anna"
//	password = "env:ANNA"
//	full_name = "Anna"                              # optional, as are email and tags
//
// Errors are of type *conf.Error and name the line.
func LoadAccounts(path string) (Accounts, error) {
	var a Accounts
	f, err := conf.Load(path, &a)
	if err != nil {
		return Accounts{}, err
	}
	secrets := map[string]*conf.Secret{
		"application.auth_secret": &a.Application.AuthSecret, "application.account_key": &a.Application.AccountKey,
	}
	for i := range a.Users {
		secrets[fmt.Sprintf("user.%d.password", i)] = &a.Users[i].Password
	}
	for key, s := range secrets {
		if *s, err = s.Resolve(); err != nil {
			return Accounts{}, f.Errorf(key, "%v", err)
		}
	}
	if err := a.check(f); err != nil {
		return Accounts{}, err
	}
	return a, nil
}

// check refuses accounts that cannot work. f is the file that they are from, or nil.
func (a *Accounts) check(f *conf.File) error {
	bad := func(key, format string, args ...any) error {
		if f != nil {
			return f.Errorf(key, format, args...)
		}
		return fmt.Errorf("sandbox: accounts: %s: %s", key, fmt.Sprintf(format, args...))
	}
	switch app := a.Application; {
	case app.ID <= 0:
		return bad("application.id", "must be a positive number")
	case app.AuthKey == "":
		return bad("application.auth_key", "must be set")
	case app.AuthSecret == "":
		return bad("application.auth_secret", "must be set")
	}
	ids, names := map[int64]bool{}, map[string]bool{}
	for i, u := range a.Users {
		key := func(name string) string { return fmt.Sprintf("user.%d.%s", i, name) }
		switch {
		case u.ID <= 0:
			return bad(key("id"), "must be a positive number")
		case ids[u.ID]:
			return bad(key("id"), "%d is another user's already", u.ID)
		case u.Login == "" && u.Email == "":
			return bad(key("login"), "must be set, or email")
		case u.Login != "" && names[u.Login]:
			return bad(key("login"), "%q is another user's already", u.Login)
		case u.Password == "":
			return bad(key("password"), "must be set")
		}
		if u.Email != "" {
			if m, err := mail.ParseAddress(u.Email); err != nil || m.Address != u.Email {
				return bad(key("email"), "%q is not an address", u.Email)
			}
			if names[u.Email] {
				return bad(key("email"), "%q is another user's already", u.Email)
			}
		}
		ids[u.ID], names[u.Login], names[u.Email] = true, true, true
	}
	return nil
}
