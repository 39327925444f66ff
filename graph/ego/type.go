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
	left := width - measure("…", size)
	for at, r := range s {
		if left -= advance(r) * size; left < 0 {
			return strings.TrimRight(s[:at], " ") + "…"
		}
	}
	return s
}

// wrap breaks a text between words into at most so many lines; what does not
// fit ends in an ellipsis.
func wrap(s string, width, size float64, most int) []string {
	var lines []string
	words := strings.Split(s, " ")
	for len(words) > 0 {
		n := 1
		for n < len(words) && measure(strings.Join(words[:n+1], " "), size) <= width {
			n++
		}
		if len(lines) == most-1 {
			n = len(words)
		}
		lines = append(lines, fit(strings.Join(words[:n], " "), width, size))
		words = words[n:]
	}
	return lines
}
