package world

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// book is an item of the world.
type book struct {
	id         string
	title      string
	author     int
	genre      int
	second     int // another genre, or -1
	series     int // -1: none
	volume     int // from 1, within the series
	year       int
	released   int64   // Unix seconds; readable from then on
	weight     float64 // how much it is picked up, all else equal
	quality    float64 // what it adds to a rating
	text       string
	companions []int // books that its readers go on to
}

// author writes mostly in one genre.
type author struct {
	name  string
	genre int
	books []int
}

// library is everything that can be read.
type library struct {
	genres  []genre
	authors []author
	books   []book
	series  [][]int // the volumes of each series, in order
	byGenre []shelf
	all     shelf
}

// shelf is a set of books to draw from: by weight, or among the latest.
type shelf struct {
	books []int     // by release, ties by position in the library
	sums  []float64 // sums of the weights up to and including each
	dates []int64   // releases
}

// newLibrary writes all books.
func newLibrary(c Config) *library {
	rng := stream(c.Seed, "library")
	lib := &library{genres: genres()}
	first, last, places := names()
	taken := make(map[string]bool)
	for range max(3, c.Items/6) {
		lib.authors = append(lib.authors, author{
			name:  unique(taken, func() string { return fullName(rng, first, last) }),
			genre: rng.IntN(len(lib.genres)),
		})
	}
	titles := make(map[string]bool)
	for len(lib.books) < c.Items {
		a := rng.IntN(len(lib.authors))
		if rng.Float64() < 0.3 { // the prolific ones
			a = min(a, rng.IntN(len(lib.authors)))
		}
		volumes := 1
		if rng.Float64() < 0.18 {
			volumes = min(2+rng.IntN(5), c.Items-len(lib.books))
		}
		lib.publish(rng, c, a, volumes, titles, places)
	}
	for g := range lib.genres {
		lib.byGenre = append(lib.byGenre, lib.shelve(func(b book) bool { return b.genre == g || b.second == g }))
	}
	lib.all = lib.shelve(func(book) bool { return true })
	lib.pair(rng)
	return lib
}

// fullName makes a name, sometimes with a middle initial.
func fullName(rng *rand.Rand, first, last []string) string {
	middle := " "
	if rng.Float64() < 0.3 {
		middle = fmt.Sprintf(" %c. ", 'A'+rng.IntN(26))
	}
	return pick(rng, first) + middle + pick(rng, last)
}

// publish adds one book, or the volumes of a series.
func (lib *library) publish(rng *rand.Rand, c Config, a, volumes int, titles map[string]bool, places []string) {
	g := lib.authors[a].genre
	near := lib.genres[g].near
	second := -1
	if rng.Float64() < 0.4 {
		second = near[rng.IntN(len(near))]
	}
	fame := math.Exp(rng.NormFloat64() * 1.1)
	// Most books are older than the log; the rest come out while it runs.
	released := c.Start.AddDate(0, 0, -rng.IntN(25*365))
	if rng.Float64() < 0.45 {
		released = c.Start.Add(time.Duration(rng.Float64() * float64(c.span())))
	}
	name := ""
	series := -1
	if volumes > 1 {
		name = pick(rng, lib.genres[g].adjectives) + " " + pick(rng, lib.genres[g].nouns)
		series = len(lib.series)
		lib.series = append(lib.series, nil)
	}
	for v := 1; v <= volumes; v++ {
		title := unique(titles, func() string { return lib.title(rng, g, places) })
		if volumes > 1 {
			title = fmt.Sprintf("%s (%s, #%d)", title, name, v)
		}
		b := book{
			id: fmt.Sprintf("b%0*d", width(c.Items), len(lib.books)+1), title: title, author: a, genre: g, second: second,
			series: series, volume: v, year: released.Year(), released: released.Unix(),
			weight: fame * math.Exp(rng.NormFloat64()*0.5) * math.Pow(0.8, float64(v-1)), quality: rng.NormFloat64() * 0.35,
		}
		b.text = lib.describe(rng, b, name, places)
		lib.authors[a].books = append(lib.authors[a].books, len(lib.books))
		if series >= 0 {
			lib.series[series] = append(lib.series[series], len(lib.books))
		}
		lib.books = append(lib.books, b)
		released = released.AddDate(0, 4+rng.IntN(14), rng.IntN(28))
	}
}

// title makes a title of the genre's words.
func (lib *library) title(rng *rand.Rand, g int, places []string) string {
	adjective, noun, other := pick(rng, lib.genres[g].adjectives), pick(rng, lib.genres[g].nouns), pick(rng, lib.genres[g].nouns)
	place := pick(rng, places)
	return pick(rng, []string{
		"The " + adjective + " " + noun,
		"The " + adjective + " " + noun,
		noun + " of " + place,
		"The " + noun + " at " + place,
		adjective + " " + noun,
		article(noun) + " " + noun + " for " + place,
		"The " + noun + " and the " + other,
		"The " + adjective + " " + noun + " of " + place,
		"Under the " + adjective + " " + noun,
		place,
	})
}

// article returns the indefinite article that a word takes.
func article(word string) string {
	if strings.ContainsAny(word[:1], "AEIOU") {
		return "An"
	}
	return "A"
}

// describe writes what stands on the back of a book.
func (lib *library) describe(rng *rand.Rand, b book, series string, places []string) string {
	g := lib.genres[b.genre]
	var s strings.Builder
	fmt.Fprintf(&s, "%s by %s: %s", g.name, lib.authors[b.author].name, pick(rng, g.themes))
	if b.second >= 0 {
		fmt.Fprintf(&s, ", with a turn of %s", strings.ToLower(lib.genres[b.second].name))
	}
	fmt.Fprintf(&s, ". Set in %s.", pick(rng, places))
	if b.series >= 0 {
		fmt.Fprintf(&s, " Volume %d of %s.", b.volume, series)
	}
	return s.String()
}

// shelve collects books.
func (lib *library) shelve(wanted func(book) bool) shelf {
	var s shelf
	for n, b := range lib.books {
		if wanted(b) {
			s.books = append(s.books, n)
		}
	}
	slices.SortStableFunc(s.books, func(a, b int) int { return cmp.Compare(lib.books[a].released, lib.books[b].released) })
	sum := 0.0
	for _, n := range s.books {
		sum += lib.books[n].weight
		s.sums, s.dates = append(s.sums, sum), append(s.dates, lib.books[n].released)
	}
	return s
}

// between draws a book released in [from, to), by weight; -1 if there is none.
func (s shelf) between(rng *rand.Rand, from, to int64) int {
	lo, _ := slices.BinarySearch(s.dates, from)
	hi, _ := slices.BinarySearch(s.dates, to)
	if lo >= hi {
		return -1
	}
	below := 0.0
	if lo > 0 {
		below = s.sums[lo-1]
	}
	n, _ := slices.BinarySearch(s.sums, below+rng.Float64()*(s.sums[hi-1]-below))
	return s.books[min(n, hi-1)]
}

// pair gives each book three companions of its own or a near genre: what its
// readers go on to, for no reason that metadata would tell.
func (lib *library) pair(rng *rand.Rand) {
	for n := range lib.books {
		b := &lib.books[n]
		for range 3 {
			g := b.genre
			if rng.Float64() < 0.35 {
				g = pick(rng, lib.genres[g].near)
			}
			if books := lib.byGenre[g].books; len(books) > 0 {
				if other := pick(rng, books); other != n {
					b.companions = append(b.companions, other)
				}
			}
		}
	}
}

// pick draws one of a list.
func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }

// unique makes names until one is new; when that gets hard, it numbers them.
func unique(taken map[string]bool, make func() string) string {
	for try := 0; ; try++ {
		s := make()
		if try >= 20 {
			s = fmt.Sprintf("%s %d", s, try)
		}
		if !taken[s] {
			taken[s] = true
			return s
		}
	}
}

// width is the number of digits that n ids need.
func width(n int) int { return max(4, len(fmt.Sprint(n))) }
