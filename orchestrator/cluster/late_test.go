package cluster_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/budget"
	"github.com/mars-rec/mars/model/modeltest"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/orchestrator/cluster"
)

// TestLateSettlementIsCredited: a worker falls silent in a call of a model for
// longer than its lease, and comes back. Its call has counted in full until then,
// and counts with what it came to from then on, whether the worker still has the
// run or another has done it meanwhile.
func TestLateSettlementIsCredited(t *testing.T) {
	for name, taken := range map[string]bool{"the run is still its own": false, "another has done the run": true} {
		t.Run(name, func(t *testing.T) {
			ctx, stop := context.WithTimeout(t.Context(), time.Minute)
			defer stop()
			s := serve(t, t.TempDir(), server.RANDOM_PORT)
			j, err := budget.OpenJournal(filepath.Join(t.TempDir(), "account"), budget.Prices{})
			if err != nil {
				t.Fatal(err)
			}
			b, err := budget.New(budget.Config{Tokens: 1_000_000, Journal: j})
			if err != nil {
				t.Fatal(err)
			}
			unknown := func(n int) bool { // waits until of so many calls nobody has told what they came to
				for ctx.Err() == nil && b.Statement().Total.Unknown != n {
					pause(ctx, 5*time.Millisecond)
				}
				return ctx.Err() == nil
			}
			asking, answer, lost := make(chan string, 1), make(chan struct{}), make(chan struct{})
			var mu sync.Mutex
			billed, first := int64(0), ""
			far := model.Func(func(ctx context.Context, req model.Request) (model.Reply, error) {
				reply := modeltest.Say("yes")
				reply.Usage = &message.Usage{InputTokens: 20, OutputTokens: 3}
				mu.Lock()
				billed += 23
				alone := first == ""
				if alone {
					first = req.Run
				}
				other := req.Run != first
				mu.Unlock()
				switch {
				case alone: // its worker is about to fall silent
					asking <- req.Run
					<-answer
				case other: // the batch is not to end before
					<-lost
					if !unknown(0) {
						return model.Reply{}, errors.New("the call of the lost worker is not credited")
					}
				}
				return reply, nil
			})
			v := &valve{}
			book := newDiary()
			var crew sync.WaitGroup
			work := func(concurrency int, options ...nats.Option) {
				nc, err := nats.Connect(s.ClientURL(), options...)
				if err != nil {
					t.Fatal(err)
				}
				crew.Go(func() {
					defer nc.Close()
					w, err := cluster.Join(ctx, nc, "")
					if err == nil {
						_, err = w.Work(ctx, caller{w.Reserve("m", w.Start(far)), 1}, cluster.WorkConfig{Concurrency: concurrency})
					}
					if err != nil {
						t.Error(err)
					}
				})
			}
			runs := 1
			if taken {
				runs = 2 // the other one keeps the batch from ending
			}
			work(1, nats.SetCustomDialer(v))
			crew.Go(func() {
				run := <-asking
				v.open.Lock()
				if taken {
					work(2)
				}
				unknown(1)
				close(lost)
				for taken && ctx.Err() == nil && !book.done(run) {
					pause(ctx, 5*time.Millisecond)
				}
				close(answer)
				v.open.Unlock()
			})
			totals, err := cluster.Coordinate(ctx, connect(t, s.ClientURL()), list(runs), book, orchestrator.BatchConfig{Concurrency: 2},
				cluster.Config{Manifest: manifest, Lease: lease, Budget: b})
			if err != nil || totals.Done != runs {
				t.Errorf("%+v, %v", totals, err)
			}
			crew.Wait()
			if err := j.Close(); err != nil {
				t.Error(err)
			}
			if got := b.Statement().Total; got.Tokens() != billed || got.Unknown != 0 {
				t.Errorf("%d tokens are billed, the account tells of %+v", billed, got)
			}
		})
	}
	nothingLeft(t)
}

// done reports whether a run has its result.
func (d *diary) done(run string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sealed[run] > 0
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
