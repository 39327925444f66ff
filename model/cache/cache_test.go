package cache_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/cache"
	"github.com/mars-rec/mars/model/modeltest"
)

// counting answers with a text that names the call, and counts its calls.
func counting(calls *atomic.Int64) model.Model {
	return model.Func(func(context.Context, model.Request) (model.Reply, error) {
		reply := modeltest.Say(fmt.Sprint("answer ", calls.Add(1)))
		reply.Usage = &message.Usage{InputTokens: 10, OutputTokens: 2, CachedTokens: 1}
		return reply, nil
	})
}

func open(t *testing.T, path string, cfg cache.Config) *cache.Cache {
	t.Helper()
	cfg.OnFailure = func(err error) { t.Error(err) }
	c, err := cache.Open(t.Context(), path, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func ask(content string) model.Request {
	return model.Request{Messages: []model.Message{{Role: model.User, Content: content}}}
}

func TestCacheAnswersAcrossRuns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "replies.db")
	var calls atomic.Int64
	seven := int64(7)
	seeded := ask("a")
	seeded.Sampling.Seed = &seven
	sample := ask("a")
	sample.Sample = 1
	for run := range 2 {
		c := open(t, path, cache.Config{})
		for i, asked := range []struct {
			name string
			req  model.Request
		}{{"m", ask("a")}, {"m", ask("b")}, {"other", ask("a")}, {"m", seeded}, {"m", sample}} {
			reply, err := c.Wrap(asked.name, counting(&calls)).Generate(t.Context(), asked.req)
			want := fmt.Sprint("answer ", i+1)
			if err != nil || reply.Message.Content != want || reply.Cached != (run == 1) || reply.Usage == nil || reply.Usage.InputTokens != 10 {
				t.Errorf("run %d, request %d: %+v, %v, want %q", run, i, reply, err, want)
			}
		}
		n := c.Counts()
		if run == 0 && (n.Misses != 5 || n.Kept != 5 || n.Hits != 0) || run == 1 && (n.Hits != 5 || n.Misses != 0 || n.Saved.InputTokens != 50) {
			t.Errorf("run %d: %+v", run, n)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if calls.Load() != 5 {
		t.Errorf("%d calls were paid, want 5", calls.Load())
	}
}

// TestCacheAsksOnce: of equal requests at once one is paid.
func TestCacheAsksOnce(t *testing.T) {
	var calls atomic.Int64
	c := open(t, filepath.Join(t.TempDir(), "c.db"), cache.Config{})
	m := c.Wrap("m", counting(&calls))
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			if _, err := m.Generate(t.Context(), ask(fmt.Sprint(i%4))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if calls.Load() != 4 {
		t.Errorf("%d calls for 4 requests", calls.Load())
	}
}

func TestCacheKeepsWholeRepliesOnly(t *testing.T) {
	cut := modeltest.Say("and so")
	cut.Finish = "length"
	for name, far := range map[string]model.Model{
		"cut":    model.Func(func(context.Context, model.Request) (model.Reply, error) { return cut, nil }),
		"empty":  model.Func(func(context.Context, model.Request) (model.Reply, error) { return modeltest.Say(""), nil }),
		"failed": model.Func(func(context.Context, model.Request) (model.Reply, error) { return model.Reply{}, errors.New("no") }),
	} {
		c := open(t, filepath.Join(t.TempDir(), "c.db"), cache.Config{})
		for range 2 {
			if reply, _ := c.Wrap("m", far).Generate(t.Context(), ask("x")); reply.Cached {
				t.Errorf("%s: kept", name)
			}
		}
		if n := c.Counts(); n.Misses != 2 || n.Kept != 0 {
			t.Errorf("%s: %+v", name, n)
		}
	}
}

// TestCacheIsBounded: what was used longest ago goes first.
func TestCacheIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.db")
	c := open(t, path, cache.Config{Limit: 10_000})
	far := model.Func(func(_ context.Context, req model.Request) (model.Reply, error) {
		return modeltest.Say(req.Messages[0].Content + strings.Repeat(".", 900)), nil
	})
	m := c.Wrap("m", far)
	for i := range 100 {
		if _, err := m.Generate(t.Context(), ask(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	var size, rows, sum int
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow("SELECT (SELECT size FROM total), count(*), sum(size) FROM reply").Scan(&size, &rows, &sum); err != nil {
		t.Fatal(err)
	}
	if size != sum || size > 10_000 || rows < 9 {
		t.Errorf("%d replies, %d bytes, and %d are told", rows, sum, size)
	}
	for i, want := range map[int]bool{0: false, 99: true} {
		if reply, _ := m.Generate(t.Context(), ask(fmt.Sprint(i))); reply.Cached != want {
			t.Errorf("reply %d is cached: %v", i, reply.Cached)
		}
	}
}

func TestCacheDropsWhatHasChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.db")
	var calls atomic.Int64
	c := open(t, path, cache.Config{})
	m := c.Wrap("m", counting(&calls))
	_, _ = m.Generate(t.Context(), ask("x"))
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("UPDATE reply SET body = replace(body, 'answer', 'forged')"); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"answer 2", "answer 2"} {
		reply, err := m.Generate(t.Context(), ask("x"))
		if err != nil || reply.Message.Content != want || reply.Cached != (i == 1) {
			t.Errorf("%+v, %v", reply, err)
		}
	}
	if n := c.Counts(); n.Damaged != 1 {
		t.Errorf("%+v", n)
	}
}

func TestCacheRefusesOtherFiles(t *testing.T) {
	dir := t.TempDir()
	text, other := filepath.Join(dir, "text"), filepath.Join(dir, "other.db")
	if err := os.WriteFile(text, []byte(strings.Repeat("no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", other)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("CREATE TABLE x (y)"); err != nil {
		t.Fatal(err)
	}
	_ = db.Close()
	for _, path := range []string{text, other, filepath.Join(dir, "no", "such", "folder")} {
		if c, err := cache.Open(t.Context(), path, cache.Config{}); err == nil {
			_ = c.Close()
			t.Errorf("%s was opened", path)
		}
	}
}

func TestCacheIsAModel(t *testing.T) {
	modeltest.Run(t, func(t *testing.T, far model.Model) model.Model {
		return open(t, filepath.Join(t.TempDir(), "c.db"), cache.Config{}).Wrap("m", far)
	}, modeltest.Lacks{})
}
