// Package powerlaw makes interaction logs of any size that look like real ones,
// and measures a graph on them: few items have most of the users, few users
// have most of the items.
//
//	item   p(rank) ~ 1/(rank+10)^0.9             user   degree ~ lognormal, at least 5
//	       █                                            ▂█▅
//	       █▅▃▂▂▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁                        ███▇▅▄▃▂▂▁▁▁▁▁▁▁
//
// A user is active for a stretch of the log and takes distinct items in it. The
// same shape and seed make the same log.
package powerlaw

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/mars-rec/mars/graph"
)

// Shape is the size of a log.
type Shape struct {
	Interactions int
	Users, Items int
	Seed         uint64
}

// Sized returns the shape of a log of n interactions: forty of a user, and an
// item for four hundred down to a hundred of them.
func Sized(n int, seed uint64) Shape {
	items := n / 400
	switch {
	case n <= 2_000_000:
		items = n / 100
	case n <= 50_000_000:
		items = n / 200
	}
	return Shape{Interactions: n, Users: max(1, n/40), Items: max(1, items), Seed: seed}
}

// The log's stretch of time: five years, in Unix seconds.
const (
	Base = 1_400_000_000
	span = 5 * 365 * 24 * 3600
)

// Log returns the rows of the log in the order of time, their times since
// [Base]. It holds 32 bytes a row.
func (s Shape) Log() ([]graph.Row, error) {
	if s.Users < 1 || s.Items < 10 || s.Interactions < 5*s.Users || s.Interactions/s.Users > s.Items/16 {
		return nil, fmt.Errorf("a log of %d interactions of %d users with %d items: give each user at least 5 and at most a sixteenth of the items",
			s.Interactions, s.Users, s.Items)
	}
	random := rand.New(rand.NewPCG(s.Seed, 1))
	degrees := s.degrees(random)
	draw := newAlias(s.Items, func(rank int) float64 { return 1 / math.Pow(float64(rank+10), 0.9) })
	// Numbers tell nothing about popularity.
	number := random.Perm(s.Items)
	rows := make([]graph.Row, 0, s.Interactions)
	seen := make([]uint32, s.Items) // the user, plus 1, who last took it
	for u, d := range degrees {
		start := random.Float64() * 0.95 * span
		length := min(span-start, 3600+random.ExpFloat64()*0.2*span)
		for d > 0 {
			rank := draw.draw(random)
			if seen[rank] == uint32(u)+1 {
				continue
			}
			seen[rank] = uint32(u) + 1
			stars := random.IntN(10) + 1
			rows = append(rows, graph.Row{User: uint32(u), Item: uint32(number[rank]), Time: uint32(start + random.Float64()*length), Tenths: uint8(5 * stars)})
			d--
		}
	}
	return byTime(rows), nil
}

// degrees draws how many items each user takes, as many as the shape says in
// all.
func (s Shape) degrees(random *rand.Rand) []int {
	weights := make([]float64, s.Users)
	total := 0.0
	for u := range weights {
		weights[u] = math.Exp(random.NormFloat64())
		total += weights[u]
	}
	most := max(5, s.Items/8)
	degrees := make([]int, s.Users)
	left := s.Interactions - 5*s.Users
	free := left
	for u, w := range weights {
		more := min(int(float64(free)*w/total), most-5)
		degrees[u] = 5 + more
		left -= more
	}
	for u := 0; left > 0; u = (u + 1) % s.Users {
		if degrees[u] < most {
			degrees[u]++
			left--
		}
	}
	return degrees
}

// byTime sorts rows by time, stably: three passes by 11 bits.
func byTime(rows []graph.Row) []graph.Row {
	room := make([]graph.Row, len(rows))
	for shift := 0; shift < 32; shift += 11 {
		var next [1 << 11]int
		for _, r := range rows {
			next[r.Time>>shift&(1<<11-1)]++
		}
		sum := 0
		for k, n := range next {
			next[k], sum = sum, sum+n
		}
		for _, r := range rows {
			k := r.Time >> shift & (1<<11 - 1)
			room[next[k]] = r
			next[k]++
		}
		rows, room = room, rows
	}
	return rows
}

// alias draws numbers with given weights in constant time (Walker 1977, in the
// form of Vose 1991).
type alias struct {
	keep  []float64
	other []int32
}

func newAlias(n int, weight func(int) float64) alias {
	a := alias{keep: make([]float64, n), other: make([]int32, n)}
	total := 0.0
	for k := range n {
		a.keep[k] = weight(k)
		total += a.keep[k]
	}
	var small, large []int32
	for k := range n {
		a.keep[k] *= float64(n) / total
		if a.keep[k] < 1 {
			small = append(small, int32(k))
		} else {
			large = append(large, int32(k))
		}
	}
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		a.other[s] = l
		if a.keep[l] -= 1 - a.keep[s]; a.keep[l] < 1 {
			large = large[:len(large)-1]
			small = append(small, l)
		}
	}
	for _, k := range slices.Concat(small, large) {
		a.keep[k] = 1
	}
	return a
}

func (a alias) draw(random *rand.Rand) int {
	k := random.IntN(len(a.keep))
	if random.Float64() < a.keep[k] {
		return k
	}
	return int(a.other[k])
}
