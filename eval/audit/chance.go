package audit

import (
	"fmt"
	"math"
	"slices"
)

// certain is the chance below which what was seen is not taken for chance. One
// clean file in a million is accused.
const certain = 1e-6

// positions counts at which place of a list something stood, by the length of
// the list. Without a leak, and without a bias, all places are alike.
type positions struct {
	by     map[int][]int // length -> count by place, from 0
	n      int
	sum    float64 // of the place as a share of the list, the middle of a place counting
	spread float64 // variance of the sum if all places are alike
}

// add counts a list of n in which it stood at place.
func (p *positions) add(place, n int) {
	if p.by == nil {
		p.by = map[int][]int{}
	}
	if p.by[n] == nil {
		p.by[n] = make([]int, n)
	}
	p.by[n][place]++
	p.n++
	p.sum += (float64(place) + 0.5) / float64(n)
	p.spread += (1 - 1/float64(n)/float64(n)) / 12
}

// chance returns the chance, at most, of places as uneven as those seen if all
// are alike, and the most remarkable of them in words. Two tests are made, and
// their result is corrected for how many: of each place of each length whether
// it is taken too often or too seldom (binomial, exact), and of the mean place
// (normal; its error at the tails is on the safe side, for the sum of uniform
// variables has lighter ones).
func (p *positions) chance() (chance float64, what string) {
	if p.n == 0 {
		return 1, ""
	}
	tests, least := 1, math.Erfc(math.Abs(p.sum-float64(p.n)/2)/math.Sqrt(2*p.spread))
	what = fmt.Sprintf("on average at %.1f%% of the list", 100*p.sum/float64(p.n))
	lengths := make([]int, 0, len(p.by))
	for n := range p.by {
		lengths = append(lengths, n)
	}
	slices.Sort(lengths)
	for _, n := range lengths {
		lists := 0
		for _, k := range p.by[n] {
			lists += k
		}
		for place, k := range p.by[n] {
			tests++
			c := 2 * min(atLeast(k, lists, 1/float64(n)), atMost(k, lists, 1/float64(n)))
			if c < least {
				least, what = c, fmt.Sprintf("at place %d of %d in %d of %d lists", place+1, n, k, lists)
			}
		}
	}
	return min(1, least*float64(tests)), what
}

// atLeast is the chance of k successes or more in n trials of chance p.
func atLeast(k, n int, p float64) float64 {
	if k <= 0 {
		return 1
	}
	sum := 0.0
	for i := k; i <= n; i++ {
		term := binomial(i, n, p)
		sum += term
		if float64(i) > float64(n)*p && term < sum*1e-16 {
			break // the rest only falls
		}
	}
	return min(1, sum)
}

// atMost is the chance of k successes or fewer.
func atMost(k, n int, p float64) float64 { return atLeast(n-k, n, 1-p) }

// binomial is the chance of k successes.
func binomial(k, n int, p float64) float64 {
	if p >= 1 {
		if k == n {
			return 1
		}
		return 0
	}
	return math.Exp(logFactorial(n) - logFactorial(k) - logFactorial(n-k) + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
}

func logFactorial(n int) float64 {
	l, _ := math.Lgamma(float64(n) + 1)
	return l
}

// atLeastOf bounds the chance of k events or more where mean are expected, the
// events being independent (Chernoff).
func atLeastOf(k int, mean float64) float64 {
	if float64(k) <= mean {
		return 1
	}
	if mean == 0 {
		return 0
	}
	x := float64(k)
	return math.Exp(x - mean - x*math.Log(x/mean))
}
