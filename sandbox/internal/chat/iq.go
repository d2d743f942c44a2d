package chat

import (
	"strings"

	"mellium.im/xmpp/jid"
)

// reply is the answer to a stanza, with the addresses turned around.
func (e *element) reply(kind, content string) []byte {
	var b strings.Builder
	b.WriteString("<" + e.name.Local + " xmlns='" + nsClient + "' type='" + kind + "'")
	for _, a := range [][2]string{{"id", "id"}, {"from", "to"}, {"to", "from"}} {
		if v := e.get(a[1]); v != "" {
			b.WriteString(" " + a[0] + "='" + escape(v) + "'")
		}
	}
	b.WriteString(">" + content + "</" + e.name.Local + ">")
	return []byte(b.String())
}

// iq answers a request to the server or to the user's own account, and passes on one to
// a connection.
func (c *conn) iq(e *element) {
	kind := e.get("type")
	request := kind == "get" || kind == "set"
	if e.get("id") == "" || !request && kind != "result" && kind != "error" || request && len(e.children) != 1 {
		c.bounce(e, errBadRequest)
		return
	}
	to, err := jid.Parse(e.get("to"))
	switch {
	case e.get("to") == "":
		c.answer(e)
		return
	case err != nil:
		c.bounce(e, errMalformedJID)
		return
	case to.Domainpart() != c.srv.cfg.Domain:
		c.bounce(e, errRemoteServer)
		return
	}
	if to.Resourcepart() != "" {
		if o := c.srv.hub.at(to.Localpart(), to.Resourcepart()); o != nil {
			o.send(e.bytes(c.jid, e.get("to"), ""))
			return
		}
		c.bounce(e, errUnavailable)
		return
	}
	if node := to.Localpart(); node == "" || node == c.node {
		c.answer(e)
		return
	}
	c.bounce(e, errUnavailable)
}

// answer does what a client may ask of the server.
func (c *conn) answer(e *element) {
	set := e.get("type") == "set"
	switch {
	case !set && e.has(nsPing, "ping"), set && e.has(nsSession, "session"):
		c.send(e.reply("result", ""))
	case !set && e.has(nsRoster, "query"):
		c.send(e.reply("result", "<query xmlns='"+nsRoster+"'/>"))
	case set && e.has(nsCarbons, "enable"), set && e.has(nsCarbons, "disable"):
		c.srv.hub.mu.Lock()
		c.carbons = e.has(nsCarbons, "enable")
		c.srv.hub.mu.Unlock()
		c.send(e.reply("result", ""))
	default:
		c.bounce(e, errUnavailable)
	}
}
