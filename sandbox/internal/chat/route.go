package chat

import (
	"slices"
	"strings"
	"sync"
	"time"

	"mellium.im/xmpp/jid"
)

// hub knows who is connected.
type hub struct {
	mu    sync.Mutex
	users map[string][]*conn // by node, in the order they came
}

// join makes a connection reachable at its full address, in the place of an older one;
// false says that its user has too many.
func (h *hub) join(c *conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := h.users[c.node]
	for i, old := range all {
		if old.resource == c.resource {
			old.end(&streamError{"conflict", "replaced by a new connection"})
			all[i] = c
			return true
		}
	}
	if len(all) >= maxResources {
		return false
	}
	h.users[c.node] = append(all, c)
	return true
}

// leave removes a connection and tells the user's others.
func (h *hub) leave(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := h.users[c.node]
	i := slices.Index(all, c)
	if i < 0 {
		return // replaced; its address is still there
	}
	if all = slices.Delete(all, i, i+1); len(all) == 0 {
		delete(h.users, c.node)
	} else {
		h.users[c.node] = all
	}
	if c.present {
		gone := []byte("<presence xmlns='" + nsClient + "' from='" + escape(c.jid) + "' type='unavailable'/>")
		for _, o := range all {
			if o.present {
				o.send(gone)
			}
		}
	}
}

// available returns the connections of a user that have sent their presence.
func (h *hub) available(node string) []*conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(h.users[node]), func(c *conn) bool { return !c.present })
}

// at returns the connection at a full address, or nil.
func (h *hub) at(node, resource string) *conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.users[node] {
		if c.resource == resource {
			return c
		}
	}
	return nil
}

// announce keeps and spreads a connection's presence among the user's connections, itself
// included (RFC 6121, section 4.2.2), and tells one that has just come of the others.
func (h *hub) announce(c *conn, e *element) {
	available := e.get("type") == ""
	h.mu.Lock()
	defer h.mu.Unlock()
	if !available && !c.present {
		return
	}
	shown := e.bytes(c.jid, "", "")
	first := available && !c.present
	c.present, c.shown = available, shown
	for _, o := range h.users[c.node] {
		if o.present || o == c {
			o.send(shown)
		}
		if first && o.present && o != c {
			c.send(o.shown)
		}
	}
}

// session routes what the client sends until the stream ends.
func (c *conn) session() error {
	var rate bucket
	for {
		e, err := c.tr.read()
		if err != nil {
			return err
		}
		if c.out.isClosed() {
			return nil
		}
		if from := e.get("from"); from != "" && !c.owns(from) {
			return &streamError{"invalid-from", "this stream is " + c.jid}
		}
		switch {
		case e.is(nsClient, "message"):
			c.message(e)
		case e.is(nsClient, "presence"):
			c.presence(e)
		case e.is(nsClient, "iq"):
			c.iq(e)
		case e.name.Space == nsClient:
			return &streamError{"unsupported-stanza-type", "<" + e.name.Local + ">"}
		default:
			return &streamError{"invalid-namespace", "<" + e.name.Local + "> is not in " + nsClient}
		}
		if d := rate.delay(time.Now()); d > 0 {
			select {
			case <-time.After(d):
			case <-c.stop:
				return nil
			}
		}
	}
}

// owns reports whether an address is the connection's own, bare or full.
func (c *conn) owns(address string) bool {
	bare, _, _ := strings.Cut(c.jid, "/")
	if address == c.jid || address == bare {
		return true
	}
	j, err := jid.Parse(address)
	return err == nil && (j.String() == c.jid || j.String() == bare)
}

// bounce returns a stanza to its sender with an error. Errors are never bounced, and
// answers neither.
func (c *conn) bounce(e *element, err stanzaError) {
	switch e.get("type") {
	case "error", "result":
		return
	}
	c.send(e.reply("error", err.bytes()))
}

// message routes a message (RFC 6121, section 8.5), with one difference that callers want:
// a headline to nobody comes back too.
func (c *conn) message(e *element) {
	to, err := jid.Parse(e.get("to"))
	switch {
	case e.get("to") == "":
		to = jid.MustParse(c.jid).Bare()
	case err != nil:
		c.bounce(e, errMalformedJID)
		return
	}
	if to.Domainpart() != c.srv.cfg.Domain {
		c.bounce(e, errRemoteServer)
		return
	}
	kind := e.get("type")
	if kind == "groupchat" { // there are no groups
		c.bounce(e, errUnavailable)
		return
	}
	var goals []*conn
	if r := to.Resourcepart(); r == "" {
		goals = c.srv.hub.available(to.Localpart())
	} else if o := c.srv.hub.at(to.Localpart(), r); o != nil {
		goals = []*conn{o}
	} else if kind == "chat" {
		goals = c.srv.hub.available(to.Localpart())
	}
	if len(goals) == 0 {
		c.bounce(e, errUnavailable)
		return
	}
	stanza := e.bytes(c.jid, e.get("to"), "")
	for _, o := range goals {
		o.send(stanza)
	}
	if kind == "chat" && !e.has(nsCarbons, "private") {
		c.copies(to, stanza, goals)
	}
}

// copies sends carbons (XEP-0280) of a chat message to the other devices of both ends.
func (c *conn) copies(to jid.JID, stanza []byte, goals []*conn) {
	h := &c.srv.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	copyTo := func(node, direction string) {
		for _, o := range h.users[node] {
			if o == c || !o.carbons || slices.Contains(goals, o) {
				continue
			}
			bare, _, _ := strings.Cut(o.jid, "/")
			o.send([]byte("<message xmlns='" + nsClient + "' from='" + escape(bare) + "' to='" + escape(o.jid) + "' type='chat'><" +
				direction + " xmlns='" + nsCarbons + "'><forwarded xmlns='" + nsForward + "'>" + string(stanza) +
				"</forwarded></" + direction + "></message>"))
		}
	}
	copyTo(c.node, "sent")
	if to.Localpart() != c.node {
		copyTo(to.Localpart(), "received")
	}
}

// presence tracks who is available. Subscriptions do not exist; presence that is sent to
// somebody is passed on.
func (c *conn) presence(e *element) {
	kind := e.get("type")
	if e.get("to") == "" {
		if kind == "" || kind == "unavailable" {
			c.srv.hub.announce(c, e)
		}
		return
	}
	to, err := jid.Parse(e.get("to"))
	if err != nil {
		c.bounce(e, errMalformedJID)
		return
	}
	if to.Domainpart() != c.srv.cfg.Domain || kind != "" && kind != "unavailable" {
		return
	}
	stanza := e.bytes(c.jid, e.get("to"), "")
	if r := to.Resourcepart(); r == "" {
		for _, o := range c.srv.hub.available(to.Localpart()) {
			o.send(stanza)
		}
	} else if o := c.srv.hub.at(to.Localpart(), r); o != nil {
		o.send(stanza)
	}
}
