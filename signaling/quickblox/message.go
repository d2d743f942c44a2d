package quickblox

import (
	"context"
	"errors"
	"slices"
	"strings"

	"intercom/signaling"
)

// This file has the chat's system messages: headlines, as call signals are, with another
// module's name. QB.chat.sendSystemMessage and Android's QBSystemMessagesManager send them,
// and SDKs hand what comes to their apps.

const notices = "SystemNotifications"

// EncodeMessage returns the extraParams element of m, with keys in order. Data that no
// channel carries are refused with an *EncodeError, and so are none: the SDKs send no such.
func EncodeMessage(m *signaling.Message) ([]byte, error) {
	reason := ""
	if len(m.Info) == 0 {
		reason = "there is nothing in it"
	} else if err := signaling.CheckInfo(m.Info); err != nil {
		reason = err.Error()
	}
	if reason != "" {
		return nil, &EncodeError{Kind: "system message", Reason: reason}
	}
	keys := make([]string, 0, len(m.Info))
	for k := range m.Info {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	b := []byte(`<extraParams xmlns="` + nsClient + `">`)
	b = appendElement(b, "moduleIdentifier", notices)
	for _, k := range keys {
		b = appendElement(b, k, m.Info[k])
	}
	return append(b, "</extraParams>"...), nil
}

// decodeMessage returns the system message in a stanza; false: it is none. Nested data are
// flattened to dotted keys. What the server has stored and delivers late is an error, as it
// is with a signal: nobody's door opens by what was said an hour ago.
func decodeMessage(root *node) (*signaling.Message, bool, error) {
	params := root.child("extraParams")
	if root.name != stanzaName || root.attr("type") != "headline" || params == nil {
		return nil, false, nil
	}
	own := func(n *node) bool { return n.name == "moduleIdentifier" }
	if i := slices.IndexFunc(params.kids, own); i < 0 || strings.TrimSpace(params.kids[i].text) != notices {
		return nil, false, nil
	}
	if root.find("delay") != nil {
		return nil, true, ErrDelayed
	}
	data := *params
	data.kids = slices.DeleteFunc(slices.Clone(params.kids), own)
	values, err := info(&data)
	if err != nil {
		return nil, true, malformed("system message", "%v", err)
	}
	return &signaling.Message{ID: root.attr("id"), Info: values}, true, nil
}

// Tell writes one system message, to all devices of m.Peer or to one. If m.ID is empty, it
// makes one up and sets it. What must not be sent is refused with an *EncodeError.
func (c *Client) Tell(ctx context.Context, m *signaling.Message) error {
	params, err := EncodeMessage(m)
	if err != nil {
		return err
	}
	return c.write(ctx, "system message", &m.ID, m.Peer, m.Device, params)
}

// told deals with a system message.
func (c *Client) told(from sender, m *signaling.Message, err error) {
	switch {
	case errors.Is(err, ErrDelayed):
		c.ignored.Add(1)
		return
	case err != nil:
		c.drop(from.address, err)
		return
	case from.user == 0:
		c.drop(from.address, errStranger)
		return
	case from.user == c.cfg.User:
		c.ignored.Add(1)
		return
	}
	m.Peer, m.Device = from.user, from.device
	if !c.in.putMessage(m) {
		c.drop(from.address, errors.New("system messages wait already"))
		return
	}
	c.received.Add(1)
}
