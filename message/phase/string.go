package phase

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/mars-rec/mars/message/rawjson"
)

// quoteMark reports whether a string can start with c.
func quoteMark(c rune) bool { return c != 0 && closers(c) != "" }

// closers are the marks that end a string which started with c. A string in
// straight double quotes is JSON, and only that mark ends it.
func closers(c rune) string {
	switch c {
	case '"', '\'':
		return string(c)
	case '“', '”', '„':
		return "”“\""
	case '‘', '’':
		return "’‘'"
	}
	return ""
}

// string reads a quoted string.
func (r *reader) string() (string, error) {
	start, open := r.i, r.peek()
	if s, ok := r.plainString(); ok {
		return s, nil
	}
	ends := closers(open)
	switch {
	case open == '\'':
		r.notes.add("single quotes", start, "around a string")
	case open != '"':
		r.notes.add("smart quotes", start, "around a string")
	}
	r.i += utf8.RuneLen(open)
	var b strings.Builder
	from := r.i // of the run that is not yet in b
	for r.i < len(r.s) {
		if plainByte[r.s[r.i]] {
			r.i++
			continue
		}
		c, n := utf8.DecodeRuneInString(r.s[r.i:])
		switch {
		case c == '\\':
			b.WriteString(r.s[from:r.i])
			e, err := r.escape()
			if err != nil {
				return "", err
			}
			b.WriteRune(e)
			from = r.i
			continue
		case strings.ContainsRune(ends, c):
			rest := r.s[from:r.i]
			r.i += n
			if b.Len() == 0 {
				return rest, nil
			}
			b.WriteString(rest)
			return b.String(), nil
		case c < ' ':
			r.notes.add("control character", r.i, "%U in a string", c)
		}
		r.i += n
	}
	return "", r.fail("the string that starts at byte %d does not end", start)
}

// plainString reads a string in straight double quotes that has no escape in it,
// and nothing that is to be told of.
func (r *reader) plainString() (string, bool) {
	end, ok := rawjson.PlainEnd(r.s, r.i)
	if !ok {
		return "", false
	}
	s := r.s[r.i+1 : end-1]
	r.i = end
	return s, true
}

// plainByte has the bytes of which a string is made whatever mark it started
// with.
var plainByte = func() (plain [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		plain[c] = c != '"' && c != '\'' && c != '\\'
	}
	return plain
}()

// escape reads an escape sequence.
func (r *reader) escape() (rune, error) {
	at := r.i
	if r.i+1 >= len(r.s) {
		return 0, r.fail("the reply ends in an escape sequence")
	}
	c := r.s[r.i+1]
	r.i += 2
	switch c {
	case '"', '\\', '/':
		return rune(c), nil
	case '\'':
		r.notes.add("escape", at, `\' in a string`)
		return '\'', nil
	case 'b':
		return '\b', nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'u':
		return r.unicode(at)
	}
	r.i = at
	return 0, r.fail("%s is no escape sequence", quote(r.s[at:at+2]))
}

// unicode reads the digits of \uXXXX, and the second half of a pair.
func (r *reader) unicode(at int) (rune, error) {
	c, ok := r.hex()
	if !ok {
		r.i = at
		return 0, r.fail(`\u wants four hexadecimal digits`)
	}
	if !utf16.IsSurrogate(c) {
		return c, nil
	}
	mark := r.i
	if strings.HasPrefix(r.s[r.i:], `\u`) {
		r.i += 2
		if low, ok := r.hex(); ok {
			if pair := utf16.DecodeRune(c, low); pair != utf8.RuneError {
				return pair, nil
			}
		}
	}
	r.i = mark
	r.notes.add("escape", at, "half of a surrogate pair")
	return utf8.RuneError, nil
}

func (r *reader) hex() (rune, bool) {
	if r.i+4 > len(r.s) {
		return 0, false
	}
	n, err := strconv.ParseUint(r.s[r.i:r.i+4], 16, 16)
	r.i += 4
	return rune(n), err == nil
}
