package main

import (
	"os"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/mars-rec/mars/trajectories/store"
)

// mostTimes is how much larger than the compressed messages of its runs a run
// store may be.
const mostTimes = 1.5

// TestStoreIsCompact compares the file of a store, as synth leaves it, with what
// the bodies of its runs take, each compressed alone by the same codec and
// counted once: once in its run, and once in the store. MARS_MEASURE_STORE names
// another store than one of a small generated world.
func TestStoreIsCompact(t *testing.T) {
	path := os.Getenv("MARS_MEASURE_STORE")
	if path == "" {
		smallWorld(t, "60")
		mars(t, "synth", "--data", "data", "--tasks", "tasks.jsonl", "--out", "run.db", "--concurrency", "16")
		path = "run.db"
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(t.Context(), path, store.Config{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	codec, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	runs, plain, ofRuns, ofStore := 0, 0, 0, 0
	inStore := map[string]int{} // what each body takes
	for tr, err := range st.Trajectories(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		runs++
		inRun := map[string]bool{}
		for _, e := range tr.Log {
			plain += len(e.Body)
			body := string(e.Body)
			if inRun[body] {
				continue
			}
			inRun[body] = true
			size, known := inStore[body]
			if !known {
				size = len(codec.EncodeAll(e.Body, nil))
				inStore[body] = size
				ofStore += size
			}
			ofRuns += size
		}
	}
	if runs == 0 {
		t.Fatal("no run is done")
	}
	per := func(n int) int { return n / runs }
	t.Logf("%d runs: on disk %d bytes each; bodies %d, compressed %d once in their run and %d once in the store: %.2f and %.2f times",
		runs, per(int(info.Size())), per(plain), per(ofRuns), per(ofStore), float64(info.Size())/float64(ofRuns), float64(info.Size())/float64(ofStore))
	if float64(info.Size()) > mostTimes*float64(ofStore) {
		t.Errorf("the store has %d bytes, its distinct bodies compressed %d: want at most %v times", info.Size(), ofStore, mostTimes)
	}
}
