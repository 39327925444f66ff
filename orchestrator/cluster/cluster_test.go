package cluster_test

import (
	"context"
	"fmt"
	"iter"
	"net"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/mars-rec/mars/agents/roles"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/builtin"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/orchestrator/cluster"
	"github.com/mars-rec/mars/orchestrator/ledger"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/taskstest"
	"github.com/mars-rec/mars/tools/catalog"
	"github.com/mars-rec/mars/tools/cf"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/store"
)

const lease = 400 * time.Millisecond

// serve runs a NATS server that keeps what it has in dir.
func serve(t testing.TB, dir string, port int) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, SyncAlways: true, NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server does not start")
	}
	t.Cleanup(func() { shutdown(s) })
	return s
}

func shutdown(s *server.Server) { s.Shutdown(); s.WaitForShutdown() }

func connect(t testing.TB, url string) *nats.Conn {
	t.Helper()
	nc, err := cluster.Connect(cluster.Access{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// till counts the calls that are paid for.
type till struct {
	mu   sync.Mutex
	paid map[string]int // by the digest of the request, seed included
	each func(n int)    // called at each call, may be nil
	n    int
}

func (p *till) wrap(m model.Model) model.Model {
	return model.Func(func(ctx context.Context, req model.Request) (model.Reply, error) {
		p.mu.Lock()
		if p.paid == nil {
			p.paid = map[string]int{}
		}
		p.paid[model.Digest("builtin", req)]++
		p.n++
		n, each := p.n, p.each
		p.mu.Unlock()
		if each != nil {
			each(n)
		}
		if err := ctx.Err(); err != nil {
			return model.Reply{}, err
		}
		return m.Generate(ctx, req)
	})
}

func (p *till) repaid() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, times := range p.paid {
		n += times - 1
	}
	return n
}

func config(p *till) orchestrator.Config {
	source, _ := taskstest.Library()
	return orchestrator.Config{
		Source: source,
		Tools:  slices.Concat(cf.Tools(cf.Config{}), catalog.Tools(catalog.Config{})),
		Model:  orchestrator.Model{Name: "builtin", Model: p.wrap(builtin.New(builtin.Config{}))},
		Cast:   roles.New(roles.Config{}).Cast,
		Seed:   7,
	}
}

func team(t testing.TB, p *till) *orchestrator.Orchestrator {
	t.Helper()
	o, err := orchestrator.New(config(p))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func list(n int) iter.Seq2[tasks.Task, error] {
	_, task := taskstest.Library()
	return func(yield func(tasks.Task, error) bool) {
		for i := range n {
			t := task
			t.ID = fmt.Sprintf("task %d.*", i)
			if !yield(t, nil) {
				return
			}
		}
	}
}

func open(t *testing.T, path string) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), path, store.Config{Manifest: &trajectories.Manifest{Team: "t"}})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// seals are those of a finished store, by run.
func seals(t *testing.T, path string) map[string]string {
	t.Helper()
	report, err := store.Verify(t.Context(), path)
	if err != nil || len(report.Findings) > 0 {
		t.Fatalf("verify: %v, %v", report.Findings, err)
	}
	st, err := store.Open(t.Context(), path, store.Config{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	out := map[string]string{}
	for tr, err := range st.Trajectories(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		out[tr.Run.ID] = trajectories.Seal(tr.Log)
	}
	return out
}

// alone are the seals of the same batch made in one process, and what it paid.
func alone(t *testing.T, n int) (map[string]string, int) {
	t.Helper()
	path, p := filepath.Join(t.TempDir(), "alone.db"), &till{}
	st := open(t, path)
	if _, err := team(t, p).Batch(t.Context(), list(n), ledger.New(st), orchestrator.BatchConfig{Concurrency: 2}); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	return seals(t, path), p.n
}

func equal(t *testing.T, got, want map[string]string) {
	t.Helper()
	for run, seal := range want {
		if got[run] != seal {
			t.Errorf("run %s has the seal %q, alone %q", run, got[run], seal)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d runs are done, want %d", len(got), len(want))
	}
}

// nothingLeft finds no goroutine at work for a coordinator or a worker.
func nothingLeft(t *testing.T) {
	t.Helper()
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for _, who := range []string{"cluster.(*coordinator)", "cluster.(*job)", "cluster.(*Worker)", "cluster.(*shift)", "cluster.(*remote)"} {
		if strings.Contains(string(stacks), who) {
			t.Errorf("a goroutine of %s is left:\n%s", who, stacks)
		}
	}
}

var manifest = []byte(`{"team":"t"}`)

// crew are workers that can be waited for.
type crew struct {
	wg     sync.WaitGroup
	mu     sync.Mutex
	totals orchestrator.Totals
}

func (c *crew) hire(t *testing.T, ctx context.Context, url string, p *till, atOnce int) {
	nc := connect(t, url)
	c.wg.Go(func() {
		w, err := cluster.Join(ctx, nc, "")
		if err != nil {
			t.Errorf("join: %v", err)
			return
		}
		totals, err := w.Work(ctx, team(t, p), cluster.WorkConfig{Concurrency: atOnce})
		if err != nil && ctx.Err() == nil {
			t.Errorf("work: %v", err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.totals.Done += totals.Done
	})
}

// TestTrouble makes a batch while something happens to the server or the queue,
// and then finds every run done once, with the seal that it has when it is made
// alone, and no call paid for twice.
func TestTrouble(t *testing.T) {
	const n = 12
	want, calls := alone(t, n)
	for name, trouble := range map[string]func(t *testing.T, s **server.Server, js jetstream.JetStream, dir string){
		"none": nil,
		"connections are cut": func(t *testing.T, s **server.Server, _ jetstream.JetStream, _ string) {
			conns, err := (*s).Connz(nil)
			if err != nil {
				t.Error(err)
				return
			}
			for _, c := range conns.Conns {
				_ = (*s).DisconnectClientByID(c.Cid) // it may have gone meanwhile
			}
		},
		"the server is restarted with its store": func(t *testing.T, s **server.Server, _ jetstream.JetStream, dir string) {
			port := (*s).Addr().(*net.TCPAddr).Port
			shutdown(*s)
			*s = serve(t, dir, port)
		},
		"the server is restarted without its store": func(t *testing.T, s **server.Server, _ jetstream.JetStream, _ string) {
			port := (*s).Addr().(*net.TCPAddr).Port
			shutdown(*s)
			*s = serve(t, t.TempDir(), port)
		},
		"the queue is wiped": func(t *testing.T, _ **server.Server, js jetstream.JetStream, _ string) {
			if err := js.DeleteStream(context.Background(), "MARS_mars"); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, path := t.TempDir(), filepath.Join(t.TempDir(), "run.db")
			s := serve(t, dir, server.RANDOM_PORT)
			url := s.ClientURL()
			nc := connect(t, url)
			js, err := jetstream.New(nc)
			if err != nil {
				t.Fatal(err)
			}
			var at sync.WaitGroup
			p := &till{}
			if trouble != nil {
				p.each = func(call int) {
					if call == calls/3 {
						at.Go(func() { trouble(t, &s, js, dir) })
					}
				}
			}
			var c crew
			c.hire(t, t.Context(), url, p, 2)
			c.hire(t, t.Context(), url, p, 2)
			st := open(t, path)
			totals, err := cluster.Coordinate(t.Context(), nc, list(n), ledger.New(st), orchestrator.BatchConfig{Concurrency: 6},
				cluster.Config{Manifest: manifest, Lease: lease})
			if err != nil || totals.Done != n || totals.Failed > 0 {
				t.Fatalf("%+v, %v", totals, err)
			}
			at.Wait()
			c.wg.Wait()
			if err := st.Close(); err != nil {
				t.Fatal(err)
			}
			nothingLeft(t)
			equal(t, seals(t, path), want)
			if p.repaid() > 0 || p.n != calls {
				t.Errorf("%d calls were paid for, %d of them again; alone %d", p.n, p.repaid(), calls)
			}
			if c.totals.Done > n { // fewer if the answer to the last end was lost
				t.Errorf("the workers know of %d runs done, want %d", c.totals.Done, n)
			}
		})
	}
}
