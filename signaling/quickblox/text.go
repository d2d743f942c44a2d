package quickblox

import "strings"

// crlf returns s with every line ended by CR LF, as RFC 8866 has session descriptions.
// XML parsers turn CR LF into LF, so that is what arrives.
func crlf(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
}

// escaper escapes as the JavaScript SDK does, and nothing more: numeric references
// would be legal but have met parsers that mishandle them. A carriage return is the one
// exception, see appendText.
var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "'", "&apos;", `"`, "&quot;")

// appendText appends s as XML character data. A lone CR outside a session description
// becomes a reference: raw, it would arrive as LF.
func appendText(dst []byte, s string) []byte {
	return append(dst, strings.ReplaceAll(escaper.Replace(s), "\r", "&#13;")...)
}

// appendSDP appends a session description with raw CR LF line ends, as the SDK sends.
func appendSDP(dst []byte, sdp string) []byte {
	return append(dst, escaper.Replace(crlf(sdp))...)
}
