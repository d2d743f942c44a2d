package quickblox

import (
	"encoding/xml"
	"fmt"
	"io"
)

// node is an XML element without its namespace, which no peer agrees on, and without
// the order of text and elements, which no signal needs.
type node struct {
	name  string
	space string
	attrs []xml.Attr
	text  string // all character data directly inside
	kids  []*node
}

// parse reads one element. It bounds depth and number of elements; the length of the
// whole is bounded by whoever supplies the tokens.
func parse(r xml.TokenReader) (*node, error) {
	var (
		root  *node
		stack []*node
		texts [][]byte
		count int
	)
	for {
		tok, err := r.Token()
		switch t := tok.(type) {
		case xml.StartElement:
			if count++; count > maxNodes {
				return nil, malformed("", "more than %d elements", maxNodes)
			}
			if len(stack) == maxDepth {
				return nil, malformed("", "elements nested more than %d deep", maxDepth)
			}
			n := &node{name: t.Name.Local, space: t.Name.Space}
			if root == nil {
				root = n
				n.attrs = append([]xml.Attr(nil), t.Attr...)
			} else {
				up := stack[len(stack)-1]
				up.kids = append(up.kids, n)
			}
			stack = append(stack, n)
			texts = append(texts, nil)
		case xml.CharData:
			if len(texts) > 0 {
				texts[len(texts)-1] = append(texts[len(texts)-1], t...)
			}
		case xml.EndElement:
			last := len(stack) - 1
			if last < 0 {
				return nil, malformed("", "element ends before it begins")
			}
			stack[last].text = string(texts[last])
			stack, texts = stack[:last], texts[:last]
			if last == 0 {
				return root, nil
			}
		}
		if err == io.EOF {
			return nil, malformed("", "element does not end")
		}
		if err != nil {
			return nil, fmt.Errorf("read signal: %w", err)
		}
		if tok == nil {
			return nil, malformed("", "element does not end")
		}
	}
}

func (n *node) attr(name string) string {
	for _, a := range n.attrs {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value
		}
	}
	return ""
}

// child returns the first child of that name, nil if there is none.
func (n *node) child(name string) *node {
	for _, k := range n.kids {
		if k.name == name {
			return k
		}
	}
	return nil
}

// value returns the text of the first child of that name.
func (n *node) value(name string) string {
	if k := n.child(name); k != nil {
		return k.text
	}
	return ""
}

// find returns the first descendant of that name in document order, nil if there is none.
func (n *node) find(name string) *node {
	for _, k := range n.kids {
		if k.name == name {
			return k
		}
		if f := k.find(name); f != nil {
			return f
		}
	}
	return nil
}
