package filter

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// text is n words, of which the share is those of every text of that seed, in
// one piece.
func text(r *rand.Rand, n int, common float64) []string {
	words := make([]string, n)
	for i := range words {
		if float64(i) < common*float64(n) {
			words[i] = fmt.Sprintf("w%d", i)
		} else {
			words[i] = fmt.Sprintf("x%d", r.Uint64())
		}
	}
	return words
}

// TestJaccard holds the similarity against a count with maps.
func TestJaccard(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.SampledFrom(strings.Split("a b c d", " "))
		a, b := rapid.SliceOf(word).Draw(t, "a"), rapid.SliceOf(word).Draw(t, "b")
		n := rapid.IntRange(1, 3).Draw(t, "n")
		set := func(words []string) map[string]bool {
			all := map[string]bool{}
			for i := 0; i == 0 || i+n <= len(words); i++ {
				all[strings.Join(words[i:min(i+n, len(words))], " ")] = true
			}
			return all
		}
		x, y := set(a), set(b)
		both := 0
		for s := range x {
			if y[s] {
				both++
			}
		}
		want := float64(both) / float64(len(x)+len(y)-both)
		if got := shingle(a, n).jaccard(shingle(b, n)); math.Abs(got-want) > 1e-12 {
			t.Fatalf("%v, want %v", got, want)
		}
	})
}

// TestSignatures: signatures estimate the similarity, and the index finds what
// is alike, among many others.
func TestSignatures(t *testing.T) {
	for _, least := range []float64{0.3, 0.5, 0.8, 0.95, 1} {
		r := rand.New(rand.NewPCG(1, 2))
		x := newIndex(least, 7)
		var sets []shingles
		for i := range 160 {
			sets = append(sets, shingle(text(r, 300, float64(i%20)/20), 5))
			x.add(x.sign(sets[i]))
		}
		alike, missed := 0, 0
		for i := range 160 {
			set := shingle(text(r, 300, float64(i%21)/20), 5)
			sig := x.sign(set)
			near := x.near(sig)
			if !slices.IsSorted(near) {
				t.Fatalf("%v is not in order", near)
			}
			for j, other := range sets {
				exact := set.jaccard(other)
				same := 0
				for k := range sig {
					if sig[k] == x.stored[j][k] {
						same++
					}
				}
				if off := math.Abs(float64(same)/hashes - exact); off > 0.25 {
					t.Errorf("the estimate of %.3f is off by %.3f", exact, off)
				}
				if exact >= least {
					alike++
					if !slices.Contains(near, int32(j)) {
						missed++
					}
				}
			}
		}
		if least <= 0.5 && alike == 0 {
			t.Fatalf("from %g on: nothing is alike, so nothing is tested", least)
		}
		if float64(missed) > 0.005*float64(alike) {
			t.Errorf("from %g on: %d of %d are missed", least, missed, alike)
		}
	}
	if a, b := newIndex(0.8, 1), newIndex(0.8, 2); a.sign(shingles{1, 2, 3}) == b.sign(shingles{1, 2, 3}) {
		t.Error("two seeds make the same signature")
	}
}
