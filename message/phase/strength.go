package phase

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// String is the text form: label, level and score as one token,
// "c09:7=0.1234". The score has four significant digits.
func (s Strength) String() string {
	return s.Label + ":" + strconv.Itoa(s.Level) + "=" + strconv.FormatFloat(s.Score, 'g', 4, 64)
}

// MarshalText writes the text form. A label that is not c and digits, a level
// outside 0 to 9 and a score that is not finite are errors.
func (s Strength) MarshalText() ([]byte, error) {
	if !s.valid() {
		return nil, fmt.Errorf("strength %q, level %d, score %g: want a label, a level from 0 to 9 and a finite score", s.Label, s.Level, s.Score)
	}
	return []byte(s.String()), nil
}

func (s Strength) valid() bool {
	return labelWord(s.Label) && s.Level >= 0 && s.Level <= 9 && !math.IsNaN(s.Score) && !math.IsInf(s.Score, 0)
}

// UnmarshalText reads the text form, and nothing else.
func (s *Strength) UnmarshalText(text []byte) error {
	read, ok := parseStrength(string(text))
	if !ok {
		return fmt.Errorf("%s is not a strength: want label:level=score, such as c09:7=0.1234", quote(string(text)))
	}
	*s = read
	return nil
}

func parseStrength(text string) (Strength, bool) {
	label, rest, ok := strings.Cut(text, ":")
	if !ok || !labelWord(label) || len(rest) < 2 || rest[0] < '0' || rest[0] > '9' || rest[1] != '=' {
		return Strength{}, false
	}
	score := rest[2:]
	f, err := strconv.ParseFloat(score, 64)
	plain := strings.Trim(score, "0123456789.e+-") == "" // no hexadecimal, no infinity
	return Strength{Label: label, Level: int(rest[0] - '0'), Score: f}, err == nil && plain
}

// labelWord reports whether s has the form of a candidate's label: c and
// digits. [Clean] leaves no such word in data.
func labelWord(s string) bool {
	if len(s) < 2 || s[0] != 'c' {
		return false
	}
	for i := 1; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// word reports whether s is a non-empty run of ASCII letters, digits and _.
func word(s string) bool {
	for i := range len(s) {
		if !wordByte(s[i]) {
			return false
		}
	}
	return s != ""
}

func wordByte(b byte) bool {
	return b == '_' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

// quote shows a piece of foreign text in an error: quoted, in ASCII, cut.
func quote(s string) string {
	const most = 40
	if len(s) > most {
		return strconv.QuoteToASCII(s[:most]) + "..."
	}
	return strconv.QuoteToASCII(s)
}
