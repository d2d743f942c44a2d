// Package chat is the XMPP half of the sandbox: sessions over TCP (RFC 6120) and
// WebSocket (RFC 7395), and the routing of stanzas between them (RFC 6121, section 8.5).
// It keeps nothing: no roster, no history, no offline messages, no groups, no other
// servers. Who may log in is the caller's business.
//
// Stanzas pass unread. A stanza's address and type are looked at, its content is copied
// token by token: the same elements, attributes, prefixes and text, well-formed by
// construction, whatever the sender's notation was.
//
// It is written over encoding/xml, and not on mellium's server side, for three reasons.
// A WebSocket message must be one whole stanza, and mellium's encoder writes one every
// 4096 bytes, less than an offer has. Its decoder resolves prefixes, which its encoder
// cannot restore. And its sessions answer a stanza that it dislikes by ending the stream.
// So the client, which is on mellium, is also tested against something else.
//
// All goroutines live inside Server.Run.
package chat

// Namespaces.
const (
	nsClient   = "jabber:client"
	nsStream   = "http://etherx.jabber.org/streams"
	nsFraming  = "urn:ietf:params:xml:ns:xmpp-framing" // RFC 7395
	nsStreams  = "urn:ietf:params:xml:ns:xmpp-streams" // conditions of stream errors
	nsStanzas  = "urn:ietf:params:xml:ns:xmpp-stanzas" // conditions of stanza errors
	nsTLS      = "urn:ietf:params:xml:ns:xmpp-tls"
	nsSASL     = "urn:ietf:params:xml:ns:xmpp-sasl"
	nsBind     = "urn:ietf:params:xml:ns:xmpp-bind"
	nsSession  = "urn:ietf:params:xml:ns:xmpp-session"
	nsPing     = "urn:xmpp:ping"
	nsRoster   = "jabber:iq:roster"
	nsCarbons  = "urn:xmpp:carbons:2"
	nsForward  = "urn:xmpp:forward:0"
	nsXML      = "http://www.w3.org/XML/1998/namespace"
	nsXMLNames = "http://www.w3.org/2000/xmlns/"
)
