package powerlaw

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"github.com/mars-rec/mars/graph"
)

// Measurement is how long a kind of query takes, in processor time of the
// thread that asks.
type Measurement struct {
	Query   string        `json:"query"`
	Drawn   string        `json:"drawn"`       // how items or users were drawn: uniform or popular
	AsOf    string        `json:"as_of"`       // end: no cut-off; random: another moment for each query
	Queries int           `json:"queries"`     //
	Mean    time.Duration `json:"mean_ns"`     //
	P50     time.Duration `json:"p50_ns"`      //
	P95     time.Duration `json:"p95_ns"`      //
	P99     time.Duration `json:"p99_ns"`      //
	Pairs   float64       `json:"pairs"`       // counted by a query that reads all, on average
	PerPair float64       `json:"ns_per_pair"` // of all queries together
}

// question is one query of a measurement.
type question struct {
	cut  *graph.Cut
	item graph.Item
	user graph.User
}

// Measure asks n queries of each kind. A queue of questions is drawn before the
// clock starts; the same seed draws the same.
func Measure(g *graph.Graph, n int, seed uint64) []Measurement {
	var all []Measurement
	random := rand.New(rand.NewPCG(seed, 2))
	end := g.At(g.End())
	moments := make([]time.Time, 0, 1024)
	first, last := g.Quantile(0.05), g.End()
	for range cap(moments) {
		moments = append(moments, first.Add(time.Duration(random.Int64N(int64(last.Sub(first))))))
	}
	draw := func(k int, popular, cut bool) question {
		c := end
		if cut {
			c = g.At(moments[k%len(moments)])
		}
		for {
			u := graph.User(random.IntN(g.Users()))
			i := graph.Item(random.IntN(g.Items()))
			if popular {
				// An item by its share of the interactions, and a user likewise.
				events := c.History(u)
				if len(events) == 0 {
					continue
				}
				i = events[random.IntN(len(events))].Item
				audience := c.Audience(i)
				u = audience[random.IntN(len(audience))].User
			}
			if c.ItemDegree(i) > 0 && c.UserDegree(u) > 0 {
				return question{c, i, u}
			}
		}
	}
	itemCF := func(q question) { q.cut.ItemCF(q.item, graph.Query{}) }
	exact := func(q question) { q.cut.UserCF(q.user, graph.UserQuery{Neighbours: 100}) }
	capped := func(q question) { q.cut.UserCF(q.user, graph.UserQuery{Neighbours: 100, Latest: 1000}) }
	for _, kind := range []struct {
		name    string
		ask     func(question)
		popular []bool
		share   int
	}{
		{"item-cf", itemCF, []bool{false, true}, 1},
		{"user-cf", exact, []bool{false, true}, 4},
		{"user-cf latest 1000", capped, []bool{false}, 4},
	} {
		for _, popular := range kind.popular {
			for _, cut := range []bool{false, true} {
				questions := make([]question, max(1, n/kind.share))
				pairs := 0
				for k := range questions {
					questions[k] = draw(k, popular, cut)
					if kind.name == "item-cf" {
						pairs += itemPairs(questions[k])
					} else {
						pairs += userPairs(questions[k])
					}
				}
				m := clock(questions, kind.ask)
				m.Query, m.Drawn, m.AsOf = kind.name, pick(popular, "popular", "uniform"), pick(cut, "random", "end")
				m.Pairs = float64(pairs) / float64(len(questions))
				m.PerPair = float64(m.Mean) / m.Pairs
				all = append(all, m)
			}
		}
	}
	return all
}

// itemPairs and userPairs are how much there is to count.
func itemPairs(q question) (n int) {
	for _, e := range q.cut.Audience(q.item) {
		n += q.cut.UserDegree(e.User)
	}
	return n
}

func userPairs(q question) (n int) {
	for _, e := range q.cut.History(q.user) {
		n += q.cut.ItemDegree(e.Item)
	}
	return n
}

func pick(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}

// clock asks all questions, one after another.
func clock(questions []question, ask func(question)) Measurement {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, q := range questions[:min(20, len(questions))] {
		ask(q) // so that room to count in is there
	}
	took := make([]time.Duration, len(questions))
	var sum time.Duration
	for k, q := range questions {
		start := processor()
		ask(q)
		took[k] = processor() - start
		sum += took[k]
	}
	slices.SortFunc(took, cmp.Compare)
	at := func(q float64) time.Duration { return took[min(len(took)-1, int(q*float64(len(took))))] }
	return Measurement{Queries: len(took), Mean: sum / time.Duration(len(took)), P50: at(0.5), P95: at(0.95), P99: at(0.99)}
}

// String is a line for people.
func (m Measurement) String() string {
	return fmt.Sprintf("%-20s %-8s as of %-7s mean %9s  p50 %9s  p95 %9s  p99 %9s  %.2f ns/pair", m.Query, m.Drawn, m.AsOf,
		round(m.Mean), round(m.P50), round(m.P95), round(m.P99), m.PerPair)
}

func round(d time.Duration) time.Duration { return d.Round(max(100, d/1000)) }
