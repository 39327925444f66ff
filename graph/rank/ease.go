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
	Size    int     // of the matrix that is inverted, at most; 0: 3,000
}

// EASE is the linear autoencoder of Steck 2019: an item's score is a weighted
// sum over the user's items, with the weights, none from an item to itself,
// that reproduce the binary interactions X best in the sense of least squares:
//
//	P = (XᵀX + λ)⁻¹     weight of h for j: −P(h,j) / P(j,j)
//
// They are found in closed form by inverting a matrix of items by items or, by
// the identity of Woodbury, one of users by users:
//
//	P = (1 − Xᵀ K X) / λ, K = (XXᵀ + λ)⁻¹
//
// Where all visible users fit into the bound on the matrix, all items take part,
// through K. Otherwise only as many of the most popular items as fit, and the
// others come last in any ranking. A matrix of 3,000 needs 144 MB while it is
// inverted and 72 MB afterwards.
//
// The user is not part of the model. What is scored is the history as of the
// request's cut, so that only the weights are as old as the training.
type EASE struct {
	cut     *graph.Cut // as of the training
	weights easeWeights
}

// easeWeights scores items by a history, in either form.
type easeWeights interface {
	score(history []graph.Item, items []graph.Item) []float64
}

// TrainEASE learns the weights from all users' histories before the cut. It is
// an error if nothing is visible.
func TrainEASE(ctx context.Context, cut *graph.Cut, cfg EASEConfig) (*EASE, error) {
	penalty, size := cmp.Or(cfg.Penalty, 250), cmp.Or(cfg.Size, 3000)
	e := &EASE{cut: cut}
	if cut.Users() == 0 {
		return nil, fmt.Errorf("train EASE: no interaction before %s", cut.AsOf().Format(time.RFC3339))
	}
	var err error
	if cut.Users() <= min(size, cut.Items()) {
		e.weights, err = easeByUsers(ctx, cut, penalty)
	} else {
		e.weights, err = easeByItems(ctx, cut, penalty, size)
	}
	if err != nil {
		return nil, fmt.Errorf("train EASE: %w", err)
	}
	return e, nil
}

// Name implements [Ranker].
func (e *EASE) Name() string { return "ease" }

// Before implements [Learned].
func (e *EASE) Before() time.Time { return e.cut.AsOf() }

// Score implements [Ranker]. An item without weights comes after all others.
func (e *EASE) Score(q Request) []float64 {
	mustFollow(e, q)
	scores := make([]float64, len(q.Items))
	var items []graph.Item
	var at []int
	for k, id := range q.Items {
		scores[k] = math.Inf(-1)
		if i, ok := q.Cut.Item(id); ok && e.cut.ItemDegree(i) > 0 {
			items, at = append(items, i), append(at, k)
		}
	}
	for k, s := range e.weights.score(lastItems(q.Cut, q.User, 0), items) {
		scores[at[k]] = s
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

// inverse returns the inverse of a symmetric, positive definite matrix, of which
// the upper triangle is given; it is computed in place.
func inverse(n int, upper []float64) (*mat.SymDense, error) {
	m := mat.NewSymDense(n, upper)
	var factors mat.Cholesky
	if !factors.Factorize(m) {
		return nil, fmt.Errorf("a Gram matrix of %d rows has no inverse", n)
	}
	return m, factors.InverseTo(m)
}
