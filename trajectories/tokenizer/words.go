package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// words splits as the patterns of Qwen and Llama 3 do, alternative by
// alternative:
//
//	(?i:'s|'t|'re|'ve|'m|'ll|'d)     English endings
//	[^\r\n\p{L}\p{N}]?\p{L}+         a word, with one sign or space before it
//	\p{N}{1,digits}                  a number
//	 ?[^\s\p{L}\p{N}]+[\r\n]*        signs, with a space before and line ends after
//	\s*[\r\n]+                       white space up to its last line end
//	\s+(?!\S)                        white space, but for the last before a word
//	\s+
type words struct {
	digits int
	ascii  *[utf8.RuneSelf]class
}

func newWords(digits int) words {
	w := words{digits, new([utf8.RuneSelf]class)}
	for r := range w.ascii {
		w.ascii[r] = classOf(rune(r))
	}
	return w
}

// split implements [splitter].
func (w words) split(s string, yield func(from, to int)) {
	for from := 0; from < len(s); {
		to := from + w.next(s[from:])
		yield(from, to)
		from = to
	}
}

// class is what the patterns tell apart.
type class uint8

const (
	sign class = iota
	letter
	number
	space
	lineEnd
)

func classOf(r rune) class {
	switch {
	case r == '\r' || r == '\n':
		return lineEnd
	case unicode.IsSpace(r):
		return space
	case unicode.IsLetter(r):
		return letter
	case unicode.IsNumber(r):
		return number
	}
	return sign
}

// at returns the class of the first character and its size in bytes; 0: there
// is none.
func (w words) at(s string) (class, int) {
	if s == "" {
		return sign, 0
	}
	if c := s[0]; c < utf8.RuneSelf {
		return w.ascii[c], 1
	}
	r, size := utf8.DecodeRuneInString(s)
	return classOf(r), size
}

// next returns the length of the first piece of s, which is not empty.
func (w words) next(s string) int {
	if n := ending(s); n > 0 {
		return n
	}
	first, size := w.at(s)
	second, _ := w.at(s[size:])
	switch {
	case first == letter:
		return size + w.run(s[size:], letter)
	case first != lineEnd && first != number && second == letter && size < len(s):
		return size + w.run(s[size:], letter)
	case first == number:
		n := size
		for i := 1; i < w.digits; i++ {
			c, size := w.at(s[n:])
			if c != number {
				break
			}
			n += size
		}
		return n
	case first == sign:
		return w.signs(s, 0)
	case s[0] == ' ' && second == sign && len(s) > 1:
		return w.signs(s, 1)
	}
	return w.white(s)
}

// run returns the length of a run of a class.
func (w words) run(s string, want class) int {
	n := 0
	for {
		c, size := w.at(s[n:])
		if c != want || size == 0 {
			return n
		}
		n += size
	}
}

// signs returns the length of signs and line ends from n on.
func (w words) signs(s string, n int) int {
	n += w.run(s[n:], sign)
	return n + w.run(s[n:], lineEnd)
}

// white returns the length of the first piece of a run of white space.
func (w words) white(s string) int {
	n, last, ends := 0, 0, 0 // of the run; where its last character starts; after its last line end
	for n < len(s) {
		c, size := w.at(s[n:])
		if c != space && c != lineEnd {
			break
		}
		last = n
		n += size
		if c == lineEnd {
			ends = n
		}
	}
	switch {
	case ends > 0:
		return ends
	case n < len(s) && last > 0:
		return last
	}
	return n
}

// ending returns the length of an English ending at the start of s, in either
// case: 's, 't, 're, 've, 'm, 'll, 'd. The long s is an s in the other case.
func ending(s string) int {
	if len(s) < 2 || s[0] != '\'' {
		return 0
	}
	if strings.HasPrefix(s[1:], "ſ") {
		return 1 + len("ſ")
	}
	switch s[1] | 0x20 {
	case 's', 't', 'm', 'd':
		return 2
	case 'r', 'v':
		if len(s) > 2 && s[2]|0x20 == 'e' {
			return 3
		}
	case 'l':
		if len(s) > 2 && s[2]|0x20 == 'l' {
			return 3
		}
	}
	return 0
}
