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
func AppendString(dst []byte, s string) []byte {
	src := Bytes(s)
	const room = 2*8 + 2 // for eight bytes, each escaped, and one more store
	dst = append(slices.Grow(dst, len(src)+len(src)/4+room), '"')
	for i := 0; i < len(src); {
		if i+8 <= len(src) {
			if w := load(src, i); plain(w) == 8 {
				dst = binary.LittleEndian.AppendUint64(dst, w)
				i += 8
				continue
			}
		}
		if cap(dst)-len(dst) < room {
			dst = slices.Grow(dst, len(src)-i+room)
		}
		// Each byte is stored with the one after it, and what it does not need is
		// written over: a branch for each quote would be guessed wrong too often.
		out, n := dst[:cap(dst)], len(dst)
		for last := min(i+8, len(src)); i < last; i++ {
			e := escapes[src[i]]
			if e == 0 {
				break
			}
			binary.LittleEndian.PutUint16(out[n:], uint16(e))
			n += int(e >> 16)
		}
		if dst = dst[:n]; i < len(src) && escapes[src[i]] == 0 {
			dst, i = appendRare(dst, src, i)
		}
	}
	return append(dst, '"')
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

// IndexPair returns where the two bytes first stand one after the other in s;
// -1 where they do not. It is for those that are frequent each and rare together,
// as a backslash and a u.
func IndexPair(s string, first, second byte) int {
	src := Bytes(s)
	a, b := uint64(first)*ones, uint64(second)*ones
	i := 0
	for ; i+9 <= len(s); i += 8 {
		both := (load(src, i) ^ a) | (load(src, i+1) ^ b) // a byte of it is 0 where both are
		if marks := (both - ones) &^ both & highs; marks != 0 {
			return i + bits.TrailingZeros64(marks)/8
		}
	}
	for ; i+1 < len(s); i++ {
		if s[i] == first && s[i+1] == second {
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
