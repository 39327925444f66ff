package rank

import (
	"context"
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/mars-rec/mars/graph"
)

// byItems is EASE through the inverse P of the Gram matrix of items.
type byItems struct {
	at map[graph.Item]int // row
	p  *mat.SymDense
}

func easeByItems(ctx context.Context, cut *graph.Cut, penalty float64, size int) (easeWeights, error) {
	w := &byItems{at: map[graph.Item]int{}}
	for k, i := range cut.Popular(size) {
		w.at[i] = k
	}
	n := len(w.at)
	gram := make([]float64, n*n) // the upper triangle; counts, so their order does not matter
	var rows []int
	for u := range cut.AllUsers() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		rows = rows[:0]
		for _, event := range cut.History(u) {
			if k, ok := w.at[event.Item]; ok {
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
	var err error
	w.p, err = inverse(n, gram)
	return w, err
}

func (w *byItems) score(history, items []graph.Item) []float64 {
	var rows []int
	for _, i := range history {
		if k, ok := w.at[i]; ok {
			rows = append(rows, k)
		}
	}
	scores := make([]float64, len(items))
	for k, i := range items {
		row, ok := w.at[i]
		if !ok {
			scores[k] = math.Inf(-1)
			continue
		}
		sum := 0.0
		for _, h := range rows {
			if h != row {
				sum -= w.p.At(h, row)
			}
		}
		scores[k] = sum / w.p.At(row, row)
	}
	return scores
}

// byUsers is EASE through the inverse K of the Gram matrix of users.
type byUsers struct {
	cut  *graph.Cut
	at   map[graph.User]int // row
	k    *mat.SymDense
	self map[graph.Item]float64 // xᵀ K x of each item's column x
}

func easeByUsers(ctx context.Context, cut *graph.Cut, penalty float64) (easeWeights, error) {
	w := &byUsers{cut: cut, at: map[graph.User]int{}, self: map[graph.Item]float64{}}
	for u := range cut.AllUsers() {
		w.at[u] = len(w.at)
	}
	n := len(w.at)
	gram := make([]float64, n*n)
	for i := range cut.AllItems() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		rows := w.column(i)
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
	var err error
	if w.k, err = inverse(n, gram); err != nil {
		return nil, err
	}
	for i := range cut.AllItems() {
		rows, sum := w.column(i), 0.0
		for _, a := range rows {
			for _, b := range rows {
				sum += w.k.At(a, b)
			}
		}
		w.self[i] = sum
	}
	return w, ctx.Err()
}

// column returns the rows of the users who have the item.
func (w *byUsers) column(i graph.Item) []int {
	events := w.cut.Audience(i)
	rows := make([]int, len(events))
	for k, e := range events {
		rows[k] = w.at[e.User]
	}
	return rows
}

func (w *byUsers) score(history, items []graph.Item) []float64 {
	shared := mat.NewVecDense(len(w.at), nil) // of each user, how much of the history
	has := map[graph.Item]bool{}
	for _, i := range history {
		has[i] = true
		for _, row := range w.column(i) {
			shared.SetVec(row, shared.AtVec(row)+1)
		}
	}
	var near mat.VecDense
	near.MulVec(w.k, shared)
	scores := make([]float64, len(items))
	for k, i := range items {
		self, sum := w.self[i], 0.0
		for _, row := range w.column(i) {
			sum += near.AtVec(row)
		}
		if has[i] { // no weight from an item to itself
			sum -= self
		}
		scores[k] = sum / (1 - self)
	}
	return scores
}
