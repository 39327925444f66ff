package filter

import (
	"context"
	"fmt"
	"iter"
	"runtime"

	"github.com/mars-rec/mars/internal/inorder"
)

// Count is what a filter did.
type Count struct {
	Filter  string         `json:"filter"`
	In      int            `json:"in"`
	Kept    int            `json:"kept"`
	Dropped map[string]int `json:"dropped,omitempty"` // by reason
}

// Verdict is what became of a run. The zero Verdict is that of an accepted one.
type Verdict struct {
	Filter string // that dropped it; "": none did
	Drop
	ofTask bool // whatever its runs say
}

// Sifted is a group with a verdict for each of its runs.
type Sifted struct {
	Group
	Verdicts []Verdict
}

// Accepted returns the group with the accepted runs only.
func (s Sifted) Accepted() Group {
	g := Group{Task: s.Task, Gold: s.Gold}
	for i, v := range s.Verdicts {
		if v.Filter == "" {
			g.Runs = append(g.Runs, s.Runs[i])
		}
	}
	return g
}

// Wanting reports whether more runs of the task could help: none was accepted,
// and it is not the task that is unwanted.
func (s Sifted) Wanting() bool {
	for _, v := range s.Verdicts {
		if v.Filter == "" || v.ofTask {
			return false
		}
	}
	return true
}

// Sieve is filters one behind the other: each sees the runs that those before
// it have kept. It is used once.
type Sieve struct {
	filters []Filter
	alone   int // so many filters at the start remember nothing
	counts  []Count
}

// NewSieve puts filters in order.
func NewSieve(filters ...Filter) *Sieve {
	s := &Sieve{filters: filters, alone: len(filters), counts: make([]Count, len(filters))}
	for i, f := range filters {
		s.counts[i] = Count{Filter: f.Name(), Dropped: map[string]int{}}
		if _, ok := f.(Rememberer); ok && s.alone > i {
			s.alone = i
		}
	}
	return s
}

// Counts is what each filter did with the groups that [Sieve.Each] has yielded.
func (s *Sieve) Counts() []Count { return s.counts }

// Each yields the groups with their verdicts, in order, those without an
// accepted run too. It reads and judges ahead, a group for each processor. The
// first error, of a group or of a filter, is the last that is yielded.
func (s *Sieve) Each(ctx context.Context, groups iter.Seq2[Load, error]) iter.Seq2[Sifted, error] {
	return func(yield func(Sifted, error) bool) {
		for sifted, err := range inorder.Map(ctx, runtime.GOMAXPROCS(0), groups, s.read) {
			if err == nil {
				err = s.pass(ctx, &sifted, s.alone, len(s.filters))
			}
			if err == nil {
				s.count(sifted)
			}
			if !yield(sifted, err) || err != nil {
				return
			}
		}
	}
}

// Accepted is [Sieve.Each] with the accepted runs only, and without the groups
// that have none.
func (s *Sieve) Accepted(ctx context.Context, groups iter.Seq2[Load, error]) iter.Seq2[Group, error] {
	return func(yield func(Group, error) bool) {
		for sifted, err := range s.Each(ctx, groups) {
			if g := sifted.Accepted(); (err != nil || len(g.Runs) > 0) && !yield(g, err) {
				return
			}
		}
	}
}

// read reads a group and judges it by the filters that remember nothing.
func (s *Sieve) read(ctx context.Context, load Load) (Sifted, error) {
	if err := ctx.Err(); err != nil {
		return Sifted{}, err
	}
	g, err := load(ctx)
	if err != nil {
		return Sifted{}, err
	}
	for i, run := range g.Runs {
		run.load, run.at = load, i
	}
	sifted := Sifted{g, make([]Verdict, len(g.Runs))}
	return sifted, s.pass(ctx, &sifted, 0, s.alone)
}

// pass judges the runs that are left by some of the filters.
func (s *Sieve) pass(ctx context.Context, sifted *Sifted, from, to int) error {
	for _, f := range s.filters[from:to] {
		left := sifted.Accepted()
		if len(left.Runs) == 0 {
			return nil
		}
		drops, err := f.Sift(ctx, left)
		if err != nil {
			return fmt.Errorf("filter %s, run %s: %w", f.Name(), left.Runs[0].Run.ID, err)
		}
		if len(drops) != len(left.Runs) {
			return fmt.Errorf("filter %s: %d verdicts for %d runs", f.Name(), len(drops), len(left.Runs))
		}
		for i := range sifted.Verdicts {
			if v := &sifted.Verdicts[i]; v.Filter == "" {
				if drops[0].Reason != "" {
					_, ofTask := f.(perTask)
					*v = Verdict{f.Name(), drops[0], ofTask}
				}
				drops = drops[1:]
			}
		}
	}
	if to == len(s.filters) {
		for _, f := range s.filters {
			if r, ok := f.(Rememberer); ok {
				for _, run := range sifted.Accepted().Runs {
					r.Accepted(run)
				}
			}
		}
	}
	return nil
}

// count adds a group's verdicts to the counts.
func (s *Sieve) count(sifted Sifted) {
	for _, v := range sifted.Verdicts {
		for i, f := range s.filters {
			s.counts[i].In++
			if f.Name() == v.Filter {
				s.counts[i].Dropped[v.Reason]++
				break
			}
			s.counts[i].Kept++
		}
	}
}
