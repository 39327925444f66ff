package rank

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack/lapack64"

	"github.com/mars-rec/mars/graph"
)

// IALSConfig of [TrainIALS]. The zero value works: of α₀ and λ in half decades,
// its are the best on the generated world of books, for both kinds of negatives
// together.
type IALSConfig struct {
	Factors    int     // 0: 64
	Sweeps     int     // over users and items; 0: 10
	Unobserved float64 // weight of what did not happen, α₀; 0: 0.1
	Penalty    float64 // of the squares of the factors, λ; 0: 0.03
	Users      int     // at most so many users to learn from; 0: 20,000
	Items      int     // the most popular items that have factors; 0: 100,000
	Seed       uint64  // of the first factors
	Workers    int     // 0: one a processor
}

// IALS is matrix factorisation for implicit feedback by alternating least
// squares (Hu, Koren and Volinsky 2008), in the form that Rendle et al. 2022
// found to hold its own against later models: every pair counts, those that did
// not happen with weight α₀, and a row's penalty grows with what is known of it,
// λ·(its interactions + α₀·the other side's rows).
//
// Item factors are learnt from the users whose ids hash lowest, so that training
// takes as long on a large log as on a middling one. The user of a request needs
// not be among them: his factors are the exact solution for his history as of
// the request's cut.
type IALS struct {
	before time.Time
	cfg    IALSConfig
	at     map[graph.Item]int // row of items
	users  int                // learnt from
	items  []float64          // by row
	gram   []float64          // α₀ · itemsᵀ·items, upper triangle
}

// TrainIALS learns item factors from what happened before the cut. It is an
// error if nothing is visible. The same cut and seed give the same factors, with
// any number of workers.
func TrainIALS(ctx context.Context, cut *graph.Cut, cfg IALSConfig) (*IALS, error) {
	cfg.Factors, cfg.Sweeps = cmp.Or(cfg.Factors, 64), cmp.Or(cfg.Sweeps, 10)
	cfg.Unobserved, cfg.Penalty = cmp.Or(cfg.Unobserved, 0.1), cmp.Or(cfg.Penalty, 0.03)
	cfg.Users, cfg.Items = cmp.Or(cfg.Users, 20_000), cmp.Or(cfg.Items, 100_000)
	cfg.Workers = cmp.Or(cfg.Workers, runtime.GOMAXPROCS(0))
	m := &IALS{before: cut.AsOf(), cfg: cfg, at: map[graph.Item]int{}}
	for k, i := range cut.Popular(cfg.Items) {
		m.at[i] = k
	}
	if len(m.at) == 0 {
		return nil, fmt.Errorf("train iALS: no interaction before %s", m.before.Format(time.RFC3339))
	}
	byUser, byItem := m.interactions(cut)
	m.users = len(byUser)
	users := make([]float64, len(byUser)*cfg.Factors)
	m.items = make([]float64, len(byItem)*cfg.Factors)
	random := rand.New(rand.NewPCG(cfg.Seed, 3))
	for k := range m.items {
		m.items[k] = random.NormFloat64() * 0.1 / math.Sqrt(float64(cfg.Factors))
	}
	m.gram = make([]float64, cfg.Factors*cfg.Factors)
	for range cfg.Sweeps {
		m.weigh(m.items)
		if err := m.solveAll(ctx, users, byUser, m.items); err != nil {
			return nil, err
		}
		m.weigh(users)
		if err := m.solveAll(ctx, m.items, byItem, users); err != nil {
			return nil, err
		}
	}
	m.weigh(m.items)
	return m, nil
}

// interactions returns the rows of items of each user to learn from, and the
// rows of users of each item.
func (m *IALS) interactions(cut *graph.Cut) (byUser, byItem [][]int32) {
	type drawn struct {
		hash uint64
		user graph.User
	}
	var users []drawn
	for u := range cut.AllUsers() {
		h := fnv.New64a()
		h.Write([]byte(cut.UserID(u)))
		users = append(users, drawn{h.Sum64(), u})
	}
	slices.SortStableFunc(users, func(a, b drawn) int { return cmp.Compare(a.hash, b.hash) })
	users = users[:min(len(users), m.cfg.Users)]
	byUser, byItem = make([][]int32, len(users)), make([][]int32, len(m.at))
	for row, d := range users {
		for _, e := range cut.History(d.user) {
			if k, ok := m.at[e.Item]; ok {
				byUser[row] = append(byUser[row], int32(k))
				byItem[k] = append(byItem[k], int32(row))
			}
		}
	}
	return byUser, byItem
}

// weigh sets the Gram matrix to that of the factors, times α₀.
func (m *IALS) weigh(factors []float64) {
	d := m.cfg.Factors
	rows := blas64.General{Rows: len(factors) / d, Cols: d, Stride: d, Data: factors}
	blas64.Syrk(blas.Trans, m.cfg.Unobserved, rows, 0, blas64.Symmetric{Uplo: blas.Upper, N: d, Stride: d, Data: m.gram})
}

// solveAll sets each row of factors to the solution for what it has of the
// other side. Rows do not depend on one another.
func (m *IALS) solveAll(ctx context.Context, factors []float64, has [][]int32, other []float64) error {
	var wait sync.WaitGroup
	for w := range m.cfg.Workers {
		wait.Go(func() {
			room := m.room()
			for row := w; row < len(has) && ctx.Err() == nil; row += m.cfg.Workers {
				m.solve(factors[row*m.cfg.Factors:][:m.cfg.Factors], has[row], other, room)
			}
		})
	}
	wait.Wait()
	return ctx.Err()
}

// room is a matrix to solve in.
func (m *IALS) room() []float64 { return make([]float64, m.cfg.Factors*m.cfg.Factors) }

// solve sets x to the least-squares solution for a row that has those rows of
// the other side; zeros if it has none.
func (m *IALS) solve(x []float64, has []int32, other, room []float64) {
	clear(x)
	if len(has) == 0 {
		return
	}
	d := m.cfg.Factors
	copy(room, m.gram)
	normal := blas64.Symmetric{Uplo: blas.Upper, N: d, Stride: d, Data: room}
	for _, row := range has {
		v := blas64.Vector{N: d, Inc: 1, Data: other[int(row)*d:][:d]}
		blas64.Syr(1, v, normal)
		blas64.Axpy(1, v, blas64.Vector{N: d, Inc: 1, Data: x})
	}
	penalty := m.cfg.Penalty * (float64(len(has)) + m.cfg.Unobserved*float64(len(other)/d))
	for k := range d {
		room[k*d+k] += penalty
	}
	// The matrix is positive definite: a sum of squares and a positive penalty.
	triangle, _ := lapack64.Potrf(normal)
	lapack64.Potrs(triangle, blas64.General{Rows: d, Cols: 1, Stride: 1, Data: x})
}

// Name implements [Ranker].
func (m *IALS) Name() string { return "ials" }

// Before implements [Learned].
func (m *IALS) Before() time.Time { return m.before }

// Score implements [Ranker]. An item without factors comes after all others.
func (m *IALS) Score(q Request) []float64 {
	mustFollow(m, q)
	var history []int32
	for _, i := range lastItems(q.Cut, q.User, 0) {
		if k, ok := m.at[i]; ok {
			history = append(history, int32(k))
		}
	}
	d := m.cfg.Factors
	user := make([]float64, d)
	m.solve(user, history, m.items, m.room())
	scores := make([]float64, len(q.Items))
	for k, id := range q.Items {
		i, ok := q.Cut.Item(id)
		row, learnt := m.at[i]
		if !ok || !learnt {
			scores[k] = math.Inf(-1)
			continue
		}
		scores[k] = blas64.Dot(blas64.Vector{N: d, Inc: 1, Data: user}, blas64.Vector{N: d, Inc: 1, Data: m.items[row*d:][:d]})
	}
	return scores
}
