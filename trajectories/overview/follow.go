package overview

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"time"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/genai"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/store"
)

// Config of a [Follower]. The zero value works.
type Config struct {
	Window int              // runs whose facts are looked at, those that ended last; 0: 500
	AtWork int              // runs at work that are looked at; 0: 64
	Clock  func() time.Time // nil: time.Now
}

// Follower follows a store. It is not safe for concurrent use.
type Follower struct {
	st  *store.Store
	cfg Config

	commit int64 // up to which everything is known
	runs   map[string]known
	recent []ended // the last that ended, in order, at most Window
}

// known is what is kept of each run.
type known struct {
	status       trajectories.Status
	calls, tools int
	usage        message.Usage
	cause        string
}

// ended is a run that has ended, and its facts once they are read.
type ended struct {
	id    string
	read  bool
	at    time.Time // of what was said last
	calls []call
}

// call is one fact.
type call struct {
	role     message.Address
	name     string // of the model or the tool
	tool     bool
	took     time.Duration
	usage    message.Usage
	attempts int
	cached   bool
	refused  bool
}

// New returns a follower that has not looked yet.
func New(st *store.Store, cfg Config) *Follower {
	cfg.Window, cfg.AtWork = cmp.Or(cfg.Window, 500), cmp.Or(cfg.AtWork, 64)
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	return &Follower{st: st, cfg: cfg, runs: map[string]known{}}
}

// Look tells how the batch stands now.
func (f *Follower) Look(ctx context.Context) (Overview, error) {
	if err := f.catchUp(ctx); err != nil {
		return Overview{}, err
	}
	for i := range f.recent {
		if err := f.read(ctx, &f.recent[i]); err != nil {
			return Overview{}, err
		}
	}
	o := f.count()
	var err error
	if o.AtWork, err = f.atWork(ctx); err != nil {
		return o, err
	}
	f.rows(&o)
	f.pace(&o)
	return o, nil
}

// catchUp learns of the runs that changed. The first time all runs are read in
// one walk, and the journal only tells in which order they ended.
func (f *Follower) catchUp(ctx context.Context) error {
	first := f.commit == 0
	var order []string
	for {
		some, commit, err := f.st.Since(ctx, f.commit)
		if err != nil {
			return err
		}
		if commit == f.commit {
			break
		}
		order, f.commit = append(order, some...), commit
	}
	if first {
		for r, err := range f.st.Runs(ctx) {
			if err != nil {
				return err
			}
			f.learn(r)
		}
	}
	last := map[string]int{}
	for i, id := range order {
		last[id] = i
	}
	for i, id := range order {
		if last[id] != i {
			continue // it has changed again since
		}
		if _, there := f.runs[id]; !first || !there {
			r, err := f.st.Run(ctx, id)
			if err != nil {
				return err
			}
			f.learn(r)
		}
		f.note(id)
	}
	return nil
}

// learn keeps what a summary says.
func (f *Follower) learn(r store.Summary) {
	k := known{status: r.Status}
	switch r.Status {
	case trajectories.Failed:
		k.cause = r.Cause
		fallthrough
	case trajectories.Done:
		k.calls, k.tools, k.usage = r.Calls, r.Tools, r.Usage
	}
	f.runs[r.ID] = k
}

// note puts a run that has ended behind the others.
func (f *Follower) note(id string) {
	f.recent = slices.DeleteFunc(f.recent, func(e ended) bool { return e.id == id })
	if s := f.runs[id].status; s == trajectories.Done || s == trajectories.Failed {
		f.recent = append(f.recent, ended{id: id})
	}
	if over := len(f.recent) - f.cfg.Window; over > 0 {
		f.recent = slices.Delete(f.recent, 0, over)
	}
}

// read takes in the facts of a run that has ended.
func (f *Follower) read(ctx context.Context, e *ended) error {
	if e.read {
		return nil
	}
	t, err := f.st.Trajectory(ctx, e.id)
	if err != nil {
		return err
	}
	e.read = true
	for _, m := range t.Log {
		if m.Meta.Time.After(e.at) {
			e.at = m.Meta.Time
		}
		c := call{role: m.From, took: m.Meta.Duration, attempts: m.Meta.Attempts, cached: m.Meta.Cached}
		if m.Meta.Usage != nil {
			c.usage = *m.Meta.Usage
		}
		switch m.Kind {
		case model.Output{}.Kind():
			c.name = m.Meta.Model
		case tools.Result{}.Kind():
			r, err := message.Decode[tools.Result](m)
			if err != nil {
				return err
			}
			c.name, c.tool, c.refused = r.Tool, true, r.Error != ""
		default:
			continue
		}
		e.calls = append(e.calls, c)
	}
	return nil
}

// count sums up all runs.
func (f *Follower) count() Overview {
	o := Overview{At: f.cfg.Clock(), Total: len(f.runs), Window: len(f.recent), Failures: []Failure{}}
	failed := map[Failure]int{}
	for _, k := range f.runs {
		switch k.status {
		case trajectories.Done:
			o.Done++
		case trajectories.Failed:
			o.Failed++
			failed[Failure{Class: genai.FailureIn(k.cause), Cause: plain(k.cause)}]++
		case trajectories.Running:
			o.Running++
		default:
			o.Pending++
		}
		o.Calls += k.calls
		o.Tools += k.tools
		o.Usage.Add(&k.usage)
	}
	for cause, n := range failed {
		cause.Runs = n
		o.Failures = append(o.Failures, cause)
	}
	slices.SortFunc(o.Failures, func(a, b Failure) int { return cmp.Or(cmp.Compare(b.Runs, a.Runs), cmp.Compare(a.Cause, b.Cause)) })
	return o
}

// numbers are what makes the causes of equal failures differ.
var numbers = regexp.MustCompile(`\d+([.:,]\d+)*`)

// plain is a cause without what differs between equal failures.
func plain(cause string) string { return numbers.ReplaceAllString(cause, "#") }

// atWork looks at runs that have not ended.
func (f *Follower) atWork(ctx context.Context) ([]Flight, error) {
	var ids []string
	for id, k := range f.runs {
		if k.status == trajectories.Running {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	flights := []Flight{}
	for _, id := range ids[:min(len(ids), f.cfg.AtWork)] {
		t, err := f.st.Trajectory(ctx, id)
		if err != nil {
			return nil, err
		}
		fl := Flight{Run: id}
		var last time.Time
		for _, m := range t.Log {
			if !m.Fact() || m.Meta.Time.IsZero() {
				continue
			}
			fl.Facts++
			if began := m.Meta.Time.Add(-m.Meta.Duration); fl.Since.IsZero() || began.Before(fl.Since) {
				fl.Since = began
			}
			if m.Meta.Time.After(last) {
				last, fl.Path, fl.Role = m.Meta.Time, m.ID, m.From
			}
		}
		fl.Last = last
		flights = append(flights, fl)
	}
	slices.SortStableFunc(flights, func(a, b Flight) int {
		if a.Since.IsZero() != b.Since.IsZero() {
			return cmp.Compare(b.Facts, a.Facts) // those that have said nothing come last
		}
		return a.Since.Compare(b.Since)
	})
	return flights, nil
}
