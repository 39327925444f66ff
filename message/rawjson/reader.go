package rawjson

import (
	"bytes"
	"strconv"
)

// Reader reads a text of a known form from the left. Each method takes what it
// names, if that stands next, and nothing otherwise; after the first that did
// not get what it must have, the reader has failed, and reads nothing more.
//
//	r := rawjson.NewReader(body)
//	r.Need("{")
//	r.NeedKey("call")
//	call := r.String()
//	if r.Key("value") {
//		value = r.Value()
//	}
//	message := r.Field("error")
//	r.Need("}")
//	ok := r.Done()
type Reader struct {
	src     []byte
	at      int  // -1: it has failed
	trusted bool // src is JSON of the form that is asked for
}

// NewReader reads src, of which the values it returns are parts.
func NewReader(src []byte) *Reader { return &Reader{src: src} }

// NewTrusting reads src as NewReader does. It is for texts that are known to be
// JSON of the form that is asked for: what needs no look to be passed over gets
// none.
func NewTrusting(src []byte) *Reader { return &Reader{src: src, trusted: true} }

// Done reports whether all was read, and as it was asked for.
func (r *Reader) Done() bool { return r.at == len(r.src) }

// Failed reports whether the reader has failed.
func (r *Reader) Failed() bool { return r.at < 0 }

// Fail makes the reader one that has failed.
func (r *Reader) Fail() { r.at = -1 }

// At reports whether the byte c stands next.
func (r *Reader) At(c byte) bool { return r.at >= 0 && r.at < len(r.src) && r.src[r.at] == c }

// Take passes over text if it stands next, and reports whether it did.
func (r *Reader) Take(text string) bool {
	if r.at < 0 || len(r.src)-r.at < len(text) || string(r.src[r.at:r.at+len(text)]) != text {
		return false
	}
	r.at += len(text)
	return true
}

// Need passes over text, which must stand next.
func (r *Reader) Need(text string) {
	if !r.Take(text) {
		r.at = -1
	}
}

// String reads a string. It gives up on one with an escape of the form \u, or
// that is not UTF-8.
func (r *Reader) String() string {
	if !r.next('"') {
		return ""
	}
	from := r.at + 1
	if r.at = stringEnd(r.src, r.at); r.at < 0 {
		return ""
	}
	s, ok := unescape(r.src[from : r.at-1])
	if !ok {
		r.at = -1
	}
	return s
}

// Plain reads a string without escapes and returns the bytes between its quotes.
// It gives up on one with an escape.
func (r *Reader) Plain() []byte {
	if !r.next('"') {
		return nil
	}
	from := r.at + 1
	if r.at = stringEnd(r.src, r.at); r.at < 0 {
		return nil
	}
	s := r.src[from : r.at-1 : r.at-1]
	if bytes.IndexByte(s, '\\') >= 0 {
		r.at = -1
		return nil
	}
	return s
}

// Int reads a whole number without an exponent.
func (r *Reader) Int() int64 {
	if r.at < 0 || r.at >= len(r.src) {
		r.at = -1
		return 0
	}
	from := r.at
	if c := r.src[from]; c != '-' && (c < '0' || c > '9') {
		r.at = -1
		return 0
	}
	if r.at = numberEnd(r.src, from); r.at < 0 {
		return 0
	}
	n, err := strconv.ParseInt(string(r.src[from:r.at]), 10, 64)
	if err != nil {
		r.at = -1
	}
	return n
}

// Bool reads true or false.
func (r *Reader) Bool() bool {
	if r.Take("true") {
		return true
	}
	r.Need("false")
	return false
}

// Value reads any value and returns its bytes, as they stand there.
func (r *Reader) Value() []byte {
	from := r.at
	if from < 0 {
		return nil
	}
	end, _ := r.skip(0)
	if end < 0 {
		r.at = -1
		return nil
	}
	return r.src[from:end:end]
}

// Last reads a value, as [Reader.Value] does, behind which the text's object has
// members that are strings, or none.
func (r *Reader) Last() []byte {
	from, end := r.at, len(r.src)-1
	if !r.trusted || from < 0 || from >= end || r.src[end] != '}' || r.src[end-1] != '}' && r.src[end-1] != ']' {
		return r.Value()
	}
	r.at = end // it ends in no string, so in the value
	return r.src[from:end:end]
}

// ToLast passes over all members of the object that the text is, up to the value
// of the one that is a list of this name, and reports whether it did. Only a
// trusting reader does, by a look for the name: with its quotes and the comma
// before it, it stands in no string. Members of an object within could be meant
// as well, which Done then tells.
func (r *Reader) ToLast(name string) bool {
	if !r.trusted || r.at != 0 {
		return false
	}
	key := `,"` + name + `":`
	i := bytes.Index(r.src, Bytes(key+"["))
	if i < 0 {
		return false
	}
	r.at = i + len(key)
	return true
}

// Key passes over the name of a member, as [Writer.Key] writes it, and reports
// whether it stood next.
func (r *Reader) Key(name string) bool {
	from := r.at
	first := from > 0 && r.src[from-1] == '{'
	if (first || r.Take(",")) && r.Take(`"`) && r.Take(name) && r.Take(`":`) {
		return true
	}
	r.at = from
	return false
}

// NextKey reads the name of a member, whatever it is, with the comma before it
// unless it is the first of its object.
func (r *Reader) NextKey() string {
	if r.at > 0 && r.src[r.at-1] != '{' {
		r.Need(",")
	}
	key := r.String()
	r.Need(":")
	return key
}

// NeedKey passes over the name of a member, which must stand next.
func (r *Reader) NeedKey(name string) {
	if !r.Key(name) {
		r.at = -1
	}
}

// Field reads a member that is a string: "" where it does not stand next.
func (r *Reader) Field(name string) string {
	if !r.Key(name) {
		return ""
	}
	return r.String()
}

// ReadList reads a list, each element by one; nil, if null stands there.
func ReadList[T any](r *Reader, one func(*Reader) T) []T {
	if r.Take("null") {
		return nil
	}
	r.Need("[")
	list := make([]T, 0, r.elements())
	for r.at >= 0 && !r.Take("]") {
		if len(list) > 0 {
			r.Need(",")
		}
		list = append(list, one(r))
	}
	return list
}

// elements guesses how many elements a list has that starts here: of strings,
// so many, unless there is a comma behind a quote in one of them.
func (r *Reader) elements() int {
	const most = 64 // who wrote it may be hostile
	if !r.At('"') {
		return 0
	}
	end := bytes.IndexByte(r.src[r.at:], ']')
	if end < 0 {
		return 0
	}
	return min(1+bytes.Count(r.src[r.at:r.at+end], []byte(`",`)), most)
}

// ReadStrings reads a list of strings; nil, if null stands there.
func ReadStrings[S ~string](r *Reader) []S {
	return ReadList(r, func(r *Reader) S { return S(r.String()) })
}

func (r *Reader) next(c byte) bool {
	if r.At(c) {
		return true
	}
	r.at = -1
	return false
}
