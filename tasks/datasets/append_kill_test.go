package datasets

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/tasks"
)

// TestKilledWriters kills a process at each step of an append and of a
// compaction: the data set is as it was, or it is done, and the same again does
// what was not.
func TestKilledWriters(t *testing.T) {
	const variable = "MARS_TEST_KILL_AT"
	ctx := context.Background()
	if at, dir, ok := strings.Cut(os.Getenv(variable), " "); ok {
		die := func(stage string, done, _ int64) {
			if fmt.Sprint(stage, done) == at {
				self, err := os.FindProcess(os.Getpid())
				if err == nil {
					err = self.Kill()
				}
				fmt.Println(err)
				select {} // until the signal is there
			}
		}
		if strings.HasSuffix(dir, "append") {
			_, _, err := Append(ctx, late().reader(), dir, dir, AppendConfig{Progress: die})
			fmt.Println(err)
		} else {
			_, _, err := Compact(ctx, dir, CompactConfig{Progress: die})
			fmt.Println(err)
		}
		t.Fatal("it was not killed")
	}
	steps := []string{"read1", "graph0", "catalog0", "sync0", "sync1", "sync2", "sync3", "sync4"}
	for _, work := range []string{"append", "compact"} {
		parent := t.TempDir()
		before, after := filepath.Join(parent, "before"), filepath.Join(parent, "after")
		importRows(t, some(), before, ImportConfig{Name: "set"})
		if work == "compact" {
			appendRows(t, late(), before)
		}
		do := func(dir string) {
			if work == "append" {
				if _, _, err := Append(ctx, late().reader(), dir, dir, AppendConfig{}); err != nil {
					t.Error(err)
				}
			} else if _, _, err := Compact(ctx, dir, CompactConfig{}); err != nil {
				t.Error(err)
			}
		}
		if err := os.CopyFS(after, os.DirFS(before)); err != nil {
			t.Fatal(err)
		}
		do(after)
		was, is := open(t, before).Manifest(), open(t, after).Manifest()
		files := readDir(t, after)
		for _, step := range steps {
			if work == "compact" && step == "read1" {
				continue
			}
			dir := filepath.Join(parent, step+work)
			if err := os.CopyFS(dir, os.DirFS(before)); err != nil {
				t.Fatal(err)
			}
			child := exec.Command(os.Args[0], "-test.run=^TestKilledWriters$")
			child.Env = append(os.Environ(), variable+"="+step+" "+dir)
			if out, err := child.CombinedOutput(); err == nil || !strings.Contains(err.Error(), "killed") {
				t.Fatalf("%s, %s: %v\n%s", work, step, err, out)
			}
			d := open(t, dir)
			want := was
			if step == "sync3" || step == "sync4" { // the manifest is there
				want = is
			}
			if !reflect.DeepEqual(d.Manifest(), want) {
				t.Errorf("%s killed at %s: the data set is not in the state %+v", work, step, want)
			}
			if err := d.Verify(ctx); err != nil {
				t.Errorf("%s killed at %s: %v", work, step, err)
			}
			do(dir)
			if again := readDir(t, dir); !maps.EqualFunc(files, again, bytes.Equal) {
				t.Errorf("%s killed at %s and done again: other files", work, step)
			}
		}
	}
}

// TestReadersWhileWriting opens the data set without end while it is appended
// to, compacted and imported anew: each time it is one of the states that were
// there, and what is open stays as it is.
func TestReadersWhileWriting(t *testing.T) {
	const batches, each = 9, 20
	dir := filepath.Join(t.TempDir(), "set")
	batch := func(b int) rows {
		r := rows{}
		for k := range each {
			id := fmt.Sprint("item", b, ".", k)
			r.items = append(r.items, tasks.Item{ID: id, Title: "word"})
			r.events = append(r.events, review{graph.Interaction{User: fmt.Sprint("u", b), Item: id, Time: int64(1000 + b)}, "text"})
		}
		return r
	}
	importRows(t, batch(0), dir, ImportConfig{})
	first := open(t, dir) // through all that follows
	done := make(chan struct{})
	check := func(d *Dataset) {
		n := d.Graph().Interactions()
		found := 0
		for _, err := range d.Catalog().Search(t.Context(), "word") {
			if err != nil {
				t.Error(err)
			}
			found++
		}
		if n%each != 0 || n != d.Manifest().Counts.Interactions || found != n {
			t.Errorf("%d interactions, %d items, the manifest tells of %d", n, found, d.Manifest().Counts.Interactions)
		}
		last := fmt.Sprint("u", n/each-1)
		reviews, err := d.Catalog().Reviews(t.Context(), tasks.ReviewQuery{User: last, Before: d.Graph().End()})
		if err != nil || len(reviews) != each {
			t.Errorf("%d reviews of %s, %v", len(reviews), last, err)
		}
	}
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				d, err := Open(dir)
				if err != nil {
					t.Error(err)
					return
				}
				check(d)
				if err := d.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for b := 1; b < batches; b++ {
		appendRows(t, batch(b), dir)
		switch b % 3 {
		case 0:
			importRows(t, batch(0), dir, ImportConfig{Replace: true})
			for again := 1; again <= b; again++ {
				appendRows(t, batch(again), dir)
			}
		case 1:
			compact(t, dir)
		}
	}
	close(done)
	readers.Wait()
	for range 30 { // more than the connections that it was opened with
		check(first)
	}
	if first.Graph().Interactions() != each {
		t.Error("an open data set changed")
	}
	if n := open(t, dir).Graph().Interactions(); n != batches*each {
		t.Errorf("%d interactions at the end, want %d", n, batches*each)
	}
}

// BenchmarkAppend appends a batch of interactions, new users and items among
// them, to a data set of 200,000 interactions.
func BenchmarkAppend(b *testing.B) {
	batch := func(n, from int) rows {
		r := rows{}
		for k := range n {
			at := from + k
			in := graph.Interaction{User: fmt.Sprint("u", at*at%10_007), Item: fmt.Sprint("i", at*7919%20_011), Time: int64(1_000_000 + at), Rating: float32(at%9+2) / 2}
			r.events = append(r.events, review{in, ""})
		}
		return r
	}
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			parent := b.TempDir()
			whole := filepath.Join(parent, "whole")
			importRows(b, batch(200_000, 0), whole, ImportConfig{Name: "set"})
			for k := 0; b.Loop(); k++ {
				b.StopTimer()
				dir := filepath.Join(parent, fmt.Sprint(k))
				if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				appendRows(b, batch(n, 300_000+k*n), dir)
				b.StopTimer()
				if err := os.RemoveAll(dir); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "interactions/s")
		})
	}
}
