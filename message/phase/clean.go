package phase

import (
	"html"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// MaxText is the most runes that [Clean] lets through.
const MaxText = 2000

// maxInput is the most bytes that Clean looks at.
const maxInput = 64 << 10

// maxMarks is the most combining marks in a row that are kept.
const maxMarks = 8

// Clean makes a text from the data (a title, a review, a name) inert, so that
// it can stand in a prompt or a training row and forge nothing there. The
// result is one line of at most [MaxText] runes without the characters that
// structure is made of:
//
//	<  >            ‹  ›    tags, chat-template tokens
//	[ {  ] }        (  )    JSON, template syntax, [INST]
//	|  `  \         ¦  '  / columns of the candidate list, fences, escapes
//	line breaks, controls,
//	invisible characters    a space, and runs of spaces one
//	c03             C03     a word that looks like a candidate's label
//	&lt;            ‹       entities are read once; what still looks like one
//	&amp;lt;        & lt;   is broken up, so that unescaping revives nothing
//
// So "I <3 You [DVD]" reads "I ‹3 You (DVD)". Compatibility forms (a full-width
// ＜) go the same way. Text is normalised first (NFC) and escaped last, and
// nothing is deleted from between two characters, so no form can be assembled
// from the pieces of another. Clean is idempotent.
//
// The parsers of this package read no entity and no look-alike back: what Clean
// emits is never an answer.
func Clean(s string) string { return inert(s, MaxText, true) }

// CleanReply makes a model's own words inert in the same way, so that they can
// stand in another prompt. They may name the candidates, and be [MaxReply] runes
// long.
func CleanReply(s string) string { return inert(s, MaxReply, false) }

// inert does the work of both. With foreign set, words that look like labels
// are changed too: a model's own words may name the candidates.
func inert(s string, most int, foreign bool) string {
	if plain(s, most, foreign) {
		return s
	}
	if foreign && len(s) > maxInput {
		s = s[:maxInput]
	}
	s = norm.NFC.String(html.UnescapeString(strings.ToValidUTF8(s, "\uFFFD")))
	var b strings.Builder
	b.Grow(len(s) + 16)
	w := writer{b: &b, left: most}
	for i, r := range s {
		switch {
		case r < utf8.RuneSelf:
			w.ascii(s[i:], byte(r), foreign)
		case r > 0xA0 && r < 0x300 && r != 0xAD: // Latin: nothing to do
			w.put(r)
		case r == '＆' || r == '﹠':
			w.ascii("&"+s[i+utf8.RuneLen(r):], '&', foreign)
		case invisible(r):
			w.space()
		case unicode.In(r, unicode.Co, unicode.Noncharacter_Code_Point):
			w.put(utf8.RuneError)
		case unicode.In(r, unicode.Mn, unicode.Me):
			w.mark(r)
		default:
			w.other(r)
		}
		if w.left < 0 {
			break
		}
	}
	return w.text(most)
}

// plain reports whether s needs no work, which is the common case.
func plain(s string, most int, foreign bool) bool {
	if len(s) > most {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if letters[c] {
			continue
		}
		switch {
		case c == ' ' && i > 0 && i < len(s)-1 && s[i-1] != ' ':
		case c == 'c' && !(foreign && labelAhead(s[i:])):
		default:
			return false
		}
	}
	return true
}

// letters has the bytes that no rule is about: not the space, not the c, and
// nothing that is a control, beyond ASCII, or what structure is made of.
var letters = func() (plain [256]bool) {
	for c := '!'; c < 0x7f; c++ {
		plain[c] = c != 'c' && !strings.ContainsRune("<>[]{}|`\\&", c)
	}
	return plain
}()

// writer collects the result. It holds back spaces, so that runs become one
// and none ends the text.
type writer struct {
	b       *strings.Builder
	last    rune // 0 at the start
	pending bool // a space is due before the next rune
	marks   int  // combining marks in a row
	left    int  // runes that may still be written; below 0: there was more
}

func (w *writer) put(r rune) {
	if w.pending && w.last != 0 {
		w.write(' ')
	}
	w.pending, w.marks = false, 0
	w.write(r)
}

func (w *writer) write(r rune) {
	if w.left--; w.left >= 0 {
		w.b.WriteRune(r)
	}
	w.last = r
}

func (w *writer) space() { w.pending = true }

// ascii writes one ASCII character; rest is the text from it on.
func (w *writer) ascii(rest string, c byte, foreign bool) {
	switch {
	case c <= ' ' || c == 0x7f:
		w.space()
	case c == '&' && entity(rest):
		w.put('&')
		w.space()
	case foreign && c == 'c' && labelAhead(rest) && w.boundary():
		w.put('C')
	default:
		w.put(safe(rune(c)))
	}
}

// boundary reports whether a word would start here.
func (w *writer) boundary() bool {
	return w.pending || w.last >= utf8.RuneSelf || !wordByte(byte(w.last))
}

// mark writes a combining mark on what stands before it.
func (w *writer) mark(r rune) {
	if w.marks++; w.marks > maxMarks {
		w.space()
		w.marks = 0
		return
	}
	n := w.marks
	w.other(r)
	w.marks = n
}

// other writes a rune beyond ASCII; one whose compatibility form holds
// structure is written as that form, made safe.
func (w *writer) other(r rune) {
	form := norm.NFKD.PropertiesString(string(r)).Decomposition()
	for _, d := range string(form) {
		if d < utf8.RuneSelf && safe(d) != d {
			for _, d := range string(form) {
				if unicode.Is(unicode.Mn, d) {
					w.mark(d)
				} else {
					w.put(safe(d))
				}
			}
			return
		}
	}
	w.put(r)
}

// text returns what was written, cut with an ellipsis if there was more.
func (w *writer) text(most int) string {
	s := w.b.String()
	if w.left >= 0 {
		return s
	}
	_, n := utf8.DecodeLastRuneInString(s)
	s = strings.TrimRight(s[:len(s)-n], " ") // room for the ellipsis
	return s + "…"
}

// safe is the table of the escape rule.
func safe(r rune) rune {
	switch r {
	case '<':
		return '‹'
	case '>':
		return '›'
	case '[', '{':
		return '('
	case ']', '}':
		return ')'
	case '|':
		return '¦'
	case '`':
		return '\''
	case '\\':
		return '/'
	}
	return r
}

// entity reports whether an unescaper would read the start of s, an
// ampersand, as an HTML entity, be its letters plain or compatibility forms.
func entity(s string) bool {
	const longest = 33 // &CounterClockwiseContourIntegral;
	s = strings.ToValidUTF8(s[:min(len(s), longest*utf8.UTFMax)], "")
	s = norm.NFKC.String(s[:1+strings.IndexByte(s[1:]+"&", '&')])
	return html.UnescapeString(s) != s
}

// invisible reports whether r shows nothing: spaces and line ends of all
// kinds, controls, formats (bidirectional marks, zero-width characters, tags),
// fillers and variation selectors other than those of emoji.
func invisible(r rune) bool {
	if r == 0xFE0E || r == 0xFE0F {
		return false
	}
	return r == 0x2800 || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Z,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// labelAhead reports whether s starts with a whole word of c and digits.
func labelAhead(s string) bool {
	n := 1
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n > 1 && (n == len(s) || !wordByte(s[n]))
}
