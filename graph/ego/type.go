package ego

import (
	"strings"
	"unicode"
)

// advance is about how wide a character is in a common sans-serif font, in
// parts of the font's size, rather too wide than too narrow.
func advance(r rune) float64 {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case strings.ContainsRune("iljI.,:;'|!’‘", r):
		return 0.36
	case strings.ContainsRune(" ftr()[]-“”\"/\\", r):
		return 0.44
	case strings.ContainsRune("mwMW@%&—…", r):
		return 0.95
	case r < 0x80 && unicode.IsUpper(r):
		return 0.74
	case r < 0x80:
		return 0.64
	case r < 0x1100:
		return 0.75
	}
	return 1.05
}

// bold is how much wider bold text is.
const bold = 1.1

func measure(s string, size float64) float64 {
	w := 0.0
	for _, r := range s {
		w += advance(r)
	}
	return w * size
}

// fit cuts a text that is wider than it may be, and ends it in an ellipsis.
func fit(s string, width, size float64) string {
	if measure(s, size) <= width {
		return s
	}
	return strings.TrimRight(s[:fitting(s, width-measure("…", size), size)], " ") + "…"
}

// wrap breaks a text between words, and a word that is too wide for a line
// anywhere, into at most so many lines; what does not fit ends in an ellipsis.
func wrap(s string, width, size float64, most int) []string {
	var lines []string
	for len(lines) < most-1 && measure(s, size) > width {
		at := fitting(s, width, size)
		next := at
		if space := strings.LastIndexByte(s[:min(at+1, len(s))], ' '); space > 0 {
			at, next = space, space+1
		}
		lines = append(lines, s[:at])
		s = s[next:]
	}
	return append(lines, fit(s, width, size))
}

// fitting returns the length, in bytes, of the part of a text that is too wide
// which fits: at least one character and the marks on it.
func fitting(s string, width, size float64) int {
	for at, r := range s {
		if width -= advance(r) * size; width < 0 && at > 0 {
			return at
		}
	}
	return len(s)
}
