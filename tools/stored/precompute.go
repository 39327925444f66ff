package stored

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tools"
)

// Config of [Precompute]. The zero value works.
type Config struct {
	Workers int // batches at work at once; 0: as many as there are processors
	// Rewrite, if not nil, writes the sentences of a result anew, and Rewriter
	// names who does.
	Rewrite  func(context.Context, json.RawMessage) (json.RawMessage, error)
	Rewriter string
	Progress func(calls int) // hears of each batch that is written
}

// chunk is the number of batches that are computed before they are written, so
// that memory is bounded and the file is the same on every run.
const chunk = 64

// Precompute makes all calls of the groups, in parallel, and writes what they
// come to as dir/[Name]: beside it first, then moved there in one step, so that
// the file is whole or not there. A call that the tool refuses is not stored.
// The memory it takes is that of the results of a few hundred batches.
func Precompute(ctx context.Context, dir string, id Identity, named []tools.Named, source tasks.Source, cfg Config, groups ...Group) (_ Header, err error) {
	if !id.AsOf.Equal(id.AsOf.Truncate(time.Second)) {
		return Header{}, fmt.Errorf("precompute: moment %s is not of a whole second", id.AsOf.Format(time.RFC3339Nano))
	}
	id.AsOf = id.AsOf.UTC()
	if cfg.Workers <= 0 {
		cfg.Workers = runtime.GOMAXPROCS(0)
	}
	p := &precomputer{id, named, source, cfg}
	dictionary, probes, err := p.sample(ctx, groups)
	if err != nil {
		return Header{}, err
	}
	w, err := newWriter(ctx, dir, Header{Version: Version, Identity: id, Rewritten: cfg.Rewriter, Calls: map[string]int{}, Probes: probes}, dictionary)
	if err != nil {
		return Header{}, err
	}
	defer func() { err = errors.Join(err, w.abandon()) }()
	for _, g := range groups {
		if err := p.group(ctx, w, g); err != nil {
			return Header{}, err
		}
	}
	return w.finish(ctx)
}

type precomputer struct {
	id     Identity
	named  []tools.Named
	source tasks.Source
	cfg    Config
}

// result is a call with what it came to.
type result struct {
	tool  string
	args  json.RawMessage
	key   key
	value json.RawMessage
}

// group computes and writes the calls of a group, in their order.
func (p *precomputer) group(ctx context.Context, w *writer, g Group) error {
	batches := make([]Batch, 0, chunk)
	flush := func() error {
		results := make([][]result, len(batches))
		work, ctx := errgroup.WithContext(ctx)
		work.SetLimit(p.cfg.Workers)
		for i, b := range batches {
			work.Go(func() (err error) {
				results[i], err = p.batch(ctx, b)
				return err
			})
		}
		if err := work.Wait(); err != nil {
			return err
		}
		for i, b := range batches {
			for _, r := range results[i] {
				if err := w.add(r); err != nil {
					return err
				}
			}
			if p.cfg.Progress != nil {
				p.cfg.Progress(len(b.Calls))
			}
		}
		batches = batches[:0]
		return nil
	}
	for b := range g.Batches {
		if batches = append(batches, b); len(batches) == chunk {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// batch makes the calls of a batch.
func (p *precomputer) batch(ctx context.Context, b Batch) ([]result, error) {
	if !b.Task.AsOf.Equal(p.id.AsOf) {
		return nil, fmt.Errorf("precompute: batch %s is of %s, not of %s", b.Task.ID, b.Task.AsOf.Format(time.RFC3339), p.id.AsOf.Format(time.RFC3339))
	}
	view, err := p.source.View(b.Task)
	if err != nil {
		return nil, fmt.Errorf("precompute: %w", err)
	}
	set, err := tools.Open(view, p.named...)
	if err != nil {
		return nil, fmt.Errorf("precompute: %w", err)
	}
	results := make([]result, 0, len(b.Calls))
	for _, c := range b.Calls {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		tool, ok := set.Find(c.Tool)
		if !ok {
			return nil, fmt.Errorf("precompute: there is no tool %s", c.Tool)
		}
		r, err := p.call(ctx, tool, b.Task, c)
		if refused := (*tools.InputError)(nil); errors.As(err, &refused) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("precompute: %s %s for %s: %w", c.Tool, c.Args, b.Task.ID, err)
		}
		results = append(results, r)
	}
	return results, nil
}

func (p *precomputer) call(ctx context.Context, tool tools.Tool, task tasks.Task, c Call) (result, error) {
	one, ok := tool.(tools.Canonical)
	if !ok {
		return result{}, errors.New("the tool cannot write its arguments in one form")
	}
	args, err := one.Canonical(c.Args)
	if err != nil {
		return result{}, err
	}
	value, err := tool.Call(ctx, c.Args)
	if err == nil && p.cfg.Rewrite != nil {
		value, err = p.cfg.Rewrite(ctx, value)
	}
	if err == nil && len(value) > maxValue {
		err = fmt.Errorf("the result has %d bytes: at most %d are stored", len(value), maxValue)
	}
	return result{c.Tool, c.Args, p.id.key(c.Tool, args, subject{task.User, task.Candidates}), value}, err
}

// sample makes the first few calls of each group. It returns what results are
// compressed against, and the probes: a call of each tool, as the tool answers
// it.
func (p *precomputer) sample(ctx context.Context, groups []Group) (dictionary []byte, probes []Probe, err error) {
	const each = 24 << 10
	plain := &precomputer{p.id, p.named, p.source, Config{}}
	for _, g := range groups {
		var some []byte
		probed := map[string]bool{}
		for b := range g.Batches {
			b.Calls = b.Calls[:min(8, len(b.Calls))]
			results, err := plain.batch(ctx, b)
			if err != nil {
				return nil, nil, err
			}
			for _, r := range results {
				some = append(some, r.value...)
				if !probed[r.tool] {
					probed[r.tool] = true
					probes = append(probes, Probe{b.Task, r.tool, r.args, fmt.Sprintf("%x", sha256.Sum256(r.value))})
				}
			}
			if len(some) >= each {
				break
			}
		}
		dictionary = append(dictionary, some[:min(each, len(some))]...)
	}
	if len(dictionary) < 8 { // the least that the format takes
		dictionary = []byte(`{"evidence":[]}`)
	}
	return dictionary, probes, nil
}
