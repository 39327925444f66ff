package rank

import (
	"hash/fnv"
	"math/rand/v2"
	"slices"

	"github.com/mars-rec/mars/graph"
)

// Request is what a ranker is asked: to rank the items for the user as of the
// cut. ID names the request; only [Random] depends on it.
type Request struct {
	ID    string
	User  string
	Items []string
	Cut   *graph.Cut

	known map[string][]float64 // signals by name; nil: nothing is remembered
}

// Sharing returns the request with a memory: rankers that are asked it one after
// another compute a signal once. It is not for concurrent use.
func (q Request) Sharing() Request {
	q.known = map[string][]float64{}
	return q
}

// signal returns a signal by its name, as [Score] does. The caller does not
// change it.
func (q Request) signal(name string, attributes Attributes) ([]float64, error) {
	if scores, ok := q.known[name]; ok {
		return scores, nil
	}
	scores, err := Score(name, q.Cut, q.User, q.Items, attributes)
	if err == nil && q.known != nil {
		q.known[name] = scores
	}
	return scores, err
}

// ofSignal is a ranker by a signal that needs no attributes.
func ofSignal(name, signal string) Ranker {
	return NewRanker(name, func(q Request) []float64 {
		scores, _ := q.signal(signal, nil) // the signal is known: there is no error
		return slices.Clone(scores)
	})
}

// Ranker scores the items of a request, one number each, in their order; larger
// is better. [Order] makes a ranking of them.
type Ranker interface {
	Name() string
	Score(Request) []float64
}

type ranker struct {
	name  string
	score func(Request) []float64
}

func (r ranker) Name() string              { return r.name }
func (r ranker) Score(q Request) []float64 { return r.score(q) }

// NewRanker makes a ranker of a function.
func NewRanker(name string, score func(Request) []float64) Ranker { return ranker{name, score} }

// Controls returns the rankers that a result is compared with, from chance up.
func Controls() []Ranker {
	return []Ranker{Random(), Identity(), MostPopular(), ItemKNN(), UserKNN(), ItemCFAll(), ItemCFLastTen(), StandardSum()}
}

// Random ranks by chance, seeded by the request's id: the same request, the same
// ranking.
func Random() Ranker {
	return NewRanker("random", func(q Request) []float64 {
		h := fnv.New64a()
		h.Write([]byte(q.ID))
		random := rand.New(rand.NewPCG(h.Sum64(), 0))
		scores := make([]float64, len(q.Items))
		for k := range scores {
			scores[k] = random.Float64()
		}
		return scores
	})
}

// Identity ranks in the order in which the items are given.
func Identity() Ranker {
	return NewRanker("identity", func(q Request) []float64 {
		scores := make([]float64, len(q.Items))
		for k := range scores {
			scores[k] = -float64(k)
		}
		return scores
	})
}

// MostPopular ranks by degree.
func MostPopular() Ranker {
	return ofSignal("most popular", Popularity)
}

// ItemKNN ranks by Item-CF over the whole history, pruned to k=20.
func ItemKNN() Ranker {
	return ofSignal("item-knn k=20", ItemCF)
}

// UserKNN ranks by User-CF.
func UserKNN() Ranker {
	return ofSignal("user-knn k=50", UserCF)
}

// ItemCFAll ranks by Item-CF over the whole history, not pruned.
func ItemCFAll() Ranker {
	return NewRanker("item-cf all", func(q Request) []float64 {
		return ScoreItemCF(q.Cut, q.User, q.Items, ItemCFQuery{K: -1})
	})
}

// ItemCFLastTen ranks by Item-CF over the last ten items of the history.
func ItemCFLastTen() Ranker {
	return ofSignal("item-cf last 10", ItemCFRecent)
}

// StandardSum ranks by the sum of the standard scores of Item-CF over the whole
// history and over the last ten items, User-CF and popularity.
func StandardSum() Ranker {
	return NewRanker("standard sum", func(q Request) []float64 {
		sum := make([]float64, len(q.Items))
		for _, name := range []string{ItemCF, ItemCFRecent, UserCF, Popularity} {
			signal, _ := q.signal(name, nil)
			for k, z := range Standard(signal) {
				sum[k] += z
			}
		}
		return sum
	})
}

// Fused ranks by a fused score: [Default] or fitted weights. Without attributes
// the signals that need them are left out.
func Fused(name string, w Weights, attributes Attributes) Ranker {
	return NewRanker(name, func(q Request) []float64 {
		signals := map[string][]float64{}
		for _, s := range w.Signals() {
			// An error means that the signal is unknown or needs attributes: then it
			// has nothing to say.
			if scores, err := q.signal(s, attributes); err == nil {
				signals[s] = scores
			}
		}
		return w.Fuse(signals)
	})
}
