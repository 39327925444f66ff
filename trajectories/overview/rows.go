package overview

import (
	"math"
	"slices"
	"strings"
	"time"
)

// rows sums up the facts of the runs that ended last.
func (f *Follower) rows(o *Overview) {
	roles, models, used := table{}, table{}, table{}
	for _, e := range f.recent {
		for _, c := range e.calls {
			if c.tool {
				used.add(c.name, c)
				continue
			}
			roles.add(string(c.role), c)
			models.add(c.name, c)
		}
	}
	o.Roles, o.Models, o.ToolRows = roles.rows(), models.rows(), used.rows()
}

// table gathers calls by name.
type table map[string]*gathered

type gathered struct {
	Row
	took []time.Duration
}

func (t table) add(name string, c call) {
	g := t[name]
	if g == nil {
		g = &gathered{Row: Row{Name: name}}
		t[name] = g
	}
	g.Calls++
	g.Usage.Add(&c.usage)
	g.Retries += max(0, c.attempts-1)
	if c.refused {
		g.Refused++
	}
	if c.cached {
		g.Cached++
	} else {
		g.took = append(g.took, c.took)
	}
}

func (t table) rows() []Row {
	rows := make([]Row, 0, len(t))
	for _, g := range t {
		slices.Sort(g.took)
		g.Median, g.High = quantile(g.took, 0.5), quantile(g.took, 0.95)
		rows = append(rows, g.Row)
	}
	slices.SortFunc(rows, func(a, b Row) int { return strings.Compare(a.Name, b.Name) })
	return rows
}

// quantile is the least of the sorted durations that the share q of them does not
// exceed.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(math.Ceil(q*float64(len(sorted))))-1]
}

// paced is of how many runs the pace is made: enough to be steady, few enough to
// follow a change.
const paced = 100

// asleep is how long a store that has runs left is silent before nobody is taken
// to be at work.
const asleep = 2 * time.Minute

// pace tells how fast runs end, and how long the others will take.
func (f *Follower) pace(o *Overview) {
	ends := make([]time.Time, 0, len(f.recent))
	for _, e := range f.recent {
		if !e.at.IsZero() {
			ends = append(ends, e.at)
		}
	}
	slices.SortFunc(ends, time.Time.Compare)
	if len(ends) > 0 {
		o.Last = ends[len(ends)-1]
	}
	for _, w := range o.AtWork {
		if w.Last.After(o.Last) {
			o.Last = w.Last
		}
	}
	ends = ends[max(0, len(ends)-paced):]
	if len(ends) < 2 {
		return
	}
	until := ends[len(ends)-1]
	live := !o.Ended() && o.At.Sub(o.Last) < asleep
	if live && o.At.After(until) {
		until = o.At
	}
	span := until.Sub(ends[0])
	if span <= 0 {
		return
	}
	o.PerMinute = float64(len(ends)-1) / span.Minutes()
	if live {
		o.Left = time.Duration(float64(o.Running+o.Pending) / o.PerMinute * float64(time.Minute))
	}
}
