package world

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// circle is a taste that readers share: how much of each genre, and whom.
type circle struct {
	genres  []float64 // sums of the shares, up to 1
	share   []float64
	authors []int
	near    []int // circles with a genre in common
}

// newCircles makes the tastes of the world.
func newCircles(c Config, lib *library) []circle {
	rng := stream(c.Seed, "circles")
	circles := make([]circle, min(max(c.Items/40, 6), 200))
	main := make([]int, len(circles))
	for n := range circles {
		main[n] = n % len(lib.genres)
		share := make([]float64, len(lib.genres))
		for g := range share {
			share[g] = 0.1 / float64(len(share))
		}
		share[main[n]] += 0.6
		share[pick(rng, lib.genres[main[n]].near)] += 0.3
		circles[n].share = share
		sum := 0.0
		for _, s := range share {
			sum += s
			circles[n].genres = append(circles[n].genres, sum)
		}
		for a, author := range lib.authors {
			if len(author.books) > 0 && share[author.genre] > 0.2 && rng.Float64() < 0.3 {
				circles[n].authors = append(circles[n].authors, a)
			}
		}
	}
	for n := range circles {
		for m := range circles {
			if m != n && circles[n].share[main[m]] > 0.2 {
				circles[n].near = append(circles[n].near, m)
			}
		}
	}
	return circles
}

// read is one interaction.
type read struct {
	book  int
	time  int64
	stars int
	text  string
}

// reader is one user with their log.
type reader struct {
	id, name string
	reads    []read
}

// newReader lives one user's life. It depends on the seed and the number
// alone, so that users can be written one after the other and forgotten.
func newReader(c Config, lib *library, circles []circle, number int) reader {
	rng := stream(c.Seed, fmt.Sprintf("reader %d", number))
	first, last, _ := names()
	r := reader{id: fmt.Sprintf("u%0*d", width(c.Users), number+1), name: pick(rng, first) + " " + pick(rng, last)[:1] + "."}
	times := moments(rng, c)
	before := rng.IntN(len(circles))
	after, turn := before, 2.0
	if near := circles[before].near; len(near) > 0 && rng.Float64() < 0.7 { // tastes drift
		after, turn = pick(rng, near), 0.35+0.4*rng.Float64()
	}
	bias := rng.NormFloat64() * 0.3
	have := make(map[int]bool)
	for n, at := range times {
		// The turn takes a fifth of the life; while it lasts both tastes mix.
		now := circles[before]
		if progress := float64(n)/float64(len(times)) - turn; rng.Float64() < progress/0.2+0.5 {
			now = circles[after]
		}
		b := next(rng, lib, now, r.reads, have, at)
		if b < 0 {
			continue
		}
		have[b] = true
		stars := rate(rng, lib.books[b], now, bias)
		text := ""
		if rng.Float64() < 0.35 {
			text = review(rng, lib, lib.books[b], stars)
		}
		r.reads = append(r.reads, read{b, at, stars, text})
	}
	return r
}

// moments draws when a user reads: sittings spread over a part of the log's
// time, with a few books each; seldom two in one second. A few users come late
// and have hardly begun.
func moments(rng *rand.Rand, c Config) []int64 {
	span := c.span().Seconds()
	mean := float64(c.Interactions) / float64(c.Users)
	n := int(math.Round(mean * math.Exp(rng.NormFloat64()*0.6-0.18)))
	n = max(n, 6)
	joined := rng.Float64() * 0.85 * span
	stay := (0.15 + 0.85*rng.Float64()) * (span - joined)
	if rng.Float64() < 0.05 {
		n, joined = 2+rng.IntN(4), (0.9+0.09*rng.Float64())*span
		stay = span - joined
	}
	var out []int64
	for len(out) < n {
		at := c.Start.Unix() + int64(joined+rng.Float64()*stay)
		for range min(1+rng.IntN(5), n-len(out)) {
			out = append(out, at)
			if rng.Float64() > 0.004 {
				at += 60 + int64(rng.ExpFloat64()*6*3600)
			}
		}
	}
	slices.Sort(out)
	return out
}

// recently is how long a book counts as new.
const recently = int64(180 * 24 * time.Hour / time.Second)

// next draws the book that a reader of a circle takes at a time: the next
// volume of a series, a companion of what was just read, something new, a
// favoured author, the genre's shelf, or what everyone reads. It gives up after
// some tries with -1.
func next(rng *rand.Rand, lib *library, c circle, reads []read, have map[int]bool, at int64) int {
	for range 40 {
		b := -1
		what := rng.Float64()
		recent := reads[max(0, len(reads)-4):]
		switch {
		case what < 0.26 && len(recent) > 0:
			b = following(lib, pick(rng, recent).book)
		case what < 0.58 && len(recent) > 0:
			if companions := lib.books[pick(rng, recent).book].companions; len(companions) > 0 {
				b = pick(rng, companions)
			}
		case what < 0.66:
			b = lib.byGenre[c.genre(rng)].between(rng, at-recently, at)
		case what < 0.82 && len(c.authors) > 0:
			b = pick(rng, lib.authors[pick(rng, c.authors)].books)
		case what < 0.96:
			b = lib.byGenre[c.genre(rng)].between(rng, math.MinInt64, at)
		default:
			b = lib.all.between(rng, math.MinInt64, at)
		}
		if b >= 0 && !have[b] && lib.books[b].released < at {
			return b
		}
	}
	return -1
}

// following returns the volume after a book, or -1.
func following(lib *library, n int) int {
	if b := lib.books[n]; b.series >= 0 && b.volume < len(lib.series[b.series]) {
		return lib.series[b.series][b.volume]
	}
	return -1
}

// genre draws one by the circle's taste.
func (c circle) genre(rng *rand.Rand) int {
	n, _ := slices.BinarySearch(c.genres, rng.Float64())
	return min(n, len(c.genres)-1)
}

// rate returns 1 to 5 stars: taste, the book's quality, the reader's bias and
// chance.
func rate(rng *rand.Rand, b book, c circle, bias float64) int {
	taste := 1.4 * c.share[b.genre]
	for _, a := range c.authors {
		if a == b.author {
			taste += 0.4
		}
	}
	return min(max(int(math.Round(3.1+taste+b.quality+bias+rng.NormFloat64()*0.7)), 1), 5)
}
