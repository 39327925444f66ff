package phase

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/mars-rec/mars/message/rawjson"
)

// String is the text form: label, level and score as one token,
// "c09:7=0.1234". The score has four significant digits.
func (s Strength) String() string { return string(s.append(nil)) }

// append appends the text form.
func (s Strength) append(dst []byte) []byte {
	dst = append(append(dst, s.Label...), ':')
	dst = append(strconv.AppendInt(dst, int64(s.Level), 10), '=')
	return strconv.AppendFloat(dst, s.Score, 'g', 4, 64)
}

// MarshalText writes the text form. A label that is not c and digits, a level
// outside 0 to 9 and a score that is not finite are errors.
func (s Strength) MarshalText() ([]byte, error) {
	if !s.valid() {
		return nil, fmt.Errorf("strength %q, level %d, score %g: want a label, a level from 0 to 9 and a finite score", s.Label, s.Level, s.Score)
	}
	return s.append(nil), nil
}

func (s Strength) valid() bool {
	return labelWord(s.Label) && s.Level >= 0 && s.Level <= 9 && !math.IsNaN(s.Score) && !math.IsInf(s.Score, 0)
}

// UnmarshalText reads the text form, and nothing else.
func (s *Strength) UnmarshalText(text []byte) error {
	read, ok := parseStrength(text)
	if !ok {
		return fmt.Errorf("%s is not a strength: want label:level=score, such as c09:7=0.1234", quote(string(text)))
	}
	*s = read
	return nil
}

func parseStrength(text []byte) (Strength, bool) {
	label, rest, ok := bytes.Cut(text, []byte(":"))
	if !ok || !labelWord(rawjson.Text(label)) || len(rest) < 2 || rest[0] < '0' || rest[0] > '9' || rest[1] != '=' {
		return Strength{}, false
	}
	for _, c := range rest[2:] { // no hexadecimal, no infinity
		if (c < '0' || c > '9') && c != '.' && c != 'e' && c != '+' && c != '-' {
			return Strength{}, false
		}
	}
	f, err := strconv.ParseFloat(rawjson.Text(rest[2:]), 64)
	return Strength{Label: labelOf(label), Level: int(rest[0] - '0'), Score: f}, err == nil
}

// labelOf is a label as a string: nearly all are of two digits, and those exist
// once.
func labelOf(label []byte) string {
	if len(label) == len("c00") {
		i := int(label[1]-'0')*10 + int(label[2]-'0')
		return twoDigits[i*len("c00") : (i+1)*len("c00")]
	}
	return string(label)
}

// twoDigits are the labels c00 to c99, one after the other.
var twoDigits = func() string {
	var all strings.Builder
	for i := range 100 {
		fmt.Fprintf(&all, "c%02d", i)
	}
	return all.String()
}()

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
