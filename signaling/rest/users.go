package rest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"intercom/signaling"
)

// User is a user of the application.
type User struct {
	ID       signaling.UserID `json:"id"`
	Login    string           `json:"login"`
	FullName string           `json:"full_name"`
}

// User returns a user by id. The error has status 404 if there is none.
func (c *Client) User(ctx context.Context, id signaling.UserID) (User, error) {
	return c.user(ctx, "users/"+id.String())
}

// UserByLogin returns a user. The error has status 404 if there is none.
func (c *Client) UserByLogin(ctx context.Context, login string) (User, error) {
	return c.user(ctx, "users/by_login?login="+escape(login))
}

func (c *Client) user(ctx context.Context, resource string) (User, error) {
	var r struct {
		User User `json:"user"`
	}
	if err := c.ask(ctx, resource, &r); err != nil {
		return User{}, err
	}
	if r.User.ID <= 0 {
		path, _, _ := strings.Cut(resource, "?")
		return User{}, fmt.Errorf("rest: %s: the reply has no user", path)
	}
	return r.User, nil
}

// Users returns the users with these ids that exist, in no particular order.
func (c *Client) Users(ctx context.Context, ids ...signaling.UserID) ([]User, error) {
	const page = 100 // the most that one reply has
	var users []User
	for part := range slices.Chunk(ids, page) {
		list := make([]string, len(part))
		for i, id := range part {
			list[i] = id.String()
		}
		var r struct {
			Items []struct {
				User User `json:"user"`
			} `json:"items"`
		}
		query := "filter[]=" + escape("number id in "+strings.Join(list, ",")) + "&per_page=" + strconv.Itoa(page)
		if err := c.ask(ctx, "users?"+query, &r); err != nil {
			return nil, err
		}
		for _, i := range r.Items {
			users = append(users, i.User)
		}
	}
	return users, nil
}
