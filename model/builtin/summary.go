package builtin

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/mars-rec/mars/message/phase"
)

// The most that a summary names.
const (
	maxCategories = 15
	maxCreators   = 8
	maxForeign    = 600 // runes kept of a summary that is not its own
)

// digest is what a summary holds of a stretch of the history:
//
//	240 events from 2015-01-02 to 2018-03-04, mean rating 3.92 of 180 rated.
//	Most seen: Drama 60, Comedy 44. By: A. Author 3. Lately: Comedy, Drama.
//
// It reads its own text back, so that a summary so far and the next events fold
// into one. Names that a summary had no room for start again from 0, so counts
// of rare names are lower bounds.
type digest struct {
	events, rated        int
	from, to             string
	total                float64 // of the ratings
	categories, creators map[string]int
	lately               map[string]int // categories of the last stretch
	foreign              string         // a summary so far in other words
}

// summary folds the summary so far and the history lines of a question.
func summary(text string) phase.Summary {
	d := digest{categories: map[string]int{}, creators: map[string]int{}, lately: map[string]int{}}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if before, ok := strings.CutPrefix(line, "Summary so far: "); ok && !d.read(before) {
			d.foreign = before
		}
		if event, ok := strings.CutPrefix(line, "- "); ok {
			d.add(event)
		}
	}
	return phase.Summary{Summary: d.String()}
}

// add counts one event: date and title, then who made it (by ...), categories
// and rating, as far as they are known.
func (d *digest) add(event string) {
	fields := strings.Split(event, " | ")
	date, _, _ := strings.Cut(fields[0], " ")
	if len(date) != len("2006-01-02") || strings.Trim(date, "0123456789-") != "" {
		return
	}
	d.events++
	if d.from == "" || date < d.from {
		d.from = date
	}
	d.to = max(d.to, date)
	for i, field := range fields[1:] {
		if rating, err := strconv.ParseFloat(field, 64); err == nil && i == len(fields)-2 {
			d.rated++
			d.total += rating
			continue
		}
		if makers, ok := strings.CutPrefix(field, "by "); ok {
			tally(d.creators, makers)
			continue
		}
		tally(d.categories, field)
		tally(d.lately, field)
	}
}

func tally(counts map[string]int, names string) {
	for name := range strings.SplitSeq(names, ", ") {
		if name != "" {
			counts[name]++
		}
	}
}

// String is the summary's text.
func (d *digest) String() string {
	var b strings.Builder
	if d.foreign != "" {
		r := []rune(d.foreign)
		b.WriteString(string(r[:min(len(r), maxForeign)]) + " Then: ")
	}
	if d.events == 0 {
		return b.String() + "0 events."
	}
	fmt.Fprintf(&b, "%s from %s to %s", count(d.events, "event"), d.from, d.to)
	if d.rated > 0 {
		fmt.Fprintf(&b, ", mean rating %.4g of %d rated", d.total/float64(d.rated), d.rated)
	}
	b.WriteString(".")
	named(&b, " Most seen: ", d.categories, maxCategories, true)
	named(&b, " By: ", d.creators, maxCreators, true)
	named(&b, " Lately: ", d.lately, maxTop, false)
	return b.String()
}

// named writes the most frequent names, ties by name.
func named(b *strings.Builder, title string, counts map[string]int, most int, withCounts bool) {
	names := slices.SortedFunc(maps.Keys(counts), func(x, y string) int {
		return cmp.Or(cmp.Compare(counts[y], counts[x]), cmp.Compare(x, y))
	})
	for i, name := range names[:min(len(names), most)] {
		b.WriteString(title)
		title = ", "
		b.WriteString(name)
		if withCounts {
			b.WriteString(" " + strconv.Itoa(counts[name]))
		}
		if i == min(len(names), most)-1 {
			b.WriteString(".")
		}
	}
}

// read takes in a text that String wrote; false if it is another.
func (d *digest) read(text string) bool {
	if i := strings.LastIndex(text, " Then: "); i >= 0 {
		d.foreign, text = text[:i], text[i+len(" Then: "):]
	}
	text, _, _ = strings.Cut(text, " Lately: ")
	text, creators, _ := strings.Cut(text, " By: ")
	text, categories, _ := strings.Cut(text, " Most seen: ")
	span, ratings, rated := strings.Cut(strings.TrimSuffix(text, "."), ", mean rating ")
	var noun string
	if n, err := fmt.Sscanf(span, "%d %s from %s to %s", &d.events, &noun, &d.from, &d.to); n != 4 || err != nil || !strings.HasPrefix(noun, "event") {
		*d = digest{categories: d.categories, creators: d.creators, lately: d.lately}
		return false
	}
	var mean float64
	if n, err := fmt.Sscanf(ratings, "%f of %d rated", &mean, &d.rated); rated && n == 2 && err == nil {
		d.total = mean * float64(d.rated)
	}
	recount(d.categories, categories)
	recount(d.creators, creators)
	return true
}

func recount(counts map[string]int, list string) {
	for entry := range strings.SplitSeq(strings.TrimSuffix(list, "."), ", ") {
		i := strings.LastIndexByte(entry, ' ')
		if i < 0 {
			continue
		}
		if n, err := strconv.Atoi(entry[i+1:]); err == nil && n > 0 {
			counts[entry[:i]] += n
		}
	}
}
