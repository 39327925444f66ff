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
	"slices"
	"unicode/utf8"
	"unsafe"
)

// Each mask has a byte of its value eight times.
const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// AppendString appends s as a JSON string, as encoding/json writes it without
// the escapes for HTML: bytes that are no UTF-8 become \ufffd.
func AppendString(dst []byte, s string) []byte {
	src := Bytes(s)
	const room = 2*8 + 2 // for eight bytes, each escaped, and one more store
	dst = append(slices.Grow(dst, len(src)+len(src)/4+room), '"')
	for i := 0; i < len(src); {
		if cap(dst)-len(dst) < room {
			dst = slices.Grow(dst, len(src)-i+room)
		}
		out, n := dst[:cap(dst)], len(dst)
		for i+8 <= len(src) && n+room <= len(out) {
			w := load(src, i)
			if ((w-' '*ones)|w)&highs != 0 {
				break // a control character, or not ASCII
			}
			quote, slash := w^('"'*ones), w^('\\'*ones)
			if ((quote-ones)|(slash-ones))&highs == 0 {
				binary.LittleEndian.PutUint64(out[n:], w)
				n += 8
			} else {
				// Each byte is stored with the one after it, and what it does not need
				// is written over: a branch for each quote would be guessed wrong too
				// often.
				n = escape(out, n, w)
				n = escape(out, n, w>>8)
				n = escape(out, n, w>>16)
				n = escape(out, n, w>>24)
				n = escape(out, n, w>>32)
				n = escape(out, n, w>>40)
				n = escape(out, n, w>>48)
				n = escape(out, n, w>>56)
			}
			i += 8
		}
		dst = dst[:n]
		for last := min(i+8, len(src)); i < last; {
			if escapes[src[i]] == 0 {
				dst, i = appendRare(dst, src, i)
				break
			}
			dst = slices.Grow(dst, 2)
			dst = dst[:escape(dst[:cap(dst)], len(dst), uint64(src[i]))]
			i++
		}
	}
	return append(dst, '"')
}

// escape writes the lowest byte of w, of which it is not to be one that takes
// more than two bytes, at n, and returns where the next one goes.
func escape(out []byte, n int, w uint64) int {
	e := escapes[byte(w)]
	binary.LittleEndian.PutUint16(out[n:], uint16(e))
	return n + int(e>>16)
}

const hex = "0123456789abcdef"

// escapes is how each byte stands in a string: its one or two bytes, the first
// in the lowest place, and above them how many they are; 0 for what takes more.
var escapes = func() (table [256]uint32) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		table[c] = 1<<16 | uint32(c)
	}
	for short, c := range map[byte]byte{'"': '"', '\\': '\\', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'} {
		table[c] = 2<<16 | uint32(short)<<8 | '\\'
	}
	return table
}()

// appendRare appends the control character or the rune that stands at i, and
// returns where the next one does.
func appendRare(dst, src []byte, i int) ([]byte, int) {
	if c := src[i]; c < utf8.RuneSelf {
		return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xF]), i + 1
	}
	switch r, size := utf8.DecodeRune(src[i:]); {
	case r == utf8.RuneError && size == 1:
		return append(dst, `\ufffd`...), i + 1
	case r == '\u2028' || r == '\u2029': // as encoding/json does, for JavaScript's sake
		return append(dst, '\\', 'u', '2', '0', '2', hex[r&0xF]), i + size
	default:
		return append(dst, src[i:i+size]...), i + size
	}
}

// Bytes are the bytes of s, without a copy: to be read only.
func Bytes(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// Text is b as a string, without a copy: b does not change from now on.
func Text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// load returns the eight bytes of s from i on.
func load(s []byte, i int) uint64 { return binary.LittleEndian.Uint64(s[i:]) }

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

// IndexPair returns where one of the two pairs of bytes first stands in s; -1
// where neither does. It is for bytes that are frequent each and rare together,
// as a backslash and a u.
func IndexPair(s string, p, q [2]byte) int {
	src := Bytes(s)
	p0, p1, q0, q1 := uint64(p[0])*ones, uint64(p[1])*ones, uint64(q[0])*ones, uint64(q[1])*ones
	i := 0
	for ; i+9 <= len(s); i += 8 {
		w, next := load(src, i), load(src, i+1)
		isP, isQ := (w^p0)|(next^p1), (w^q0)|(next^q1) // a byte of them is 0 where the pair stands
		if marks := ((isP-ones)&^isP | (isQ-ones)&^isQ) & highs; marks != 0 {
			return i + bits.TrailingZeros64(marks)/8
		}
	}
	for ; i+1 < len(s); i++ {
		if pair := [2]byte{s[i], s[i+1]}; pair == p || pair == q {
			return i
		}
	}
	return -1
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
