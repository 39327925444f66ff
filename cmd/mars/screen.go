package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// screen is what a command writes text for a person to. Titles, reviews and
// replies are foreign text, so nothing in it may steer the terminal: it passes
// everything through [printable].
type screen struct {
	w    io.Writer
	rest []byte // the beginning of a character whose end has not come yet
	err  error  // the first that occurred
}

func (s *screen) Write(b []byte) (int, error) {
	text := append(s.rest, b...)
	whole := len(text)
	for i := 1; i < utf8.UTFMax && i <= len(text); i++ {
		if last := text[len(text)-i:]; utf8.RuneStart(last[0]) {
			if !utf8.FullRune(last) {
				whole -= i
			}
			break
		}
	}
	s.rest = slices.Clone(text[whole:])
	if s.err == nil {
		_, s.err = io.WriteString(s.w, printable(string(text[:whole])))
	}
	return len(b), s.err
}

// printable writes what a terminal would obey, or not show, as the escape that
// it has in JSON: control characters but for line ends and tabs, marks that
// turn the direction of writing, characters without width, broken UTF-8.
func printable(s string) string {
	if !strings.ContainsFunc(s, hidden) {
		return s
	}
	var b strings.Builder
	for _, c := range s {
		if !hidden(c) {
			b.WriteRune(c)
		} else if high, low := utf16.EncodeRune(c); high != utf8.RuneError {
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		} else {
			fmt.Fprintf(&b, `\u%04x`, c)
		}
	}
	return b.String()
}

func hidden(c rune) bool {
	return c != '\n' && c != '\t' && (unicode.Is(unicode.Cc, c) || unicode.Is(unicode.Cf, c) || c == utf8.RuneError)
}

// oneLine is like [printable], with what stands on several lines joined.
func oneLine(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
	return printable(s)
}
