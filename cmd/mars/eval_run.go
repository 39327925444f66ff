package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mars-rec/mars/eval"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model/builtin"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/trajectories"
)

// evalRun says which tasks a run store answered.
type evalRun struct {
	Store      string `json:"store"`
	Model      string `json:"model"`
	System     string `json:"system"`
	Set        string `json:"set"`
	Unanswered int    `json:"unanswered"` // cases without a ranking: misses
	// Further counts runs of tasks that the store has an earlier run of: the first
	// of each task is measured.
	Further int `json:"further,omitempty"`
}

// recorded is what a run store says of its tasks.
type recorded struct {
	path    string
	setup   setup
	data    string // the data set's fingerprint
	tasks   []tasks.Task
	answers map[string]eval.Answer // of the first run of each task, if it is done
	further int                    // runs of tasks that have an earlier one
}

// of reports whether the runs are of a set's tasks: they have some in common,
// and none of another meaning under the same id.
func (r recorded) of(set eval.Set) bool {
	mine := make(map[string]tasks.Task, len(r.tasks))
	for _, t := range r.tasks {
		mine[t.ID] = t
	}
	shared := 0
	for _, c := range set.Cases {
		t, ok := mine[c.Task.ID]
		if !ok {
			continue
		}
		if t.User != c.Task.User || !t.AsOf.Equal(c.Task.AsOf) || !slices.Equal(t.Candidates, c.Task.Candidates) {
			return false
		}
		shared++
	}
	return shared > 0
}

func (r recorded) unanswered(set eval.Set) int {
	n := 0
	for _, c := range set.Cases {
		if r.answers[c.Task.ID].Ranking == nil {
			n++
		}
	}
	return n
}

// readRun reads the tasks of a run store, and how they were answered.
func readRun(ctx context.Context, path string, prices prices) (recorded, error) {
	r := recorded{path: path, answers: map[string]eval.Answer{}}
	st, err := openStore(ctx, path)
	if err != nil {
		return r, err
	}
	defer st.Close()
	if r.setup, err = setupOf(st); err != nil {
		return r, err
	}
	r.data = fingerprintOf(st)
	seen := map[string]bool{}
	for t, err := range st.Trajectories(ctx) {
		if err != nil {
			return r, storeError(err)
		}
		id := t.Run.Task.ID
		if seen[id] && st.Manifest().Origin != nil { // forks of one run: none of them is the first
			return r, hinted(fmt.Errorf("%s has several runs of the task %s, and one ranking for each task is measured", path, id),
				"mars score gives each run its score")
		}
		if seen[id] {
			r.further++
			continue
		}
		seen[id] = true
		r.tasks = append(r.tasks, t.Run.Task)
		if t.Run.Status == trajectories.Done {
			r.answers[id] = eval.Answer{Ranking: t.Run.Ranking, Expense: prices.expense(t)}
		}
	}
	for run, err := range st.Runs(ctx) {
		if err != nil {
			return r, storeError(err)
		}
		if run.Status == trajectories.Failed && !seen[run.Task.ID] { // a miss
			seen[run.Task.ID] = true
			r.tasks = append(r.tasks, run.Task)
		}
	}
	if len(r.tasks) == 0 {
		return r, fmt.Errorf("%s has no tasks to measure", path)
	}
	return r, nil
}

// prices are dollars for a token, by the model's name as it was given.
type prices map[string]price

type price struct{ input, output float64 }

// parsePrices reads MODEL=IN/OUT, dollars for a million tokens.
func parsePrices(list []string) (prices, error) {
	p := prices{}
	for _, text := range list {
		k := strings.LastIndex(text, "=")
		if k < 1 {
			return nil, usagef("--price %q: want MODEL=IN/OUT, dollars for a million tokens", text)
		}
		in, out, _ := strings.Cut(text[k+1:], "/")
		a, errIn := strconv.ParseFloat(in, 64)
		b, errOut := strconv.ParseFloat(out, 64)
		if errIn != nil || errOut != nil || !(a >= 0) || !(b >= 0) {
			return nil, usagef("--price %q: want MODEL=IN/OUT, dollars for a million tokens", text)
		}
		p[text[:k]] = price{a / 1e6, b / 1e6}
	}
	return p, nil
}

// expense is what a run cost: the time from its first message to its last,
// unless it was started more than once; calls and tokens as far as providers
// told; dollars where all models that were paid have a price. The built-in
// teacher costs nothing, and what a cache answered is no call.
func (p prices) expense(t *trajectories.Trajectory) *eval.Expense {
	asked := trajectories.Ask(t.Log)
	x := &eval.Expense{Calls: &asked.Calls}
	if u := asked.Usage; u != (message.Usage{}) {
		x.InputTokens, x.OutputTokens = &u.InputTokens, &u.OutputTokens
	}
	first, last := t.Log[0].Meta.Time, t.Log[0].Meta.Time
	cost, known := 0.0, true
	for _, e := range t.Log {
		if e.Meta.Time.Before(first) {
			first = e.Meta.Time
		}
		if e.Meta.Time.After(last) {
			last = e.Meta.Time
		}
		m := e.Meta
		if m.Model == "" || m.Cached || m.Model == builtin.Name || strings.HasPrefix(m.Model, builtin.Name+":") {
			continue
		}
		rate, ok := p[m.Model]
		if known = known && ok && m.Usage != nil; known {
			cost += rate.input*float64(m.Usage.InputTokens) + rate.output*float64(m.Usage.OutputTokens)
		}
	}
	if known {
		x.Cost = &cost
	}
	if t.Run.Attempts <= 1 && last.After(first) {
		took := last.Sub(first).Seconds()
		x.Seconds = &took
	}
	return x
}
