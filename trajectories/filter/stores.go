package filter

import (
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"path/filepath"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/store"
)

// Runs knows where the runs of each task are, in one or several run stores: of
// each run its id, not its log.
type Runs struct {
	stores []*store.Store
	tasks  []*place
	byTask map[string]*place
	done   int
}

// place is where the runs of a task are.
type place struct {
	task  [sha256.Size]byte // its hash
	first ref               // a run of it, done or not
	done  []ref
}

type ref struct {
	store int32
	run   string
}

// Index reads which runs there are, in the order of the stores. The same task in
// two stores must be the same.
func Index(ctx context.Context, stores ...*store.Store) (*Runs, error) {
	r := &Runs{stores: stores, byTask: map[string]*place{}}
	for i, st := range stores {
		for run, err := range st.Runs(ctx) {
			if err != nil {
				return nil, err
			}
			text, err := message.Marshal(run.Task)
			if err != nil {
				return nil, err
			}
			at, hash := ref{int32(i), run.ID}, sha256.Sum256(text)
			p := r.byTask[run.Task.ID]
			if p == nil {
				p = &place{task: hash, first: at}
				r.byTask[run.Task.ID] = p
				r.tasks = append(r.tasks, p)
			}
			if p.task != hash {
				return nil, fmt.Errorf("task %s of %s is another than that of %s", run.Task.ID, st.Path(), stores[p.first.store].Path())
			}
			if run.Status == trajectories.Done {
				p.done = append(p.done, at)
				r.done++
			}
		}
	}
	return r, nil
}

// Done is how many runs are done.
func (r *Runs) Done() int { return r.done }

// Most is the largest number of done runs of a task.
func (r *Runs) Most() int {
	most := 0
	for _, p := range r.tasks {
		most = max(most, len(p.done))
	}
	return most
}

// Missing returns an accepted run of a selection that is in none of the stores,
// or was made anew since; "" if all are there.
func (r *Runs) Missing(ctx context.Context, s *Selection) (string, error) {
	there := make(map[accepted]bool, len(s.runs))
	for _, st := range r.stores {
		for run, err := range st.Runs(ctx) {
			if err != nil {
				return "", err
			}
			if which := (accepted{run.ID, run.Seal}); s.runs[which] {
				there[which] = true
			}
		}
	}
	missing := ""
	for which := range s.runs { // in any order: the least is told
		if !there[which] && (missing == "" || which.run < missing) {
			missing = which.run
		}
	}
	return missing, nil
}

// Tasks is how many tasks there are runs of, done or not.
func (r *Runs) Tasks() int { return len(r.tasks) }

// Groups yields the tasks, in the order of their first runs. What is loaded has
// the gold that golds gives for the task.
func (r *Runs) Groups(golds func(tasks.Task) (gold.Gold, error)) iter.Seq2[Load, error] {
	return func(yield func(Load, error) bool) {
		for _, p := range r.tasks {
			load := func(ctx context.Context) (Group, error) { return r.load(ctx, p, golds) }
			if !yield(load, nil) {
				return
			}
		}
	}
}

func (r *Runs) load(ctx context.Context, p *place, golds func(tasks.Task) (gold.Gold, error)) (g Group, err error) {
	for _, at := range p.done {
		st := r.stores[at.store]
		t, err := st.Trajectory(ctx, at.run)
		if err != nil {
			return g, err
		}
		g.Task = t.Run.Task
		g.Runs = append(g.Runs, NewSample(t, filepath.Base(st.Path())))
	}
	if len(g.Runs) == 0 {
		run, err := r.stores[p.first.store].Run(ctx, p.first.run)
		if err != nil {
			return g, err
		}
		g.Task = run.Task
	}
	g.Gold, err = golds(g.Task)
	return g, err
}
