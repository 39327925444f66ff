package reward

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A name is a title, or a part of one, that stands in a text without quotes:
//
//	Fans of Blade Runner (1982) also like the Lord of the Rings, and Solaris.
//	        ^^^^^^^^^^^^                       ^^^^^^^^^^^^^^^^^      ^^^^^^^
//
// It is a run of words that begin with a capital, with "of", "the" and the like
// between them. A word may begin with a capital for other reasons, so a name is
// taken for told if one of its readings is: at the start of a sentence the name
// may begin with the second word, an article before it may be left out, and so
// may an 's after it.

// nameWord is one word of a text, bytes [from, to).
type nameWord struct {
	from, to int
	kind     wordKind
}

type wordKind int

const (
	plainWord   wordKind = iota
	capitalWord          // Blade, Spider-Man, McQueen; not ALIEN, ItemCF, C03
	romanWord            // III: goes on with a name
	linkWord             // of, the: goes on with a name if a capital follows
)

// names finds the names in a text that has no quotes any more. Left out are one
// word at the start of a sentence, unless a year in brackets follows it; a run
// at the start of a sentence that a colon follows, which is a heading; days and
// months.
func names(text string) []statement {
	var all []statement
	var run []nameWord
	firm := 0 // words of the run up to its last capital
	flush := func() {
		if s, ok := name(text, run[:firm]); ok {
			all = append(all, s)
		}
		run, firm = run[:0], 0
	}
	for _, w := range nameWords(text) {
		if len(run) > 0 && strings.Trim(text[run[len(run)-1].to:w.from], " ") != "" {
			flush()
		}
		switch {
		case w.kind == capitalWord || w.kind == romanWord && len(run) > 0:
			run = append(run, w)
			firm = len(run)
		case w.kind == linkWord && len(run) > 0:
			run = append(run, w)
		default:
			flush()
		}
	}
	flush()
	return all
}

// name makes a statement of a run of words, if it is one.
func name(text string, run []nameWord) (statement, bool) {
	if len(run) == 0 {
		return statement{}, false
	}
	after := text[run[len(run)-1].to:]
	starts := startsSentence(text[:run[0].from])
	if starts && (strings.HasPrefix(after, ":") || len(run) == 1 && !yearForm.MatchString(after)) {
		return statement{}, false
	}
	read := func(from int) string { return words(text[run[from].from:run[len(run)-1].to]) }
	first := words(text[run[0].from:run[0].to])
	if len(run) == 1 && (article(first) || slices.Contains(calendar, first)) {
		return statement{}, false
	}
	s := statement{text: read(0), title: true}
	next := func(from int) int { // the next word that a name can begin with
		for from++; from < len(run) && run[from].kind != capitalWord; from++ {
		}
		return from
	}
	add := func(from int) {
		if from < len(run) {
			s.others = append(s.others, read(from))
		}
	}
	begin := 0
	if starts {
		begin = next(0)
		add(begin)
	}
	for _, at := range []int{0, begin} {
		if at < len(run) && article(words(text[run[at].from:run[at].to])) {
			add(next(at))
		}
	}
	for _, reading := range append([]string{s.text}, s.others...) {
		if bare, ok := strings.CutSuffix(reading, " s"); ok {
			s.others = append(s.others, bare)
		}
	}
	return s, true
}

// calendar are names that nobody has to be told.
var calendar = strings.Fields("monday tuesday wednesday thursday friday saturday sunday " +
	"january february march april may june july august september october november december")

func article(word string) bool { return word == "the" || word == "a" || word == "an" }

// startsSentence reports whether a sentence, an item or a bracket starts after
// this text.
func startsSentence(before string) bool {
	before = strings.TrimRight(before, " *_")
	r, n := utf8.DecodeLastRuneInString(before)
	return n == 0 || strings.ContainsRune("\n\r.!?:;([-–—•|/#", r)
}

// nameWords cuts a text into its words: letters, marks and digits, and within
// them hyphens and apostrophes.
func nameWords(text string) []nameWord {
	var all []nameWord
	from := -1
	end := func(to int) {
		if from < 0 {
			return
		}
		to = from + len(strings.TrimRight(text[from:to], "'’-"))
		all = append(all, nameWord{from, to, kindOf(text[from:to])})
		from = -1
	}
	for i, r := range text {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
			if from < 0 {
				from = i
			}
		case r != '\'' && r != '’' && r != '-':
			end(i)
		}
	}
	end(len(text))
	return all
}

func kindOf(word string) wordKind {
	switch word {
	case "of", "the", "a", "an", "de", "la", "le", "du":
		return linkWord
	}
	if len(word) > 1 && strings.Trim(word, "IVX") == "" {
		return romanWord
	}
	lower, upper := false, false // upper: of the letter before
	for i, r := range word {
		switch {
		case unicode.IsUpper(r) && upper, i == 0 && !unicode.IsUpper(r):
			return plainWord
		case unicode.IsLower(r):
			lower = true
		}
		upper = unicode.IsUpper(r)
	}
	if !lower {
		return plainWord
	}
	return capitalWord
}
