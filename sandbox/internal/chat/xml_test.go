package chat

import (
	"encoding/xml"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
)

// What passes through keeps its meaning, and what need not change does not.
func TestCopy(t *testing.T) {
	for in, want := range map[string]string{
		`<a>&amp;&lt;&gt;&quot;&apos;"'</a>`:                    `<a>&amp;&lt;&gt;"'"'</a>`,
		`<a><![CDATA[<b>&]]></a>`:                               `<a>&lt;b&gt;&amp;</a>`,
		`<a></a>`:                                               `<a/>`,
		`<a  b = 'c"d'   />`:                                    `<a b="c&quot;d"/>`,
		"<a>x\r\ny\rz&#13;&#10;</a>":                            "<a>x\ny\nz&#13;\n</a>",
		"<a b=\"x&#10;y&#9;z\"/>":                               `<a b="x&#10;y&#9;z"/>`,
		`<p:a xmlns:p="u" p:b="1"><p:c/></p:a>`:                 `<p:a xmlns:p="u" p:b="1"><p:c/></p:a>`,
		`<a xmlns="u"><b xmlns=""/></a>`:                        `<a xmlns="u"><b xmlns=""/></a>`,
		`<a xml:lang="en"> <b/>  </a>`:                          `<a xml:lang="en"> <b/>  </a>`,
		`<a>é😀</a>`:                                             `<a>é😀</a>`,
		`<a><b><c>1</c></b><b/></a>tail<d/>`:                    `<a><b><c>1</c></b><b/></a>tail<d/>`,
		`<extraParams xmlns="jabber:client"><s/></extraParams>`: `<extraParams xmlns="jabber:client"><s/></extraParams>`,
	} {
		e, err := readElement(strings.NewReader(`<message>`+in+`</message>`), nsClient)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got := string(e.inner); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestElement(t *testing.T) {
	e, err := readElement(strings.NewReader(`<message to="x" xmlns:p="u" xml:lang="en" from="me" type='chat'><p:a/>text<b xmlns="v"><c/></b></message>`), nsClient)
	if err != nil {
		t.Fatal(err)
	}
	if want := []xml.Name{{Space: "u", Local: "a"}, {Space: "v", Local: "b"}}; !reflect.DeepEqual(e.children, want) || e.text != "text" {
		t.Errorf("got %v and %q, want %v and text", e.children, e.text, want)
	}
	got := string(e.bytes("you", "them", "<d/>"))
	want := `<message xmlns="jabber:client" from="you" to="them" xmlns:p="u" xml:lang="en" type="chat"><p:a/>text<b xmlns="v"><c/></b><d/></message>`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// tokens reads a document as another implementation would: names resolved, text joined.
func tokens(t *testing.T, doc string) []any {
	var all []any
	dec := xml.NewDecoder(strings.NewReader(doc))
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%q: %v", doc, err)
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			all = append(all, tok.Name)
			for _, a := range tok.Attr {
				if a.Name.Local != "xmlns" && a.Name.Space != "xmlns" {
					all = append(all, a)
				}
			}
		case xml.EndElement:
			all = append(all, nil)
		case xml.CharData:
			if s, ok := last(all).(string); ok {
				all[len(all)-1] = s + string(tok)
			} else if len(tok) > 0 {
				all = append(all, string(tok))
			}
		}
	}
}

func last(all []any) any {
	if len(all) == 0 {
		return nil
	}
	return all[len(all)-1]
}

// Whatever is accepted means the same behind us, and is accepted again, unchanged.
func FuzzElement(f *testing.F) {
	for _, s := range []string{
		`<message to="x" type="headline" xmlns="jabber:client">` + signal + `</message>`,
		`<message xmlns:p="u" xml:lang="en"><p:a p:b="&#10;">&#13;<![CDATA[<]]></p:a></message>`,
		`<iq id='1' type='set'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>r</resource></bind></iq>`,
		`<stream:error><a/></stream:error>`, `</stream:stream>`, `<a xmlns=""><b xmlns="c"/></a>`, `<a b="1" b="2"/>`, `<a:b/>`, `<!-- -->`, `<?xml version="1.0"?>`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		in := strings.NewReader(s)
		e, err := readElement(in, nsClient)
		if err != nil {
			return
		}
		used := s[:len(s)-in.Len()]
		before := tokens(t, `<w xmlns="jabber:client">`+used+`</w>`)
		out := string(e.bytes(e.get("from"), e.get("to"), ""))
		after := tokens(t, `<w xmlns="jabber:client">`+out+`</w>`)
		if len(before) != len(after) {
			t.Fatalf("%q became %q", used, out)
		}
		again, err := readElement(strings.NewReader(out), nsClient)
		if err != nil {
			t.Fatalf("%q became %q: %v", used, out, err)
		}
		if string(again.inner) != string(e.inner) || !reflect.DeepEqual(again.children, e.children) {
			t.Fatalf("%q changed again: %q, then %q", used, e.inner, again.inner)
		}
	})
}
