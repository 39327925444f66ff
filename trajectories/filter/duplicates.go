package filter

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/trajectories"
)

// Similarity says when two runs are near-duplicates.
type Similarity struct {
	// Jaccard is the share of shingles, runs of Words words, that two texts
	// have in common, of those that either has, from which on they are
	// near-duplicates: above 0, at most 1.
	Jaccard float64
	Words   int // 0: 5
	Seed    int64
	By      Scorer // of two samples of a task, the one of the higher reward is kept
	Linear  trajectories.Linear
}

// Duplicates keeps runs that are no near-duplicate, in what the student is
// trained on, of one that was accepted before, or of a better one of the same
// task. Trained on is what the assistant says and the calls that it makes, not
// what it reads.
//
// Which runs may be alike, signatures tell (MinHash, by bands: Broder 1997;
// Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, ch. 3); whether
// they are is then counted on their texts, which are read again for it: so
// nothing is dropped that is not alike, and of pairs at the bound less than one
// in a thousand is missed. In memory is, of each accepted run, its signature and
// where it is read again: some 2 kB however long the run.
func Duplicates(how Similarity) Filter {
	if how.Words == 0 {
		how.Words = 5
	}
	return &duplicates{how: how, index: newIndex(how.Jaccard, how.Seed), fresh: map[*Sample]signature{}}
}

// duplicates implements [Rememberer].
type duplicates struct {
	how   Similarity
	index *index
	runs  []origin              // of the index's entries
	fresh map[*Sample]signature // of the group at work
}

// origin is where an accepted run is read again.
type origin struct {
	load Load
	at   int
}

// Name implements [Filter].
func (d *duplicates) Name() string { return fmt.Sprintf("near-duplicates from %g", d.how.Jaccard) }

// Sift implements [Filter].
func (d *duplicates) Sift(ctx context.Context, g Group) ([]Drop, error) {
	clear(d.fresh)
	places, err := preferred(ctx, d.how.By, g)
	if err != nil {
		return nil, err
	}
	drops := make([]Drop, len(g.Runs))
	sets := make([]shingles, len(g.Runs))
	var kept []int
	for _, i := range places {
		s := g.Runs[i]
		messages, err := s.Conversation(d.how.Linear)
		if err != nil {
			drops[i] = Drop{untold, err.Error()}
			continue
		}
		sets[i] = shingle(trained(messages), d.how.Words)
		sig := d.index.sign(sets[i])
		id, alike := "", 0.
		for _, j := range kept {
			if a := sets[i].jaccard(sets[j]); a >= d.how.Jaccard && id == "" {
				id, alike = g.Runs[j].Run.ID, a
			}
		}
		if id == "" {
			if id, alike, err = d.known(ctx, sets[i], sig); err != nil {
				return nil, err
			}
		}
		if id != "" {
			drops[i] = Drop{"it is a near-duplicate of an accepted run or of a better one of its task", fmt.Sprintf("%.2f of %s", alike, id)}
			continue
		}
		kept = append(kept, i)
		d.fresh[s] = sig
	}
	return drops, nil
}

// known returns the first accepted run that a set of shingles is a
// near-duplicate of, and how alike they are; "" if there is none.
func (d *duplicates) known(ctx context.Context, set shingles, sig signature) (string, float64, error) {
	for _, entry := range d.index.near(sig) {
		from := d.runs[entry]
		g, err := from.load(ctx)
		if err != nil {
			return "", 0, err
		}
		if from.at >= len(g.Runs) {
			return "", 0, errors.New("an accepted run is no longer there")
		}
		s := g.Runs[from.at]
		messages, err := s.Conversation(d.how.Linear)
		if err != nil {
			return "", 0, err
		}
		if alike := set.jaccard(shingle(trained(messages), d.how.Words)); alike >= d.how.Jaccard {
			return s.Run.ID, alike, nil
		}
	}
	return "", 0, nil
}

// Accepted implements [Rememberer].
func (d *duplicates) Accepted(s *Sample) {
	d.index.add(d.fresh[s])
	d.runs = append(d.runs, origin{s.load, s.at})
}

// trained is what the student is trained on, as words.
func trained(messages []model.Message) []string {
	var words []string
	for _, m := range messages {
		if m.Role != model.Assistant {
			continue
		}
		words = append(words, strings.Fields(m.Content)...)
		for _, c := range m.ToolCalls {
			words = append(append(words, c.Name), strings.Fields(c.Arguments)...)
		}
	}
	return words
}
