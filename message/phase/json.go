package phase

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of what the reader takes.
const (
	maxDepth  = 16
	maxValues = 10_000
)

// value is one JSON value as a model wrote it.
type value struct {
	kind kind
	at   int      // byte offset in the reply
	text string   // of a string, a number, a bool
	keys []string // of an object, in order, distinct
	list []value  // of an object or an array
}

type kind string

const (
	anObject kind = "an object"
	anArray  kind = "an array"
	aString  kind = "a string"
	aNumber  kind = "a number"
	aBoolean kind = "true or false"
	aNull    kind = "null"
)

func (v value) get(key string) (value, bool) {
	for i, k := range v.keys {
		if k == key {
			return v.list[i], true
		}
	}
	return value{}, false
}

// places finds keys in a list that grows: by a walk while it is short, as nearly
// all are, then by a map, since whoever wrote it may be hostile.
type places struct{ at map[string]int }

func (p *places) find(keys []string, key string) (int, bool) {
	const short = 16
	if len(keys) < short {
		i := slices.Index(keys, key)
		return i, i >= 0
	}
	if p.at == nil {
		p.at = map[string]int{}
	}
	for i := len(p.at); i < len(keys); i++ {
		p.at[keys[i]] = i
	}
	i, ok := p.at[key]
	return i, ok
}

// append writes the value as JSON, spaced as [Spaced] does.
func (v value) append(out []byte) []byte {
	switch v.kind {
	case anObject, anArray:
		ends := "[]"
		if v.kind == anObject {
			ends = "{}"
		}
		out = append(out, ends[0])
		for i, e := range v.list {
			if i > 0 {
				out = append(out, ", "...)
			}
			if v.kind == anObject {
				out = append(appendPython(out, v.keys[i]), ": "...)
			}
			out = e.append(out)
		}
		return append(out, ends[1])
	case aString:
		return appendPython(out, v.text)
	case aNull:
		return append(out, "null"...)
	}
	return append(out, v.text...)
}

// same reports whether two values are equal wherever they stand.
func (v value) same(w value) bool {
	if v.kind != w.kind || v.text != w.text || len(v.keys) != len(w.keys) || len(v.list) != len(w.list) {
		return false
	}
	for i := range v.list {
		if len(v.keys) > 0 && v.keys[i] != w.keys[i] || !v.list[i].same(w.list[i]) {
			return false
		}
	}
	return true
}

// reader reads JSON and what models write in its place where that has one
// reading: other quotes, trailing commas, Python's literals, unquoted keys and
// labels, raw line breaks in strings. It reads each byte once.
type reader struct {
	s     string
	i     int
	notes *notes
	begun bool // what was read so far can only be meant as JSON
	count int
}

func (r *reader) fail(format string, args ...any) error {
	return fmt.Errorf("the JSON breaks at byte %d: %s", r.i, fmt.Sprintf(format, args...))
}

// peek returns the next rune, 0 at the end.
func (r *reader) peek() rune {
	if r.i >= len(r.s) {
		return 0
	}
	if c := r.s[r.i]; c < utf8.RuneSelf {
		return rune(c)
	}
	c, _ := utf8.DecodeRuneInString(r.s[r.i:])
	return c
}

func (r *reader) space() {
	for r.i < len(r.s) {
		if c := r.s[r.i]; c > ' ' && c < utf8.RuneSelf {
			return
		}
		c, n := utf8.DecodeRuneInString(r.s[r.i:])
		if c != '\uFEFF' && !unicode.IsSpace(c) {
			return
		}
		if c >= utf8.RuneSelf {
			r.notes.add("space", r.i, "%U between tokens", c)
		}
		r.i += n
	}
}

func (r *reader) value(depth int) (value, error) {
	if r.count++; depth > maxDepth || r.count > maxValues {
		return value{}, r.fail("more than %d levels or %d values", maxDepth, maxValues)
	}
	v := value{at: r.i}
	var err error
	switch c := r.peek(); {
	case c == '{':
		return r.object(depth)
	case c == '[':
		return r.array(depth)
	case quoteMark(c):
		v.kind = aString
		v.text, err = r.string()
	case c == '-' || c >= '0' && c <= '9':
		v.kind = aNumber
		v.text = r.run("+-.eE0123456789")
		if !json.Valid([]byte(v.text)) {
			err = r.fail("%s is no number", quote(v.text))
		}
	default:
		v.text = r.word()
		switch v.text {
		case "True", "False", "None":
			r.notes.add("literal", v.at, "%s", v.text)
		}
		switch v.text {
		case "true", "false", "True", "False":
			v.kind, v.text = aBoolean, strings.ToLower(v.text)
		case "null", "None":
			v.kind, v.text = aNull, ""
		default:
			if v.kind = aString; !labelWord(v.text) {
				r.i = v.at
				return v, r.fail("want a value, have %s", r.here())
			}
			r.notes.add("bare word", v.at, "a label without quotes")
		}
	}
	return v, err
}

// here shows what stands where the reader is.
func (r *reader) here() string {
	if r.i >= len(r.s) {
		return "the end of the reply"
	}
	return quote(r.s[r.i:min(len(r.s), r.i+12)])
}

func (r *reader) run(set string) string {
	start := r.i
	for r.i < len(r.s) && strings.IndexByte(set, r.s[r.i]) >= 0 {
		r.i++
	}
	return r.s[start:r.i]
}

func (r *reader) word() string {
	start := r.i
	for r.i < len(r.s) && wordByte(r.s[r.i]) {
		r.i++
	}
	return r.s[start:r.i]
}

func (r *reader) array(depth int) (value, error) {
	v := value{kind: anArray, at: r.i}
	r.i++
	v.list = make([]value, 0, r.elements())
	for {
		r.space()
		if r.close(']', len(v.list)) {
			return v, nil
		}
		e, err := r.value(depth + 1)
		if err != nil {
			return v, err
		}
		r.begun = true
		v.list = append(v.list, e)
		if done, err := r.separator(']'); done || err != nil {
			return v, err
		}
	}
}

// elements guesses how many elements an array has that starts here: of strings,
// so many, unless there is a comma behind a quote in one of them.
func (r *reader) elements() int {
	const most = 32 // who wrote it may be hostile
	end := strings.IndexByte(r.s[r.i:], ']')
	if end < 0 {
		return 0
	}
	return min(1+strings.Count(r.s[r.i:r.i+end], `",`), most)
}

func (r *reader) object(depth int) (value, error) {
	v := value{kind: anObject, at: r.i}
	var seen places
	r.i++
	for {
		r.space()
		if r.close('}', len(v.list)) {
			return v, nil
		}
		at := r.i
		key, err := r.key()
		if err != nil {
			return v, err
		}
		r.space()
		if r.peek() != ':' {
			return v, r.fail("want a colon after the key %s, have %s", quote(key), r.here())
		}
		r.i++
		r.begun = true
		r.space()
		e, err := r.value(depth + 1)
		if err != nil {
			return v, err
		}
		if i, ok := seen.find(v.keys, key); !ok {
			v.keys, v.list = append(v.keys, key), append(v.list, e)
		} else if !v.list[i].same(e) {
			return v, r.fail("the key %s stands twice, with different values", quote(key))
		} else {
			r.notes.add("repeated key", at, "%s stands twice, with the same value", quote(key))
		}
		if done, err := r.separator('}'); done || err != nil {
			return v, err
		}
	}
}

func (r *reader) key() (string, error) {
	if quoteMark(r.peek()) {
		r.begun = true
		return r.string()
	}
	at := r.i
	w := r.word()
	if w == "" {
		return "", r.fail("want a key, have %s", r.here())
	}
	r.notes.add("bare word", at, "a key without quotes")
	return w, nil
}

// close takes a closing bracket where a member could stand: in an empty list or
// after a comma.
func (r *reader) close(c rune, members int) bool {
	if r.peek() != c {
		return false
	}
	if members > 0 {
		r.notes.add("trailing comma", r.i, "before %c", c)
	}
	r.i++
	return true
}

// separator takes what follows a member: a comma, or the end of the list.
func (r *reader) separator(end rune) (done bool, err error) {
	r.space()
	switch r.peek() {
	case ',':
		r.i++
		return false, nil
	case end:
		r.i++
		return true, nil
	}
	return false, r.fail("want a comma or %c, have %s", end, r.here())
}
