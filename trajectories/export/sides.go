package export

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"iter"
	"math/rand/v2"
	"sync"

	"github.com/mars-rec/mars/trajectories/filter"
)

// Side is what a split has got.
type Side struct {
	Split string  `json:"split"`
	Share float64 `json:"share"` // of the users, as asked for
	Users int     `json:"users"` // that its rows are of
	Rows  int     `json:"rows"`
}

// side writes the rows of a split.
type side struct {
	Side
	sheet   *sheet
	cfg     Config
	dir     string
	files   []File
	longest int // bytes of a row
	tokens  Tokens
	length  filter.Count
	users   map[uint64]bool // hashes
}

// write writes the rows of groups, one for each task where a row is a task.
func (w *side) write(ctx context.Context, groups iter.Seq2[Group, error]) error {
	return w.writeRows(ctx, w.rows(groups))
}

// rows parts groups so that one group makes one row; the rows that are too long
// are left out, and the others measured.
func (w *side) rows(groups iter.Seq2[Group, error]) iter.Seq2[Group, error] {
	return func(yield func(Group, error) bool) {
		for g, err := range groups {
			if err != nil {
				yield(g, err)
				return
			}
			for i, run := range g.Runs {
				if w.sheet.task && i > 0 {
					break
				}
				for n := range max(1, w.cfg.Permutations) {
					row := run
					if w.cfg.Permutations > 0 {
						row = run.Relabelled(Order(w.cfg.Seed, run, n))
					}
					fits, err := w.measure(row)
					if err != nil {
						yield(g, err)
						return
					}
					if fits && !yield(Group{Task: g.Task, Gold: g.Gold, Runs: []*filter.Sample{row}}, nil) {
						return
					}
				}
			}
		}
	}
}

// measure counts a row, and reports whether it is not too long.
func (w *side) measure(row *filter.Sample) (fits bool, err error) {
	w.length.In++
	if w.cfg.Tokenizer != nil {
		size, cut, err := w.cfg.ruler().Measure(row, w.cfg.MaxLength)
		if err != nil {
			return false, err
		}
		if cut != "" {
			w.length.Dropped["it would be cut "+cut]++
			return false, nil
		}
		w.tokens.All += size.Tokens
		w.tokens.Trained += size.Trained
		w.tokens.Longest = max(w.tokens.Longest, size.Tokens)
	}
	w.length.Kept++
	user := sha256.Sum256([]byte(row.Run.Task.Dataset + "\x00" + row.Run.Task.User))
	w.users[binary.BigEndian.Uint64(user[:])] = true
	return true, nil
}

// Order draws the order of a run's candidates in the nth of its rows, from 0,
// where there are [Config.Permutations]: a function of the seed, the run and n
// alone.
func Order(seed int64, run *filter.Sample, n int) []int {
	h := sha256.New()
	binary.Write(h, binary.BigEndian, []int64{seed, int64(n)}) //nolint:errcheck // a hash does not fail
	h.Write([]byte(run.Run.ID + "\x00" + run.Run.Seal))
	return rand.New(rand.NewChaCha8([32]byte(h.Sum(nil)))).Perm(len(run.Run.Task.Candidates))
}

// part hands each group to the side of its user; the sides write at the same
// time, since their rows come interleaved. An error of the groups or of a side
// ends all of them.
func part(ctx context.Context, splits filter.Splits, sides []*side, groups iter.Seq2[Group, error]) error {
	if len(sides) == 1 {
		return sides[0].write(ctx, groups)
	}
	type dealt struct {
		group Group
		err   error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(sides))
	hands := map[string]chan dealt{}
	var wg sync.WaitGroup
	for i, w := range sides {
		hand := make(chan dealt)
		hands[w.Split] = hand
		wg.Go(func() {
			errs[i] = w.write(ctx, func(yield func(Group, error) bool) {
				for d := range hand {
					if !yield(d.group, d.err) || d.err != nil {
						return
					}
				}
				if err := ctx.Err(); err != nil { // another side has ended all: this is not the end of the rows
					yield(Group{}, err)
				}
			})
			if errs[i] != nil {
				cancel()
			}
		})
	}
	var bad error
	deal := func(hand chan dealt, d dealt) {
		select {
		case hand <- d:
		case <-ctx.Done():
			bad = context.Cause(ctx)
		}
	}
	for g, err := range groups {
		if bad = err; bad == nil {
			deal(hands[splits.Of(g.Task)], dealt{group: g})
		}
		if bad != nil {
			break
		}
	}
	for _, w := range sides {
		if bad != nil {
			select { // a side that has ended hears nothing more
			case hands[w.Split] <- dealt{err: bad}:
			case <-ctx.Done():
			}
		}
		close(hands[w.Split])
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil && !errors.Is(err, context.Canceled) {
			return err // what made the others end
		}
	}
	return bad
}
