package rank

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"time"

	"gonum.org/v1/gonum/mat"

	"github.com/mars-rec/mars/graph"
)

// Learned is a ranker that was trained on what a cut shows. It is never asked
// about a moment before that: [Ranker.Score] panics then, since the answer would
// know the future.
type Learned interface {
	Ranker
	// Before returns the moment of the cut: everything learnt happened before it.
	Before() time.Time
}

// EASEConfig of [TrainEASE]. The zero value works.
type EASEConfig struct {
	Penalty float64 // of the squares of the weights, λ; 0: 250, RecBole's default
	Items   int     // the most popular items, as of the cut, that have weights; 0: 3,000
}

// EASE is the linear autoencoder of Steck 2019: an item's score is a weighted
// sum over the user's items, with the weights, none from an item to itself,
// that reproduce the binary interactions best in the sense of least squares.
// They are found in closed form by inverting a matrix of items by items, which
// is why only the most popular ones take part: 3,000 of them need 150 MB while
// they are trained and 72 MB afterwards.
//
// The user is not part of the model. What is scored is the history as of the
// request's cut, so that only the weights are as old as the training.
type EASE struct {
	before  time.Time
	at      map[graph.Item]int // row of the matrix
	inverse *mat.SymDense      // of the regularised Gram matrix
}

// TrainEASE learns the weights from all users' histories before the cut. It is
// an error if nothing is visible.
func TrainEASE(ctx context.Context, cut *graph.Cut, cfg EASEConfig) (*EASE, error) {
	penalty := cmp.Or(cfg.Penalty, 250)
	e := &EASE{before: cut.AsOf(), at: map[graph.Item]int{}}
	for k, i := range cut.Popular(cmp.Or(cfg.Items, 3000)) {
		e.at[i] = k
	}
	n := len(e.at)
	if n == 0 {
		return nil, fmt.Errorf("train EASE: no interaction before %s", e.before.Format(time.RFC3339))
	}
	gram := make([]float64, n*n) // the upper triangle; counts, so their order does not matter
	var rows []int
	for u := range cut.AllUsers() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		rows = rows[:0]
		for _, event := range cut.History(u) {
			if k, ok := e.at[event.Item]; ok {
				rows = append(rows, k)
			}
		}
		for _, a := range rows {
			for _, b := range rows {
				if a <= b {
					gram[a*n+b]++
				}
			}
		}
	}
	for k := range n {
		gram[k*n+k] += penalty
	}
	e.inverse = mat.NewSymDense(n, gram)
	var factors mat.Cholesky
	if !factors.Factorize(e.inverse) {
		return nil, fmt.Errorf("train EASE: the Gram matrix of %d items with penalty %g has no inverse", n, penalty)
	}
	if err := factors.InverseTo(e.inverse); err != nil {
		return nil, fmt.Errorf("train EASE: %w", err)
	}
	return e, nil
}

// Name implements [Ranker].
func (e *EASE) Name() string { return "ease" }

// Before implements [Learned].
func (e *EASE) Before() time.Time { return e.before }

// Score implements [Ranker]. An item without weights comes after all others.
func (e *EASE) Score(q Request) []float64 {
	mustFollow(e, q)
	var history []int
	for _, i := range lastItems(q.Cut, q.User, 0) {
		if k, ok := e.at[i]; ok {
			history = append(history, k)
		}
	}
	scores := make([]float64, len(q.Items))
	for k, id := range q.Items {
		i, ok := q.Cut.Item(id)
		row, learnt := e.at[i]
		if !ok || !learnt {
			scores[k] = math.Inf(-1)
			continue
		}
		sum := 0.0
		for _, h := range history {
			if h != row {
				sum -= e.inverse.At(h, row)
			}
		}
		scores[k] = sum / e.inverse.At(row, row)
	}
	return scores
}

// mustFollow panics if a ranker is asked about a moment before its training.
func mustFollow(r Learned, q Request) {
	if q.Cut.AsOf().Before(r.Before()) {
		panic(fmt.Sprintf("rank: %s learnt what happened before %s and is asked about %s",
			r.Name(), r.Before().Format(time.RFC3339), q.Cut.AsOf().Format(time.RFC3339)))
	}
}
