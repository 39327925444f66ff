package graph

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/mars-rec/mars/internal/atomicfile"
)

// Live is a graph on disk to which interactions are appended while it is asked.
//
//	Append ──> graph.bin.delta ──Compact──> graph.bin
//	   └─────> Graph: the next one        └> Graph: the same, folded
//
// It is safe for concurrent use. One process at a time appends to a snapshot;
// any number of others open it for reading.
type Live struct {
	path  string
	graph atomic.Pointer[Graph]

	mu      sync.Mutex // of all below
	lock    *os.File
	delta   *os.File // nil until the first append
	end     int64    // of what is whole in it
	retired []*Graph // whose files are still mapped
	broken  error    // after a failed write nothing is appended
}

// OpenLive opens a snapshot, with what was appended to it, for appending. It is
// an error if another process has done so.
func OpenLive(path string) (*Live, error) {
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, fmt.Errorf("open graph %s for appending: %w", path, err)
	}
	g, err := Open(path)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	l := &Live{path: path, lock: lock}
	l.graph.Store(g)
	return l, nil
}

// Graph returns the graph as it is now. It stays as it is, whatever is appended
// later, and may be used until Close.
func (l *Live) Graph() *Graph { return l.graph.Load() }

// Append adds interactions, all or none. When it returns they are on disk and
// Graph has them. Its work grows with all that was appended since the last
// Compact: append in batches. After a failed write every Append fails.
func (l *Live) Append(log []Interaction) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(log) == 0 {
		return nil
	}
	if err := l.append(log); err != nil {
		return fmt.Errorf("append to graph %s: %w", l.path, err)
	}
	return nil
}

func (l *Live) append(log []Interaction) error {
	if l.broken != nil {
		return l.broken
	}
	next, err := l.Graph().With(log)
	if err != nil {
		return err
	}
	batch, err := encodeBatch(log)
	if err != nil {
		return err
	}
	if l.delta == nil {
		if err := l.openDelta(); err != nil {
			return err
		}
	}
	if _, err := l.delta.WriteAt(batch, l.end); err != nil {
		l.broken = fmt.Errorf("an earlier write failed, open the graph again: %w", err)
		return err
	}
	if err := l.delta.Sync(); err != nil {
		l.broken = fmt.Errorf("an earlier write failed, open the graph again: %w", err)
		return err
	}
	l.end += int64(len(batch))
	l.graph.Store(next)
	return nil
}

// openDelta opens the delta, or makes one, and cuts off what is not whole.
func (l *Live) openDelta() error {
	_, whole, err := readDelta(l.path)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(deltaPath(l.path), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	if whole == 0 {
		if _, err := f.WriteAt(newDelta(), 0); err != nil {
			return errors.Join(err, f.Close())
		}
		whole = deltaHeader
	}
	if err := errors.Join(f.Truncate(int64(whole)), atomicfile.SyncDir(filepath.Dir(l.path))); err != nil {
		return errors.Join(err, f.Close())
	}
	l.delta, l.end = f, int64(whole)
	return nil
}

// Compact writes a snapshot with all that was appended and removes the delta.
// Queries go on meanwhile; an Append waits. Whoever opens the graph at any
// moment, even after a crash in the midst, finds all that was appended, once.
// The files of earlier snapshots stay mapped until Close.
func (l *Live) Compact(c BuildConfig) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.compact(c); err != nil {
		return fmt.Errorf("compact graph %s: %w", l.path, err)
	}
	return nil
}

func (l *Live) compact(c BuildConfig) error {
	g := l.Graph()
	folded, err := g.folded(c)
	if err != nil {
		return err
	}
	if folded != g {
		if err := folded.Save(l.path); err != nil {
			return err
		}
		fresh, err := openSnapshot(l.path)
		if err != nil {
			return err
		}
		l.retired = append(l.retired, g)
		l.graph.Store(fresh)
	}
	if l.delta != nil {
		if err := l.delta.Close(); err != nil {
			return err
		}
		l.delta = nil
	}
	if err := os.Remove(deltaPath(l.path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return atomicfile.SyncDir(filepath.Dir(l.path))
}

// Close releases the files. No graph of it, and no cut of one, may be used
// afterwards.
func (l *Live) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	errs := []error{l.Graph().Close(), l.lock.Close()}
	for _, g := range l.retired {
		errs = append(errs, g.Close())
	}
	if l.delta != nil {
		errs = append(errs, l.delta.Close())
	}
	return errors.Join(errs...)
}
