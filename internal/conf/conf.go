// Package conf reads one strict TOML file: an unknown key, a wrong type or a syntax error
// is one line that names the file, the line and, where it can, the key that was meant.
// It knows no part of the station: who owns a setting declares a struct and checks its
// values, and reports what is wrong with File.Errorf. It has no goroutines.
package conf

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// maxSize bounds a configuration file, in bytes; ours has a few thousand.
const maxSize = 1 << 20

// Error is what is wrong with a configuration file. All errors of this package are of
// this type or wrap one.
type Error struct {
	File string
	Line int // from 1; 0: the file as a whole
	Text string
}

// Error returns "intercom.toml:12: text".
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Text
	}
	return e.File + ":" + strconv.Itoa(e.Line) + ": " + e.Text
}

// File remembers where each key of a file stands.
type File struct {
	name  string
	lines map[string]int // by dotted key: "camera.fps", "button.1.residents"
}

// Load reads a file into the struct that into points to, whose fields have `toml:"key"`
// tags; fields that the file does not set keep their values, which are the defaults.
func Load(path string, into any) (*File, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		text := "cannot be read"
		if cause := errors.Unwrap(err); cause != nil {
			text += ": " + cause.Error()
		}
		return nil, &Error{File: path, Text: text}
	}
	return Parse(path, data, into)
}

// Parse is Load for a file's content; name is what errors call it.
func Parse(name string, data []byte, into any) (*File, error) {
	if len(data) > maxSize {
		return nil, &Error{File: name, Text: fmt.Sprintf("is %d bytes, at most %d are read", len(data), maxSize)}
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // some editors begin a file with it
	d := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return nil, explain(name, err, into)
	}
	if err := strict(name, data, reflect.TypeOf(into)); err != nil {
		return nil, err
	}
	return &File{name: name, lines: lines(data)}, nil
}

// Errorf reports what is wrong with the value of a key, as "file:12: key: text". Elements
// of arrays of tables are numbered from 0: "button.1.residents". A key that the file does
// not set is reported at the line of the table that should have it.
func (f *File) Errorf(key, format string, args ...any) error {
	e := &Error{File: f.name, Text: key + ": " + fmt.Sprintf(format, args...)}
	for k := key; ; {
		if n, ok := f.lines[k]; ok {
			e.Line = n
			return e
		}
		dot := strings.LastIndexByte(k, '.')
		if dot < 0 {
			return e
		}
		k = k[:dot]
	}
}

// explain makes one line of what the decoder says.
func explain(name string, err error, into any) error {
	var missing *toml.StrictMissingError
	if errors.As(err, &missing) && len(missing.Errors) > 0 {
		first := &missing.Errors[0]
		line, _ := first.Position()
		return &Error{File: name, Line: line, Text: unknown(first.Key(), reflect.TypeOf(into))}
	}
	var bad *toml.DecodeError
	if errors.As(err, &bad) {
		line, _ := bad.Position()
		text := plain(strings.TrimPrefix(bad.Error(), "toml: "))
		if k := strings.Join(bad.Key(), "."); k != "" {
			text = k + ": " + text
		}
		return &Error{File: name, Line: line, Text: text}
	}
	return &Error{File: name, Text: strings.TrimPrefix(err.Error(), "toml: ")}
}

// plain says what the decoder says of a wrong type without the names of Go's types.
func plain(text string) string {
	rest, ok := strings.CutPrefix(text, "cannot decode TOML ")
	if !ok {
		return text
	}
	got, _, _ := strings.Cut(rest, " into ")
	want := rest[strings.LastIndex(rest, " of type ")+len(" of type "):]
	switch {
	case strings.HasPrefix(want, "int") || strings.HasPrefix(want, "uint"):
		want = "a whole number"
	case strings.HasPrefix(want, "float"):
		want = "a number"
	case want == "string":
		want = `text in "quotes"`
	case want == "bool":
		want = "true or false"
	case strings.HasPrefix(want, "[]"):
		want = "a list in [brackets]"
	case strings.HasPrefix(want, "struct") || !strings.Contains(rest, " of type "):
		want = "a table"
	}
	return "wants " + want + ", not a TOML " + got
}

// strict refuses what the decoder lets pass: keys in another case, and a duration without
// its unit, which would be nanoseconds.
func strict(name string, data []byte, t reflect.Type) error {
	var p unstable.Parser
	p.Reset(data)
	var table toml.Key
	for p.NextExpression() {
		node := p.Expression()
		if node.Kind != unstable.KeyValue {
			table = nil
		}
		key, line := keyOf(&p, node)
		key = append(table[:len(table):len(table)], key...)
		if node.Kind != unstable.KeyValue {
			table = key
		}
		if text := strictKey(node, key, t); text != "" {
			return &Error{File: name, Line: line, Text: text}
		}
	}
	return nil
}

// keyOf returns the key of an expression and its line, or 0 without a parser.
func keyOf(p *unstable.Parser, node *unstable.Node) (key toml.Key, line int) {
	for it := node.Key(); it.Next(); {
		if line == 0 && p != nil {
			line = p.Shape(it.Node().Raw).Start.Line
		}
		key = append(key, string(it.Node().Data))
	}
	return key, line
}

// strictKey says what is wrong with one key and its value.
func strictKey(node *unstable.Node, key toml.Key, t reflect.Type) string {
	to := t
	for _, part := range key {
		next, ok := fieldsOf(to)[part]
		if !ok && len(fieldsOf(to)) > 0 {
			return unknown(key, t)
		}
		if to = next; to == nil {
			return "" // into a map: anything goes
		}
	}
	if node.Kind == unstable.Table && to.Kind() == reflect.Slice {
		name := strings.Join(key, ".")
		return fmt.Sprintf("%s: there may be several: write [[%s]]", name, name)
	}
	if node.Kind != unstable.KeyValue {
		return ""
	}
	return strictValue(node.Value(), key, t, to)
}

// strictValue says what is wrong with the value of a key, whose type is to.
func strictValue(v *unstable.Node, key toml.Key, t, to reflect.Type) string {
	if (to == reflect.TypeFor[Duration]() || to == reflect.TypeFor[*Duration]()) && v.Kind != unstable.String {
		return strings.Join(key, ".") + `: a duration is written with its unit, like "5s" or "1m30s"`
	}
	for it := v.Children(); (v.Kind == unstable.InlineTable || v.Kind == unstable.Array) && it.Next(); {
		child := it.Node()
		text := ""
		if child.Kind == unstable.KeyValue {
			inner, _ := keyOf(nil, child)
			text = strictKey(child, append(key[:len(key):len(key)], inner...), t)
		} else if to.Kind() == reflect.Slice {
			text = strictValue(child, key, t, to.Elem())
		}
		if text != "" {
			return text
		}
	}
	return ""
}

// unknown describes an unknown key, with the known one that it resembles most.
func unknown(key toml.Key, t reflect.Type) string {
	if len(key) == 0 {
		return "unknown key"
	}
	last, where := key[len(key)-1], ""
	var known []string
	for i, part := range key {
		fields := fieldsOf(t)
		next, ok := fields[part]
		if !ok {
			last, where = part, strings.Join(key[:i], ".")
			for name := range fields {
				known = append(known, name)
			}
			break
		}
		t = next
	}
	text := fmt.Sprintf("unknown key %q", last)
	if where != "" {
		text += " in [" + where + "]"
	}
	if near := nearest(last, known); near != "" {
		text += fmt.Sprintf("; did you mean %q?", near)
	}
	return text
}

// fieldsOf returns the keys of a struct, looking through pointers and slices.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	fields := map[string]reflect.Type{}
	if t.Kind() != reflect.Struct {
		return fields
	}
	for i := range t.NumField() {
		if f := t.Field(i); f.Anonymous {
			maps.Copy(fields, fieldsOf(f.Type)) // as the decoder does
		}
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("toml"), ","); name != "" && name != "-" {
			fields[name] = t.Field(i).Type
		}
	}
	return fields
}

// nearest returns the known word that is at most two letters, or a third of them, away from word.
func nearest(word string, known []string) string {
	best, distance := "", max(len(word)/3, 2)+1
	for _, k := range known {
		if d := levenshtein(strings.ToLower(word), k); d < distance || d == distance && best != "" && k < best {
			best, distance = k, d
		}
	}
	return best
}

// levenshtein counts the letters to insert, delete or replace between a and b.
func levenshtein(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

// lines finds where each key of a valid document stands.
func lines(data []byte) map[string]int {
	at := map[string]int{}
	count := map[string]int{} // elements of arrays of tables so far
	var p unstable.Parser
	p.Reset(data)
	table := ""
	for p.NextExpression() {
		node := p.Expression()
		var parts []string
		line := 0
		for it := node.Key(); it.Next(); {
			key := it.Node()
			if line == 0 {
				line = p.Shape(key.Raw).Start.Line
			}
			parts = append(parts, string(key.Data))
		}
		switch node.Kind {
		case unstable.ArrayTable:
			name := numbered(parts[:len(parts)-1], parts[len(parts)-1], count)
			table = name + "." + strconv.Itoa(count[name])
			count[name]++
			if _, ok := at[name]; !ok {
				at[name] = line
			}
			at[table] = line
		case unstable.Table:
			table = numbered(parts[:len(parts)-1], parts[len(parts)-1], count)
			at[table] = line
		case unstable.KeyValue:
			key := strings.Join(parts, ".")
			if table != "" {
				key = table + "." + key
			}
			at[key] = line
		}
	}
	return at
}

// numbered joins the parts of a table's name; a part that is an array of tables means its
// last element.
func numbered(parents []string, last string, count map[string]int) string {
	name := ""
	for _, p := range parents {
		name += p
		if n := count[name]; n > 0 {
			name += "." + strconv.Itoa(n-1)
		}
		name += "."
	}
	return name + last
}
