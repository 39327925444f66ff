package formats

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/tasks"
)

// Bounds of what is kept of an item or a user, in characters.
const (
	maxID         = 200 // bytes
	maxTitle      = 500
	maxText       = 2000
	maxName       = 200
	maxCategories = 20
)

// event is an interaction as a file writes it.
type event struct {
	user, item string
	rating     string // "" and "0": none
	time       string
	review     string
}

// oldest is the least time that is taken for a date, in Unix seconds (1973):
// below it are times that count something else, and say nothing of a cut.
const oldest = 1e8

// interaction tells the sink of an event, or drops it. A last line without an
// end is an error where its time, short of its last digits, is less than a fifth
// of every other in the file: it was cut off.
func (in *input) interaction(e event) error {
	if !validID(e.user) || !validID(e.item) {
		in.drop(BadID)
		return nil
	}
	at, ok := in.seconds(e.time)
	if !ok {
		in.drop(BadTime)
		return nil
	}
	if in.cut && at < in.first/5 {
		return in.failRow("a whole last line", fmt.Sprintf("the time %s at its end, far before all others, and no line end: the file was cut off", show(e.time)))
	}
	if at >= oldest && (in.first == 0 || at < in.first) {
		in.first = at
	}
	rating, ok := parseRating(e.rating)
	if !ok {
		in.drop(BadRating)
		return nil
	}
	return in.feed.sink.Interaction(graph.Interaction{User: e.user, Item: e.item, Time: at, Rating: rating}, e.review)
}

// item tells the sink of an item, bounded, or drops it.
func (in *input) item(item tasks.Item) error {
	if !validID(item.ID) {
		in.drop(BadID)
		return nil
	}
	item.Title = clip(strings.TrimSpace(item.Title), maxTitle)
	item.Text = clip(strings.TrimSpace(item.Text), maxText)
	item.Categories = tidy(item.Categories)
	item.Creators = tidy(item.Creators)
	return in.feed.sink.Item(item)
}

// user tells the sink of a user, bounded, or drops the row.
func (in *input) user(user tasks.User) error {
	if !validID(user.ID) {
		in.drop(BadID)
		return nil
	}
	user.Name = clip(strings.TrimSpace(user.Name), maxName)
	return in.feed.sink.User(user)
}

// validID reports whether an id can be used: it is a key, and it is shown in
// prompts, so that what cannot be seen has no place in it. U+FFFD stands for
// something that was lost on the way, so that two ids might be taken for one.
func validID(id string) bool {
	if id == "" || len(id) > maxID || !utf8.ValidString(id) {
		return false
	}
	return !strings.ContainsFunc(id, func(r rune) bool {
		return r == utf8.RuneError || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
	})
}

// parseRating reads a rating; an empty one is 0, none.
func parseRating(s string) (float32, bool) {
	if s == "" {
		return 0, true
	}
	f, ok := parseNumber(s)
	if !ok || f < 0 || f > math.MaxFloat32 {
		return 0, false
	}
	return float32(f), true
}

// parseNumber reads a decimal number. What else Go takes for one ("inf",
// "0x1p4") is none.
func parseNumber(s string) (float64, bool) {
	if strings.Trim(s, "0123456789+-.eE") != "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

// tidy drops empty and repeated names and bounds the rest.
func tidy(names []string) []string {
	var kept []string
	for _, n := range names {
		n = clip(strings.TrimSpace(n), maxName)
		if n != "" && !slices.Contains(kept, n) && len(kept) < maxCategories {
			kept = append(kept, n)
		}
	}
	return kept
}

// clip returns the first characters of a text.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for i := range s {
		if limit == 0 {
			return s[:i]
		}
		limit--
	}
	return s
}

// parseYear returns the first year from 1000 to 2099 that stands by itself in a
// text; 0 if there is none.
func parseYear(s string) int {
	for i := 0; i+4 <= len(s); i++ {
		if inWord(s, i-1) || inWord(s, i+4) {
			continue
		}
		if y, err := strconv.ParseUint(s[i:i+4], 10, 16); err == nil && y >= 1000 && y < 2100 {
			return int(y)
		}
	}
	return 0
}

// inWord reports whether there is a letter, a digit or a part of one at i.
func inWord(s string, i int) bool {
	if i < 0 || i >= len(s) {
		return false
	}
	c := s[i]
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
}
