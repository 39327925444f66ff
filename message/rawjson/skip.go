package rawjson

import (
	"bytes"
	"math/bits"
	"unicode/utf8"
)

// deepest is how deep values may be nested before a [Reader] gives up.
const deepest = 200

// skip passes over one value and returns where it ends, -1 if there is none.
// Spaced tells whether there are spaces between its tokens.
func (r *Reader) skip(depth int) (end int, spaced bool) {
	if r.at >= len(r.src) || depth > deepest {
		return -1, false
	}
	switch c := r.src[r.at]; {
	case c == '"':
		r.at = stringEnd(r.src, r.at)
	case c == '{' || c == '[':
		return r.skipList(depth)
	case c == '-' || c >= '0' && c <= '9':
		r.at = numberEnd(r.src, r.at)
	case r.Take("true") || r.Take("false") || r.Take("null"):
	default:
		return -1, false
	}
	return r.at, false
}

// skipList passes over an object or an array.
func (r *Reader) skipList(depth int) (end int, spaced bool) {
	object := r.src[r.at] == '{'
	last := byte(']')
	if object {
		last = '}'
	}
	r.at++
	spaced = r.Space()
	if r.at < len(r.src) && r.src[r.at] == last {
		r.at++
		return r.at, spaced
	}
	for {
		if object {
			if r.at >= len(r.src) || r.src[r.at] != '"' {
				return -1, false
			}
			if r.at = stringEnd(r.src, r.at); r.at < 0 {
				return -1, false
			}
			spaced = r.Space() || spaced
			if r.at >= len(r.src) || r.src[r.at] != ':' {
				return -1, false
			}
			r.at++
			spaced = r.Space() || spaced
		}
		end, inside := r.skip(depth + 1)
		if end < 0 {
			return -1, false
		}
		spaced = r.Space() || inside || spaced
		if r.at >= len(r.src) {
			return -1, false
		}
		switch r.src[r.at] {
		case ',':
			r.at++
			spaced = r.Space() || spaced
		case last:
			r.at++
			return r.at, spaced
		default:
			return -1, false
		}
	}
}

// Space passes over spaces, and reports whether there were any.
func (r *Reader) Space() bool {
	from := r.at
	for r.at >= 0 && r.at < len(r.src) {
		if c := r.src[r.at]; c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			break
		}
		r.at++
	}
	return r.at > from
}

// stringEnd returns where the string ends that starts at i; -1 if it does not.
// As encoding/json, it does not mind bytes that are no UTF-8.
func stringEnd(s []byte, i int) int {
	for i++; i < len(s); {
		// Eight bytes at a time, without a branch for each quote that is escaped:
		// it would be guessed wrong too often.
		after := uint64(0) // marks the first byte, if the one before it is a backslash
		for i+8 <= len(s) {
			w := load(s, i)
			quotes, slashes := equal(w, '"'), equal(w, '\\')
			escaped := slashes<<8 | after
			ends := quotes &^ escaped
			rare := (w-' '*ones)&^w&highs | escaped&^(quotes|equal(w, 'n'))
			if first := (ends | rare) & -(ends | rare); first&ends != 0 {
				return i + bits.TrailingZeros64(first)/8 + 1
			} else if first != 0 {
				i += bits.TrailingZeros64(first) / 8
				after = escaped & first
				break
			}
			i, after = i+8, slashes>>56
		}
		if after != 0 {
			i-- // to the backslash
		}
		if i == len(s) {
			break
		}
		switch c := s[i]; {
		case c == '"':
			return i + 1
		case c == '\\':
			if i = escapeEnd(s, i); i < 0 {
				return -1
			}
		case c < ' ':
			return -1
		default:
			i++
		}
	}
	return -1
}

// PlainEnd returns where the string ends that starts at i; ok is false where it
// does not, or has an escape or a control character in it, or none starts there.
func PlainEnd(s string, i int) (end int, ok bool) {
	if i >= len(s) || s[i] != '"' {
		return 0, false
	}
	src := Bytes(s)
	for i++; i+8 <= len(src); i += 8 {
		w := load(src, i)
		quotes, slashes, controls := equal(w, '"'), equal(w, '\\'), (w-' '*ones)&^w&highs
		if first := quotes | slashes | controls; first != 0 {
			i += bits.TrailingZeros64(first) / 8
			return i + 1, src[i] == '"'
		}
	}
	for ; i < len(src) && src[i] >= ' ' && src[i] != '\\'; i++ {
		if src[i] == '"' {
			return i + 1, true
		}
	}
	return 0, false
}

// equal marks, by its highest bit, each of the eight bytes in w that is c.
func equal(w uint64, c byte) uint64 {
	w ^= uint64(c) * ones // 0 where it is
	return ^((w&^highs + ^uint64(highs)) | w) & highs
}

// escapeEnd returns where the escape sequence ends that starts at i; -1 if it
// is none.
func escapeEnd(s []byte, i int) int {
	if i+1 >= len(s) {
		return -1
	}
	switch s[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		if i+6 <= len(s) && hexDigit(s[i+2]) && hexDigit(s[i+3]) && hexDigit(s[i+4]) && hexDigit(s[i+5]) {
			return i + 6
		}
	}
	return -1
}

func hexDigit(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
}

// numberEnd returns where the number ends that starts at i; -1 if it is none.
func numberEnd(s []byte, i int) int {
	digits := func() bool {
		from := i
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		return i > from
	}
	if s[i] == '-' {
		i++
	}
	if i < len(s) && s[i] == '0' {
		i++
	} else if !digits() {
		return -1
	}
	if i < len(s) && s[i] == '.' {
		if i++; !digits() {
			return -1
		}
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		if i++; i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if !digits() {
			return -1
		}
	}
	return i
}

// unescape returns the text between the quotes of a string that has no escape
// with \u in it and is UTF-8; ok is false where it gives up.
func unescape(s []byte) (_ string, ok bool) {
	if !utf8.Valid(s) {
		return "", false
	}
	next := bytes.IndexByte(s, '\\')
	if next < 0 {
		return string(s), true
	}
	out := make([]byte, 0, len(s))
	for ; next >= 0; next = bytes.IndexByte(s, '\\') {
		c := unescaped[s[next+1]]
		if c == 0 {
			return "", false
		}
		out = append(append(out, s[:next]...), c)
		s = s[next+2:]
	}
	return Text(append(out, s...)), true
}

// unescaped is the byte that each stands for behind a backslash; 0 for what is
// none, or more.
var unescaped = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}
