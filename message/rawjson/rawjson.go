// Package rawjson works on JSON as the bytes that it is: it writes strings,
// takes out the spaces between tokens and reads texts of a known form, without
// building values. What is only copied from one place to another, as most of a
// run's log is, is never decoded.
//
//	AppendString   "a\"b"  <-  a"b                 as encoding/json writes it
//	AppendCompact  {"a":1} <-  { "a" : 1 }         checked on the way
//	Reader         {"call":"c1","value":{...}}  -> c1, {...}
//
// # Who has the last word
//
// Every function agrees with encoding/json, byte for byte, on what it takes; it
// may give up on what is rare (a nesting of thousands, a text of another form
// than the one that is expected), and says so. Whoever asked then asks
// encoding/json, whose answers and errors stand.
package rawjson

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// Each mask has a byte of its value eight times.
const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// plain returns how many of the eight bytes in w, the first in the lowest
// place, come before the first one that a JSON string has to escape, ends with,
// or that is not ASCII.
func plain(w uint64) int {
	quote, slash := w^('"'*ones), w^('\\'*ones)
	// Subtracting borrows from above only, so the lowest mark is right.
	marks := (w - ' '*ones) | (quote - ones) | (slash - ones) | w
	return bits.TrailingZeros64(marks&highs) / 8
}

// AppendString appends s as a JSON string, as encoding/json writes it without
// the escapes for HTML: bytes that are no UTF-8 become \ufffd.
func AppendString[S ~string | ~[]byte](dst []byte, s S) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		if i+8 <= len(s) {
			w := load(s, i)
			n := plain(w)
			dst = binary.LittleEndian.AppendUint64(dst, w)
			dst, i = dst[:len(dst)-8+n], i+n
			if n == 8 {
				continue
			}
		}
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
			i++
			continue
		case c < utf8.RuneSelf:
			dst = appendASCII(dst, c)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(string(s[i:min(len(s), i+utf8.UTFMax)]))
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(dst, `\ufffd`...)
		case r == '\u2028' || r == '\u2029': // as encoding/json does, for JavaScript's sake
			dst = append(dst, '\\', 'u', '2', '0', '2', hex[r&0xF])
		default:
			dst = append(dst, s[i:i+size]...)
		}
		i += size
	}
	return append(dst, '"')
}

const hex = "0123456789abcdef"

// appendASCII appends one character of a string other than quotes and
// backslashes, escaped if it must be.
func appendASCII(dst []byte, c byte) []byte {
	switch c {
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	if c < ' ' {
		return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xF])
	}
	return append(dst, c)
}

// load returns the eight bytes of s from i on; the compiler makes one load of
// it.
func load[S ~string | ~[]byte](s S, i int) uint64 {
	_ = s[i+7]
	return uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
		uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
}

// AppendCompact appends src without the spaces between its tokens; ok is false,
// and nothing appended, where it gives up: src is no JSON, or is nested too
// deep.
func AppendCompact(dst, src []byte) (_ []byte, ok bool) {
	r := Reader{src: src}
	r.Space()
	start := r.at
	end, spaced := r.skip(0)
	r.Space()
	switch {
	case end < 0 || r.at != len(src):
		return dst, false
	case !spaced:
		return append(dst, src[start:end]...), true
	}
	for i := start; i < end; {
		switch c := src[i]; c {
		case '"':
			from := i
			i = stringEnd(src, i)
			dst = append(dst, src[from:i]...)
			continue
		case ' ', '\t', '\r', '\n':
		default:
			dst = append(dst, c)
		}
		i++
	}
	return dst, true
}

// Valid reports whether src is one JSON value with nothing but spaces around
// it. It may give up, and say false, where the nesting is too deep.
func Valid(src []byte) bool {
	r := Reader{src: src}
	r.Space()
	end, _ := r.skip(0)
	r.Space()
	return end >= 0 && r.at == len(src)
}
