package cluster_test

import (
	"bytes"
	"crypto/rand"
	"path/filepath"
	"sync"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/mars-rec/mars/model/cache"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/orchestrator/cluster"
	"github.com/mars-rec/mars/orchestrator/ledger"
)

// TestRepliesOfAllWorkers makes a batch again and again, each time with another
// worker and another ledger: what one worker has paid for none pays for again, also
// if the server is restarted; what was changed on the server is asked for anew and
// heals; and what the server has lost is paid for anew.
func TestRepliesOfAllWorkers(t *testing.T) {
	const n = 3
	want, calls := alone(t, n)
	dir := t.TempDir()
	l := &lane{t: t, dir: dir, s: serve(t, dir, server.RANDOM_PORT)}
	for i, c := range []struct {
		name    string
		happens func()
		paid    int
	}{
		{"the first batch", func() {}, calls},
		{"another worker", func() {}, 0},
		{"the server was restarted", func() { l.restart(dir) }, 0},
		{"a reply was changed", func() { spoil(t, l.s) }, 1},
		{"and is whole again", func() {}, 0},
		{"the server has lost them", func() { l.restart(t.TempDir()) }, calls},
	} {
		c.happens()
		p, path := &till{}, filepath.Join(t.TempDir(), "run.db")
		st := open(t, path)
		var crew sync.WaitGroup
		nc := connect(t, l.s.ClientURL())
		crew.Go(func() {
			w, err := cluster.Join(t.Context(), nc, "")
			if err != nil {
				t.Error(err)
				return
			}
			shelf, err := w.Replies(t.Context())
			if err != nil || shelf == nil {
				t.Errorf("%s: no shelf: %v", c.name, err)
				return
			}
			cfg := config(p)
			cfg.Model.Model = cache.New(shelf, cache.Config{OnFailure: func(err error) { t.Error(err) }}).Wrap("builtin", cfg.Model.Model)
			o, err := orchestrator.New(cfg)
			if err == nil {
				_, err = w.Work(t.Context(), o, cluster.WorkConfig{Concurrency: 2})
			}
			if err != nil {
				t.Error(err)
			}
		})
		totals, err := cluster.Coordinate(t.Context(), connect(t, l.s.ClientURL()), list(n), ledger.New(st), orchestrator.BatchConfig{Concurrency: 2},
			cluster.Config{Manifest: manifest, Lease: lease, Replies: 1 << 20})
		if err != nil || totals.Done != n {
			t.Fatalf("%s: %+v, %v", c.name, totals, err)
		}
		crew.Wait()
		nc.Close()
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
		equal(t, seals(t, path), want)
		if p.n != c.paid {
			t.Errorf("batch %d, %s: %d calls were paid for, want %d", i, c.name, p.n, c.paid)
		}
	}
}

// spoil changes a reply that the server keeps.
func spoil(t *testing.T, s *server.Server) {
	t.Helper()
	js, err := jetstream.New(connect(t, s.ClientURL()))
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "MARS-REPLIES_mars")
	if err != nil {
		t.Fatal(err)
	}
	m, err := stream.GetMsg(t.Context(), stream.CachedInfo().State.FirstSeq)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), m.Subject, bytes.Replace(m.Data, []byte(`"`), []byte(`'`), 1)); err != nil {
		t.Fatal(err)
	}
}

// TestRepliesAreBounded: the server keeps no more bytes than it was told, the newest
// ones; what is larger than it carries is not kept, and no error.
func TestRepliesAreBounded(t *testing.T) {
	const room = 100_000
	s := serve(t, t.TempDir(), server.RANDOM_PORT)
	nc := connect(t, s.ClientURL())
	var crew sync.WaitGroup
	crew.Go(func() {
		w, err := cluster.Join(t.Context(), nc, "")
		if err != nil {
			t.Error(err)
			return
		}
		shelf, err := w.Replies(t.Context())
		if err != nil {
			t.Error(err)
			return
		}
		text := make([]byte, 10_000)
		for i := range 50 {
			_, _ = rand.Read(text) // it never fails
			if err := shelf.Put(t.Context(), [32]byte{byte(i)}, text); err != nil {
				t.Error(err)
			}
		}
		if err := shelf.Put(t.Context(), [32]byte{100}, make([]byte, 2<<20)); err != nil {
			t.Error(err)
		}
		for _, c := range []struct {
			key  byte
			size int
		}{{49, len(text)}, {0, 0}, {100, 0}} {
			if got, err := shelf.Get(t.Context(), [32]byte{c.key}); err != nil || len(got) != c.size {
				t.Errorf("reply %d has %d bytes, want %d: %v", c.key, len(got), c.size, err)
			}
		}
		if _, err := w.Work(t.Context(), caller{}, cluster.WorkConfig{}); err != nil {
			t.Error(err)
		}
	})
	if _, err := cluster.Coordinate(t.Context(), connect(t, s.ClientURL()), list(1), newDiary(), orchestrator.BatchConfig{},
		cluster.Config{Manifest: manifest, Replies: room}); err != nil {
		t.Fatal(err)
	}
	crew.Wait()
	js, err := jetstream.New(connect(t, s.ClientURL()))
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "MARS-REPLIES_mars")
	if err != nil {
		t.Fatal(err)
	}
	if state := stream.CachedInfo().State; state.Bytes > room || state.Msgs < 5 {
		t.Errorf("%d bytes in %d messages are kept, want %d at most", state.Bytes, state.Msgs, room)
	}
}
