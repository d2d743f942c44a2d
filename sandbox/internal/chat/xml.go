package chat

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Limits of one element, beside its size.
const (
	maxDepth = 64
	maxAttrs = 64
)

// element is one element of a stream's top level. Of its content only the names of the
// children are known.
type element struct {
	name  xml.Name // Space is its namespace
	attrs []attr   // with declarations of prefixes, without that of the default namespace
	// inner is the content, serialised. Unprefixed names in it are in the element's
	// namespace until it says otherwise, and it uses no prefix that the element and
	// itself do not declare.
	inner    []byte
	children []xml.Name
	text     string // character data directly inside
}

// attr is an attribute as it is written: the name has its prefix.
type attr struct{ name, value string }

// get returns the value of an attribute without a prefix, or "".
func (e *element) get(name string) string {
	for _, a := range e.attrs {
		if a.name == name {
			return a.value
		}
	}
	return ""
}

// is reports whether the element has this name.
func (e *element) is(space, local string) bool {
	return e.name.Space == space && e.name.Local == local
}

// has reports whether a child has this name.
func (e *element) has(space, local string) bool {
	return slices.Contains(e.children, xml.Name{Space: space, Local: local})
}

// bytes serialises the element with these values of "from" and "to"; an empty one is left
// out. extra is content that goes behind its own.
func (e *element) bytes(from, to, extra string) []byte {
	b := bytes.NewBuffer(make([]byte, 0, len(e.inner)+len(extra)+256))
	b.WriteByte('<')
	b.WriteString(e.name.Local)
	writeAttr(b, "xmlns", e.name.Space)
	if from != "" {
		writeAttr(b, "from", from)
	}
	if to != "" {
		writeAttr(b, "to", to)
	}
	for _, a := range e.attrs {
		if a.name != "from" && a.name != "to" {
			writeAttr(b, a.name, a.value)
		}
	}
	b.WriteByte('>')
	b.Write(e.inner)
	b.WriteString(extra)
	b.WriteString("</")
	b.WriteString(e.name.Local)
	b.WriteByte('>')
	return b.Bytes()
}

// readElement reads one element. space is the default namespace around it. The error is
// a *streamError, io.EOF if the client ends its stream, or what the reader returned.
func readElement(r io.Reader, space string) (*element, error) {
	p := &parser{dec: xml.NewDecoder(r), prefixes: []binding{{"xml", nsXML}, {"stream", nsStream}}}
	tok, err := p.dec.RawToken()
	if err != nil {
		return nil, notWellFormed(err)
	}
	switch t := tok.(type) {
	case xml.StartElement:
		return p.element(t, space)
	case xml.EndElement:
		if t.Name == (xml.Name{Space: "stream", Local: "stream"}) {
			return nil, io.EOF
		}
		return nil, &streamError{"not-well-formed", "the end of an element that was not open"}
	case xml.CharData:
		return nil, errText
	}
	return nil, errRestricted
}

var errText = &streamError{"not-well-formed", "text between stanzas"}

var errRestricted = &streamError{"restricted-xml", "comments, processing instructions and document types are not XMPP"}

// notWellFormed makes a stream error of a parser's, and leaves those of the reader alone.
func notWellFormed(err error) error {
	var syntax *xml.SyntaxError
	if errors.As(err, &syntax) {
		return &streamError{"not-well-formed", syntax.Msg}
	}
	return err
}

// binding is a declaration of a prefix.
type binding struct{ prefix, space string }

// frame is an element that is open.
type frame struct {
	raw      string // its name, as written
	space    string // its default namespace
	prefixes int    // how many were bound before it
}

// parser copies one element. It works on raw tokens, since resolved ones forget prefixes,
// and therefore does itself what the decoder does not: pairs tags, resolves prefixes,
// refuses attributes that are there twice.
type parser struct {
	dec      *xml.Decoder
	prefixes []binding
	open     []frame
	pending  bool // a start tag was written without its ">"
	inner    bytes.Buffer
	text     strings.Builder
	children []xml.Name
}

func (p *parser) element(start xml.StartElement, space string) (*element, error) {
	name, attrs, err := p.push(start, space)
	if err != nil {
		return nil, err
	}
	if name.Space == nsStream && name.Local != "error" {
		return nil, &streamError{"bad-format", "<" + rawName(start.Name) + "> within a stream"}
	}
	if start.Name.Space != "" && name.Space != nsStream {
		// Its children might count on another default namespace than the one that
		// it will have at the receiver.
		return nil, &streamError{"bad-namespace-prefix", "a stanza's name must have no prefix"}
	}
	e := &element{name: name, attrs: attrs}
	for len(p.open) > 0 {
		tok, err := p.dec.RawToken()
		if errors.Is(err, io.EOF) {
			return nil, &streamError{"not-well-formed", "ends within an element"}
		}
		if err != nil {
			return nil, notWellFormed(err)
		}
		if err := p.copy(tok); err != nil {
			return nil, err
		}
	}
	if name.Space == nsStream {
		return nil, io.EOF // the client's stream error ends the stream
	}
	e.inner, e.children, e.text = p.inner.Bytes(), p.children, p.text.String()
	return e, nil
}

// copy takes one token of the content.
func (p *parser) copy(tok xml.Token) error {
	switch t := tok.(type) {
	case xml.StartElement:
		name, attrs, err := p.push(t, p.open[len(p.open)-1].space)
		if err != nil {
			return err
		}
		if len(p.open) == 2 {
			p.children = append(p.children, name)
		}
		p.endStart()
		p.inner.WriteByte('<')
		p.inner.WriteString(p.open[len(p.open)-1].raw)
		for _, a := range t.Attr {
			if a.Name.Space == "" && a.Name.Local == "xmlns" {
				writeAttr(&p.inner, "xmlns", a.Value)
			}
		}
		for _, a := range attrs {
			writeAttr(&p.inner, a.name, a.value)
		}
		p.pending = true
	case xml.EndElement:
		return p.pop(rawName(t.Name))
	case xml.CharData:
		if len(p.open) == 1 {
			p.text.Write(t)
		}
		if len(t) > 0 {
			p.endStart()
			escapeText(&p.inner, t)
		}
	default:
		return errRestricted
	}
	return nil
}

// push opens an element and returns its resolved name and its attributes.
func (p *parser) push(t xml.StartElement, space string) (xml.Name, []attr, error) {
	if len(p.open) == maxDepth || len(t.Attr) > maxAttrs {
		return xml.Name{}, nil, &streamError{"policy-violation", "an element is nested too deeply or has too many attributes"}
	}
	f := frame{raw: rawName(t.Name), space: space, prefixes: len(p.prefixes)}
	var attrs []attr
	for _, a := range t.Attr {
		switch {
		case a.Name.Space == "" && a.Name.Local == "xmlns":
			f.space = a.Value
			continue
		case a.Name.Space == "xmlns":
			if a.Value == "" || a.Value == nsXMLNames || (a.Value == nsXML) != (a.Name.Local == "xml") || a.Name.Local == "xmlns" {
				return xml.Name{}, nil, &streamError{"bad-namespace-prefix", fmt.Sprintf("the prefix %q cannot be bound to %q", a.Name.Local, a.Value)}
			}
			p.prefixes = append(p.prefixes, binding{a.Name.Local, a.Value})
		}
		attrs = append(attrs, attr{rawName(a.Name), a.Value})
	}
	p.open = append(p.open, f)
	name, err := p.resolve(t.Name, f.space)
	if err != nil {
		return name, nil, err
	}
	return name, attrs, p.unique(t.Attr)
}

// unique refuses an element that has two attributes of one name (XML 1.0, 3.1; Namespaces
// in XML 1.0, 6.3), which the decoder lets pass and a browser does not.
func (p *parser) unique(attrs []xml.Attr) error {
	var seen [8]xml.Name
	names := seen[:0]
	for _, a := range attrs {
		name, err := a.Name, error(nil)
		if a.Name.Space == "xmlns" {
			name.Space = nsXMLNames
		} else {
			name, err = p.resolve(a.Name, "")
		}
		if err != nil {
			return err
		}
		if slices.Contains(names, name) {
			return &streamError{"not-well-formed", fmt.Sprintf("attribute %q twice", a.Name.Local)}
		}
		names = append(names, name)
	}
	return nil
}

// resolve replaces a prefix by its namespace; space is for names without one.
func (p *parser) resolve(n xml.Name, space string) (xml.Name, error) {
	if strings.Contains(n.Local, ":") {
		return n, &streamError{"not-well-formed", fmt.Sprintf("%q is not a name", rawName(n))}
	}
	if n.Space == "" {
		return xml.Name{Space: space, Local: n.Local}, nil
	}
	for _, b := range slices.Backward(p.prefixes) {
		// The stream's own prefix is for the stream's own elements, not for content:
		// over WebSocket it would not be declared at the receiver.
		if b.prefix == n.Space && (b.prefix != "stream" || b.space != nsStream || len(p.open) == 1) {
			return xml.Name{Space: b.space, Local: n.Local}, nil
		}
	}
	return n, &streamError{"bad-namespace-prefix", fmt.Sprintf("the prefix %q is not declared in the stanza", n.Space)}
}

// pop closes the innermost element.
func (p *parser) pop(raw string) error {
	last := len(p.open) - 1
	f := p.open[last]
	if f.raw != raw {
		return &streamError{"not-well-formed", fmt.Sprintf("<%s> is closed by </%s>", f.raw, raw)}
	}
	p.open, p.prefixes = p.open[:last], p.prefixes[:f.prefixes]
	switch {
	case last == 0: // the element itself
	case p.pending:
		p.inner.WriteString("/>")
		p.pending = false
	default:
		p.inner.WriteString("</")
		p.inner.WriteString(raw)
		p.inner.WriteByte('>')
	}
	return nil
}

// endStart writes the ">" of a start tag that turned out not to be empty.
func (p *parser) endStart() {
	if p.pending {
		p.inner.WriteByte('>')
		p.pending = false
	}
}

// rawName returns a raw token's name as it was written.
func rawName(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}

func writeAttr(b *bytes.Buffer, name, value string) {
	b.WriteByte(' ')
	b.WriteString(name)
	b.WriteString(`="`)
	for i := range len(value) {
		switch c := value[i]; c {
		case '&':
			b.WriteString("&amp;")
		case '<':
			b.WriteString("&lt;")
		case '"':
			b.WriteString("&quot;")
		case '\t', '\n', '\r': // would be read as spaces (XML 1.0, 3.3.3)
			fmt.Fprintf(b, "&#%d;", c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
}

// escapeText writes character data with the escapes that are needed and no others: some
// phones' parsers are simple.
func escapeText(b *bytes.Buffer, text []byte) {
	for _, c := range text {
		switch c {
		case '&':
			b.WriteString("&amp;")
		case '<':
			b.WriteString("&lt;")
		case '>':
			b.WriteString("&gt;")
		case '\r': // a raw one would be read as a line feed (XML 1.0, 2.11)
			b.WriteString("&#13;")
		default:
			b.WriteByte(c)
		}
	}
}

// escape returns text for an attribute or an element that we write.
func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder does not fail
	return b.String()
}
