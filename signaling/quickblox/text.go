package quickblox

import (
	"strings"
	"unicode/utf8"
)

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

// validText reports whether XML can carry s (XML 1.0, production 2, Char).
func validText(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		switch {
		case r == '\t', r == '\n', r == '\r':
		case r < 0x20, r == 0xFFFE, r == 0xFFFF:
			return false
		}
	}
	return true
}

// validName reports whether s is a name that every XML parser takes for an element:
// ASCII only, no colon, and not among those reserved for XML itself.
func validName(s string) bool {
	if s == "" || len(s) > 128 || len(s) >= 3 && strings.EqualFold(s[:3], "xml") {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
		case i > 0 && (c >= '0' && c <= '9' || c == '-' || c == '.'):
		default:
			return false
		}
	}
	return true
}

// deafening reports whether an element of this name, at any depth, makes the JavaScript
// SDK drop or misread the whole signal: it looks for these three among all descendants.
func deafening(name string) bool {
	return name == "delay" || name == "moduleIdentifier" || name == "extraParams"
}
