package reward

import (
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
)

// Grounded says which share of what a conversation states was told to it
// before: 1 if it states nothing. Loose are the statements that were not, in
// order, each once.
//
// A statement is, in a plan, an analysis or a reflection, each counted once
// however often it is said:
//   - a number, other than whole numbers up to 10 (they count what the text
//     itself lists) and numbers joined to letters (c03, 1990s). 1,204 is one
//     number; a sign is not part of it;
//   - a title: what stands between double quotes, straight or curly, or between
//     asterisks;
//   - a name: words with capitals that stand without quotes, see names.go.
//
// It is grounded in the messages before it that are not the student's own: the
// prompt, and the answers of tools that are no errors (an error repeats what it
// was asked). A number x, written with d decimals, is grounded if they have a
// number within 0.5·10⁻ᵈ of x, that is one that rounds to x; 39% also if they
// have one that rounds to 0.39. A title is grounded if they have its words, in
// this order, as whole words; case, marks around it and runs of spaces do not
// matter. So is a name.
//
// Of more than a thousand statements, those beyond are loose.
//
// So a number that is told of one thing and said of another counts as
// grounded. Not seen are a title without quotes in lower case or all in
// capitals, and one word of it where a sentence starts.
func Grounded(messages []model.Message) (share float64, loose []string) {
	var told sources
	seen := map[string]bool{}
	stated := 0
	for _, m := range messages {
		if m.Role != model.Assistant {
			if !(m.Role == model.ToolRole && isError(m)) {
				told.add(m.Content)
			}
			continue
		}
		blocks, err := phase.Blocks(m.Content)
		if err != nil { // what has no form says nothing
			continue
		}
		for _, b := range blocks {
			if b.Tag == "recommend" {
				continue
			}
			for _, s := range statements(inside(b)) {
				if seen[s.text] {
					continue
				}
				seen[s.text] = true
				stated++
				if stated > maxStatements || !told.have(s) {
					loose = append(loose, s.text)
				}
			}
		}
	}
	if stated == 0 {
		return 1, nil
	}
	return float64(stated-len(loose)) / float64(stated), loose
}

// inside takes the tags off a block.
func inside(b phase.Block) string {
	text := strings.TrimPrefix(b.Text, "<"+b.Tag)
	text = strings.TrimPrefix(strings.TrimPrefix(text, ` role="`+b.Role+`"`), ">")
	return strings.TrimSuffix(text, "</"+b.Tag+">")
}

// statement is one thing that a text states.
type statement struct {
	text     string // as it is written; of a title, its words
	title    bool
	others   []string // of a name: what may be meant in its place
	number   float64
	decimals int
	percent  bool
}

var (
	numberForm = regexp.MustCompile(`(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?`)
	titleForm  = regexp.MustCompile(`"[^"\n]+"|“[^”\n]+”|\*[^*\n]+\*`)
	yearForm   = regexp.MustCompile(`^ \((?:1[89]|20)[0-9]{2}\)`)
)

// maxStatements bounds the work that a text can make.
const maxStatements = 1000

// small is up to which a whole number is no statement.
const small = 10

// statements finds the titles in a text, and the names and numbers outside of
// them.
func statements(text string) []statement {
	var all []statement
	text = strings.ReplaceAll(text, "**", "") // bold is no quote
	for _, at := range titleForm.FindAllStringIndex(text, -1) {
		if w := words(text[at[0]:at[1]]); w != "" {
			all = append(all, statement{text: w, title: true})
		}
	}
	text = titleForm.ReplaceAllString(text, "\n")
	all = append(all, names(text)...)
	for _, at := range numberForm.FindAllStringIndex(text, -1) {
		before, _ := utf8.DecodeLastRuneInString(text[:at[0]])
		after, _ := utf8.DecodeRuneInString(text[at[1]:])
		if letter(before) || letter(after) || before == '.' && at[0] > 1 && unicode.IsDigit(rune(text[at[0]-2])) {
			continue
		}
		s := statement{text: text[at[0]:at[1]], percent: after == '%'}
		var ok bool
		if s.number, s.decimals, ok = parseNumber(s.text); !ok || s.decimals == 0 && s.number <= small && !s.percent {
			continue
		}
		if s.percent {
			s.text += "%"
		}
		all = append(all, s)
	}
	return all
}

func letter(r rune) bool { return r == '_' || r != utf8.RuneError && unicode.IsLetter(r) }

// parseNumber reads a number and how many decimals it is written with.
func parseNumber(s string) (x float64, decimals int, ok bool) {
	s = strings.ReplaceAll(s, ",", "")
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(x, 0) {
		return 0, 0, false
	}
	mantissa, exponent, _ := strings.Cut(strings.ToLower(s), "e")
	if i := strings.IndexByte(mantissa, '.'); i >= 0 {
		decimals = len(mantissa) - i - 1
	}
	if e, err := strconv.Atoi(exponent); err == nil {
		decimals -= e
	}
	return x, max(0, decimals), true // 1e9 is exact too, or it would cover all
}

// sources is what has been told so far.
type sources struct {
	numbers []float64
	sorted  bool
	text    strings.Builder // words, each message between line ends
}

// add takes what a message tells: of JSON its texts and numbers.
func (s *sources) add(content string) {
	var v any
	if json.Unmarshal([]byte(content), &v) == nil {
		s.value(v)
	} else {
		s.string(content)
	}
	s.sorted = false
}

func (s *sources) value(v any) {
	switch v := v.(type) {
	case string:
		s.string(v)
	case float64:
		s.numbers = append(s.numbers, math.Abs(v))
	case []any:
		for _, e := range v {
			s.value(e)
		}
	case map[string]any:
		for _, e := range v { // in any order: they are sorted, and each text stands alone
			s.value(e)
		}
	}
}

func (s *sources) string(text string) {
	s.text.WriteString("\n " + words(text) + " \n")
	for _, form := range numberForm.FindAllString(text, -1) {
		if x, _, ok := parseNumber(form); ok {
			s.numbers = append(s.numbers, x)
		}
	}
}

// have reports whether a statement is grounded.
func (s *sources) have(st statement) bool {
	if st.title {
		told := func(w string) bool { return strings.Contains(s.text.String(), " "+w+" ") }
		return told(st.text) || slices.ContainsFunc(st.others, told)
	}
	if !s.sorted {
		slices.Sort(s.numbers)
		s.sorted = true
	}
	return s.near(st.number, st.decimals) || st.percent && s.near(st.number/100, st.decimals+2)
}

// near reports whether a number that was told rounds to x.
func (s *sources) near(x float64, decimals int) bool {
	half := 0.5 * math.Pow10(-decimals) * (1 + 1e-9)
	i, _ := slices.BinarySearch(s.numbers, x-half)
	return i < len(s.numbers) && s.numbers[i] <= x+half
}

// words are the words of a text, lower case, with a space between.
func words(text string) string {
	text = strings.ToLower(norm.NFKC.String(text))
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) }), " ")
}
