// Package translate is Collaborative Signal Translation: it puts what the
// user-item graph says into sentences, and what it says of the candidates into
// evidence.
//
//	counts of the graph  ──Count, Percent, Times─> "412 of 1,204 (34%), 5.1 times what chance would give"
//	scores of a signal   ──Rank──> item_cf: c09:9=0.1234 c03:9=0.09 ...
//
// The words say what an edge says and no more: "also rated" where the log
// holds ratings, "also bought" where it holds purchases, and that somebody
// rated a thing "4 or more" only where such ratings were counted. Every number
// in a sentence comes from the query that the sentence tells of; a signal that
// rests on few users is called thin.
//
// What concerns every tool is here too: how an item is named in an argument
// ([Find]), and how its title is told ([Title], [Quote]).
package translate

import (
	"strconv"
	"strings"
)

// Thin is the number of users in common under which a signal is called thin.
const Thin = 5

// Words are the words for what an interaction is. The zero value is right for
// a log of which nothing is known.
type Words struct {
	Verb string // what users did, in the past tense: "read", "rated", "bought"; "" is "chose"
	// Liked is the bound at or above which a rating counts as a liking, in the
	// source's stars; 0 is 4.
	Liked float64
}

// For returns the words for a data set of a format: the names under which
// package datasets reads them. A format that is not known gets the zero value,
// whose verb fits any log.
func For(format string) Words {
	switch name, _, _ := strings.Cut(format, "-"); name {
	case "movielens":
		return Words{Verb: "rated"}
	case "amazon":
		return Words{Verb: "reviewed"}
	case "goodreads":
		return Words{Verb: "read"}
	case "yelp", "agentsociety":
		return Words{Verb: "reviewed"}
	}
	return Words{}
}

// Did returns the verb: "chose" where none is given.
func (w Words) Did() string {
	if w.Verb == "" {
		return "chose"
	}
	return w.Verb
}

// LikedFrom returns the bound of a liking: 4 where none is given.
func (w Words) LikedFrom() float64 {
	if w.Liked == 0 {
		return 4
	}
	return w.Liked
}

// Count writes a number with commas between the thousands: "1,204".
func Count(n int) string {
	if n < 0 {
		return "-" + Count(-n)
	}
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Plural writes a number and what is counted: "1 user", "1,204 users".
func Plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return Count(n) + " " + one + "s"
}

// Percent writes a share in whole percent, and never rounds something to
// nothing or a part to the whole: "34%", "under 1%", "over 99%".
func Percent(part, whole int) string {
	if whole == 0 {
		return "0%"
	}
	p := (200*part + whole) / (2 * whole)
	switch {
	case p == 0 && part > 0:
		return "under 1%"
	case p == 100 && part < whole:
		return "over 99%"
	}
	return strconv.Itoa(p) + "%"
}

// Times writes a ratio: one decimal below ten, none above.
func Times(x float64) string {
	switch {
	case x >= 9.95:
		return Count(int(x + 0.5))
	case x < 0.05 && x > 0:
		return "less than 0.1"
	}
	return strconv.FormatFloat(x, 'f', 1, 64)
}

// Number writes a number with at most two decimals: "4", "3.57".
func Number(x float64) string {
	s := strconv.FormatFloat(x, 'f', 2, 64)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}
