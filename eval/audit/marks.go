package audit

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A mark is a way of naming a candidate that only the right one gets: a star
// behind its line, a bracket around its label, a sentence of its own. What marks
// look like nobody knows, so each place where a label stands is reduced to its
// form, and the forms are counted, for the right candidate and for the others:
//
//	result of item_cf ... then c07 "Under the ...   ->  result item_cf │ ␣a␣ │ ␣"a
//	prompt user       c07 | Dune (1965) | classics  ->  prompt user │ ⏎ │ ␣|␣ │ a$
//
// A form in which the right candidate stands again and again, and no other ever
// does, is a mark.
type marks struct {
	forms map[string]*form
	runs  int
	first int // runs that rank the right candidate first
}

// form counts the runs in which something is named in this form.
type form struct {
	gold, others int
	place        Place // where the right one first was
	run          string
	bytes        string
}

// maxForms bounds what is kept: more forms than that say nothing.
const maxForms = 1 << 17

// spotted is the forms of one run.
type spotted map[string]*form

// spot notes the forms in which candidates are named in a text. kind says what
// the text is; labels are those of the candidates, and true for the right one.
func (s spotted) spot(labels map[string]bool, run, kind string, place Place, text string) {
	for line, start := range lines(text) {
		for at := 0; at < len(line); {
			i := strings.IndexByte(line[at:], 'c')
			if i < 0 {
				break
			}
			at += i
			n := labelLength(line[at:])
			if n == 0 || at > 0 && wordByte(line[at-1]) {
				at++
				continue
			}
			if gold, ok := labels[line[at:at+n]]; ok {
				s.note(kind, run, line, at, n, place, start, gold)
			}
			at += n
		}
	}
}

func (s spotted) note(kind, run, line string, at, n int, place Place, start int, gold bool) {
	key := kind + " │ " + shape(line[:at], true) + " │ " + shape(line[at+n:], false)
	if strings.HasPrefix(line[at+n:], " | ") && at == 0 { // a line of the list: its end too
		key += " │ " + shape(line, true)
	}
	f := s[key]
	if f == nil {
		if len(s) >= maxForms {
			return
		}
		f = &form{}
		s[key] = f
	}
	if !gold {
		f.others = 1
	} else if f.gold == 0 {
		f.gold, f.run, f.place, f.bytes = 1, run, place.at(start+at), excerpt(line, at)
	}
}

// add counts the forms of a run that ranked the right candidate first, or not.
func (m *marks) add(s spotted, first bool) {
	if m.forms == nil {
		m.forms = map[string]*form{}
	}
	m.runs++
	if first {
		m.first++
	}
	for key, f := range s {
		have := m.forms[key]
		if have == nil {
			if len(m.forms) < maxForms {
				m.forms[key] = f
			}
			continue
		}
		if have.gold == 0 {
			have.place, have.run, have.bytes = f.place, f.run, f.bytes
		}
		have.gold, have.others = have.gold+f.gold, have.others+f.others
	}
}

// findings returns the marks. Whoever judges well names the right candidate
// before others in what follows from the judgement, so a form has a chance of
// the share of runs that rank it first, and of a half at least, to be its own.
func (m *marks) findings() []Finding {
	if m.runs == 0 {
		return nil
	}
	share := max(0.5, float64(m.first)/float64(m.runs))
	var keys []string
	for key, f := range m.forms {
		if f.others == 0 && math.Pow(share, float64(f.gold))*float64(len(m.forms)) < certain {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	var found []Finding
	for _, key := range keys {
		f := m.forms[key]
		found = append(found, Finding{Check: checkMarks, Severity: Error, Case: f.run, Place: f.place, Bytes: f.bytes,
			What: fmt.Sprintf("in %d runs the right candidate is named in a form that no other has: %s", f.gold, key)})
	}
	return found
}

// shape reduces what stands beside a label: letters to a, digits to 9, runs of
// them to one. Of the text before it is the end, of the text behind the start.
func shape(text string, before bool) string {
	const most = 3
	var out []rune
	for len(out) < most && text != "" {
		var r rune
		var n int
		if before {
			r, n = utf8.DecodeLastRuneInString(text)
			text = text[:len(text)-n]
		} else {
			r, n = utf8.DecodeRuneInString(text)
			text = text[n:]
		}
		switch {
		case unicode.IsLetter(r):
			r = 'a'
		case unicode.IsDigit(r):
			r = '9'
		}
		if last := len(out) - 1; last < 0 || out[last] != r || r != 'a' && r != '9' {
			out = append(out, r)
		}
	}
	if before {
		slices.Reverse(out)
	}
	return string(out)
}

// lines yields the lines of a text, each with the offset of its start.
func lines(text string) func(yield func(string, int) bool) {
	return func(yield func(string, int) bool) {
		start := 0
		for line := range strings.SplitSeq(text, "\n") {
			if !yield(line, start) {
				return
			}
			start += len(line) + 1
		}
	}
}

// labelLength returns the length of the label that a text starts with, 0 if it
// starts with none.
func labelLength(text string) int {
	n := 1
	for n < len(text) && text[n] >= '0' && text[n] <= '9' {
		n++
	}
	if n < 3 || n < len(text) && wordByte(text[n]) {
		return 0
	}
	return n
}

func wordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
