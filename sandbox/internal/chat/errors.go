package chat

import "strings"

// streamError ends a stream (RFC 6120, section 4.9). The text is for whoever debugs the
// other side.
type streamError struct{ condition, text string }

// Error returns "condition: text".
func (e *streamError) Error() string {
	if e.text == "" {
		return e.condition
	}
	return e.condition + ": " + e.text
}

// bytes serialises the error for either transport.
func (e *streamError) bytes() []byte {
	var b strings.Builder
	b.WriteString("<stream:error xmlns:stream='" + nsStream + "'><" + e.condition + " xmlns='" + nsStreams + "'/>")
	if e.text != "" {
		b.WriteString("<text xmlns='" + nsStreams + "' xml:lang='en'>" + escape(e.text) + "</text>")
	}
	b.WriteString("</stream:error>")
	return []byte(b.String())
}

// stanzaError answers a stanza (RFC 6120, section 8.3). The code is that of XEP-0086, which
// ejabberd sends and the JavaScript SDK hands to its application.
type stanzaError struct{ code, kind, condition string }

// The stanza errors that the server answers with.
var (
	errUnavailable   = stanzaError{"503", "cancel", "service-unavailable"}
	errBadRequest    = stanzaError{"400", "modify", "bad-request"}
	errMalformedJID  = stanzaError{"400", "modify", "jid-malformed"}
	errRemoteServer  = stanzaError{"404", "cancel", "remote-server-not-found"}
	errNotAcceptable = stanzaError{"406", "modify", "not-acceptable"}
)

// bytes serialises the error as a stanza's child.
func (e stanzaError) bytes() string {
	return "<error code='" + e.code + "' type='" + e.kind + "'><" + e.condition + " xmlns='" + nsStanzas + "'/></error>"
}
