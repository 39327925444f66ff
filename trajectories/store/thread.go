package store

import "sync"

// thread is the facts of a run on their way to the disk. The run adds to it, and
// the writer, once it is told that there are some, takes what there is: those
// whose run has ended by then are never written down on their own.
type thread struct {
	run int64  // its number
	id  string // its id

	mu    sync.Mutex
	facts []stored // that the writer has not taken, in their order
	bytes int      // of their bodies
	told  bool     // the writer knows that there are some

	// Of the writer alone.
	chain []byte // hash of the last fact that it has taken
	ends  bool   // the commit in the making has the run's log
}

// add adds facts. It reports whether the writer is to be told.
func (t *thread) add(facts ...stored) (tell bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.facts = append(t.facts, facts...)
	for _, m := range facts {
		t.bytes += len(m.Body)
	}
	tell = !t.told
	t.told = true
	return tell
}

// untold says that the writer could not be told.
func (t *thread) untold() {
	t.mu.Lock()
	t.told = false
	t.mu.Unlock()
}

// take returns what the writer has not taken before. Room is what it gets for
// what comes.
func (t *thread) take(room []stored) (facts []stored) {
	t.mu.Lock()
	defer t.mu.Unlock()
	facts, t.facts, t.bytes, t.told = t.facts, room[:0], 0, false
	return facts
}

// size is how many facts wait, and the bytes of their bodies.
func (t *thread) size() (facts, bytes int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.facts), t.bytes
}
