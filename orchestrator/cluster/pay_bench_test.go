package cluster_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/mars-rec/mars/agents"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/budget"
	"github.com/mars-rec/mars/model/modeltest"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/orchestrator/cluster"
	"github.com/mars-rec/mars/tasks"
)

// loop is a run that makes calls of a model, so many at once.
type loop struct {
	model  model.Model
	b      *testing.B
	atOnce int
}

func (l loop) RunAs(ctx context.Context, run string, _ tasks.Task, _ message.Log, _ agents.Record) (orchestrator.Result, error) {
	req := model.Request{Run: run, Path: "1.2.3", Caller: "ranker", Messages: []model.Message{{Content: "which one?"}}, Sampling: model.Sampling{MaxTokens: 100}}
	l.b.ResetTimer()
	var wg sync.WaitGroup
	for n := range l.atOnce {
		wg.Go(func() {
			for range (l.b.N + n) / l.atOnce {
				if _, err := l.model.Generate(ctx, req); err != nil {
					l.b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	l.b.StopTimer()
	return orchestrator.Result{Ranking: []string{"a"}}, nil
}

// BenchmarkReserve is what a call of a model costs more because it is reserved at a
// coordinator over NATS and settled there, both in this process, with the account
// in a file.
func BenchmarkReserve(b *testing.B) {
	for name, atOnce := range map[string]int{"one at a time": 1, "16 at once": 16} {
		b.Run(name, func(b *testing.B) {
			s := serve(b, b.TempDir(), server.RANDOM_PORT)
			j, err := budget.OpenJournal(filepath.Join(b.TempDir(), "account"), budget.Prices{})
			if err != nil {
				b.Fatal(err)
			}
			account, err := budget.New(budget.Config{Tokens: 1 << 60, Journal: j})
			if err != nil {
				b.Fatal(err)
			}
			said := modeltest.Say("yes")
			said.Usage = &message.Usage{InputTokens: 10, OutputTokens: 10}
			far := model.Func(func(context.Context, model.Request) (model.Reply, error) { return said, nil })
			var wg sync.WaitGroup
			nc := connect(b, s.ClientURL())
			wg.Go(func() {
				w, err := cluster.Join(b.Context(), nc, "")
				if err == nil {
					_, err = w.Work(b.Context(), loop{w.Reserve("m", w.Start(far)), b, atOnce}, cluster.WorkConfig{})
				}
				if err != nil {
					b.Error(err)
				}
			})
			if _, err := cluster.Coordinate(b.Context(), connect(b, s.ClientURL()), list(1), newDiary(), orchestrator.BatchConfig{},
				cluster.Config{Manifest: manifest, Budget: account}); err != nil {
				b.Fatal(err)
			}
			wg.Wait()
			if err := j.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
