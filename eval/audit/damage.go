package audit

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// damage is a place in a text where the encoding is broken, or where data could
// pass for structure.
type damage struct {
	offset   int
	severity Severity
	what     string
}

// origin says who wrote a text, and so what may stand in it.
type origin int

const (
	byProgram origin = iota // prompts of the program: tags may be spoken of
	byData                  // holds texts of the data, which forge nothing
	byModel                 // a reply: its own tags are wanted
)

// tokens are the pieces of chat templates, and the tags that templates write
// themselves: as text they would end a message, or start another.
var tokens = []string{"<|", "|>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>",
	"<tools>", "</tools>", "<think>", "</think>", "<｜", "[INST]", "[/INST]", "<<SYS>>", "<s>", "</s>", "<start_of_turn>", "<end_of_turn>"}

// tags open and close the phases of a trajectory.
var tags = []string{"<plan", "</plan", "<analysis", "</analysis", "<reflection", "</reflection", "<recommend", "</recommend"}

// damages returns the first damage of each kind in a text.
func damages(text string, by origin) []damage {
	var found []damage
	first := func(at int, s Severity, what string) {
		if at >= 0 {
			found = append(found, damage{at, s, what})
		}
	}
	if !utf8.ValidString(text) {
		at := 0
		for at < len(text) {
			r, n := utf8.DecodeRuneInString(text[at:])
			if r == utf8.RuneError && n == 1 {
				break
			}
			at += n
		}
		first(at, Error, "is not UTF-8")
	}
	ascii, special := plainness(text)
	if special {
		first(strings.IndexFunc(text, control), Error, "holds a control character")
	}
	if !ascii {
		first(strings.IndexRune(text, utf8.RuneError), Warning, "holds U+FFFD: a character was lost when the text was read")
		first(strings.IndexFunc(text, unseen), Error, "holds a character without width, or one that turns the direction of writing")
		first(mojibake(text), Warning, "holds UTF-8 that was read as another encoding (mojibake)")
	}
	for _, t := range tokens {
		if at := strings.Index(text, t); at >= 0 && by != byProgram {
			first(at, Error, fmt.Sprintf("holds %q, which chat templates obey", t))
			break
		}
	}
	for _, t := range tags {
		if at := strings.Index(text, t); at >= 0 && by == byData {
			first(at, Error, fmt.Sprintf("holds the tag %q, which only the assistant writes", t))
			break
		}
	}
	return found
}

// plainness reports whether a text is ASCII, and whether it may hold a control
// character: most texts need no closer look.
func plainness(text string) (ascii, special bool) {
	ascii = true
	for i := range len(text) {
		c := text[i]
		ascii = ascii && c < utf8.RuneSelf
		special = special || c == 0x7f || c == 0xc2 || c < 0x20 && c != '\n' && c != '\t'
	}
	return ascii, special
}

func control(r rune) bool { return unicode.Is(unicode.Cc, r) && r != '\n' && r != '\t' }

// unseen is what shows nothing and still does something. Joiners are part of
// emoji and of several scripts.
func unseen(r rune) bool {
	return unicode.Is(unicode.Cf, r) && r != '\u200c' && r != '\u200d' && r != '\u00ad'
}

// mojibake returns where UTF-8 that was decoded as Windows-1252 or Latin-1
// starts: characters beyond ASCII whose bytes in that encoding are, together,
// UTF-8 again. It returns -1 if there is none. "é" alone is none, "Ã©" is.
func mojibake(text string) int {
	var run []byte
	start := -1
	whole := func() bool { return len(run) > 1 && utf8.Valid(run) }
	for i, r := range text {
		b, ok := charmap.Windows1252.EncodeRune(r)
		if !ok && r < 0x100 { // the five bytes that Windows-1252 leaves out
			b, ok = byte(r), true
		}
		if ok && b >= utf8.RuneSelf {
			if len(run) == 0 {
				start = i
			}
			run = append(run, b)
			continue
		}
		if whole() {
			return start
		}
		run = run[:0]
	}
	if whole() {
		return start
	}
	return -1
}

// tellDamages adds what is wrong with a text that stands at a place.
func (b *book) tellDamages(check, id string, place Place, text string, by origin) {
	for _, d := range damages(text, by) {
		b.add(Finding{Check: check, Severity: d.severity, Case: id, Place: place.at(d.offset), What: d.what, Bytes: excerpt(text, d.offset)})
	}
}
