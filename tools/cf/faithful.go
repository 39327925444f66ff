package cf

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mars-rec/mars/message/phase"
)

// Faithful reports how what a model wrote says something else than the sentence
// that it was given; nil if it holds the same facts. It errs on the side of the
// sentence:
//
//   - The same titles, labels and numbers, in the same order, written alike.
//   - All names and other words of the data, in the same order; no word with a
//     capital letter that the sentence has not, unless it opens a sentence in one
//     of a few usual ways.
//   - No word for a number or a quantity, for a liking or a denial, and no "thin",
//     that the sentence has not as often; no denial and no "thin" left out.
//   - One line without the characters of structure, not much longer.
func Faithful(sentence, written string) error {
	switch {
	case written == "":
		return errors.New("nothing is written")
	case phase.CleanReply(written) != written:
		return errors.New("it holds structure")
	case utf8.RuneCountInString(written) > 2*utf8.RuneCountInString(sentence)+40:
		return errors.New("it is too long")
	}
	was, is := read(sentence), read(written)
	if !slices.Equal(was.tokens, is.tokens) {
		return fmt.Errorf("titles, labels and numbers are %q, were %q", is.tokens, was.tokens)
	}
	vocabulary := words(templateActions.ReplaceAllString(shipped, " "))
	if missing := subsequence(data(was.words, vocabulary), is.words); missing != "" {
		return fmt.Errorf("%q is missing or has moved", missing)
	}
	for _, name := range is.names {
		if !slices.Contains(was.words, strings.ToLower(name)) && !slices.Contains(strings.Fields(openers), name) {
			return fmt.Errorf("the name %q is added", name)
		}
	}
	for _, w := range is.words {
		if watched(w) && count(is.words, w) > count(was.words, w) {
			return fmt.Errorf("%q is added", w)
		}
	}
	for _, w := range was.words {
		if denies(w) && count(is.words, w) < count(was.words, w) {
			return fmt.Errorf("%q is left out", w)
		}
	}
	return nil
}

// Words that make a claim: a rewritten sentence has none of its own.
const (
	numberWords = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen " +
		"twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion dozen dozens hundreds thousands millions " +
		"once twice thrice double triple half third thirds quarter quarters fifth first second single pair couple percent"
	quantityWords = "all every each everyone everybody both most mostly majority minority many much few fewer several some any more less least nearly almost " +
		"about around roughly approximately over under only always often rarely seldom hardly barely strong strongly weak clearly definitely"
	likingWords = "like likes liked liking love loves loved enjoy enjoys enjoyed prefer prefers preferred favourite favourites favorite favorites fan fans " +
		"adore adored hate hated dislike disliked best better worst worse great good bad recommend recommends recommended"
	denialWords = "no not none never neither nor nothing nobody without cannot thin fewer"
	openers     = "Of Among Amongst Users People Those The This That These They There It In From By With For Out As An A And But Also While"
)

var (
	templateActions = regexp.MustCompile(`(?s)\{\{.*?\}\}`)
	// A title in quotation marks, a label, a number.
	token = regexp.MustCompile(`"[^"]*"|\bc[0-9]+\b|[0-9]+(?:[.,:][0-9]+)*%?`)
	word  = regexp.MustCompile(`[\p{L}][\p{L}'’]*`)
)

// said is what a sentence consists of.
type said struct {
	tokens []string // titles, labels, numbers
	words  []string // the rest, in lower case
	names  []string // of these, those that begin with a capital
}

func read(s string) said {
	r := said{tokens: token.FindAllString(s, -1)}
	rest := token.ReplaceAllString(s, " ")
	for _, w := range word.FindAllString(rest, -1) {
		r.words = append(r.words, strings.ToLower(w))
		if first, _ := utf8.DecodeRuneInString(w); unicode.IsUpper(first) {
			r.names = append(r.names, w)
		}
	}
	return r
}

// words are the words of a text, in lower case.
func words(s string) []string { return read(s).words }

// data returns the words that are none of the vocabulary's.
func data(all, vocabulary []string) []string {
	var rest []string
	for _, w := range all {
		if !slices.Contains(vocabulary, w) {
			rest = append(rest, w)
		}
	}
	return rest
}

// subsequence returns the first word that does not follow in order.
func subsequence(want, in []string) string {
	for _, w := range want {
		i := slices.Index(in, w)
		if i < 0 {
			return w
		}
		in = in[i+1:]
	}
	return ""
}

func watched(w string) bool {
	return denies(w) || slices.Contains(strings.Fields(numberWords+" "+quantityWords+" "+likingWords), w)
}

func denies(w string) bool {
	return strings.HasSuffix(w, "n't") || strings.HasSuffix(w, "n’t") || slices.Contains(strings.Fields(denialWords), w)
}

func count(words []string, w string) int {
	n := 0
	for _, other := range words {
		if other == w {
			n++
		}
	}
	return n
}
