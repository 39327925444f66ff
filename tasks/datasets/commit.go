package datasets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/internal/atomicfile"
)

// ErrBusy says that another process is writing a data set.
var ErrBusy = errors.New("another process is importing it anew, appending to it or compacting it")

// writer is a data set that is being changed: locked, open as it was, and with a
// folder of its own for what is not done:
//
//	data/ml/ ── .changing/   being written; cleared by the next who holds the lock
//	         ── manifest.json, and the files that it names
type writer struct {
	data *Dataset
	lock *os.File
}

// workFolder is where files are until they are whole.
const workFolder = ".changing"

// openWriter locks a data set and opens it. What a process that was killed has
// left there is removed.
func openWriter(dir string) (_ *writer, err error) {
	if _, err := readManifest(dir); err != nil {
		return nil, err
	}
	lock, err := lockDir(dir)
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("data set %s: %w", dir, err)
	}
	if err != nil {
		return nil, fmt.Errorf("data set %s: %w: %w", dir, ErrBusy, err)
	}
	w := &writer{lock: lock}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.Close())
		}
	}()
	if w.data, err = Open(dir); err != nil {
		return nil, err
	}
	err = errors.Join(os.RemoveAll(w.path("")), w.sweep(w.data.manifest))
	if err == nil {
		err = os.Mkdir(w.path(""), 0o755)
	}
	if err != nil {
		return nil, errors.Join(err, w.data.Close())
	}
	return w, nil
}

// path returns the path of a file that is not done.
func (w *writer) path(name string) string { return filepath.Join(w.data.dir, workFolder, name) }

// Close removes what is not done and releases the data set.
func (w *writer) Close() error {
	return errors.Join(os.RemoveAll(w.path("")), w.data.Close(), w.lock.Close())
}

// store forces the delta to the disk: the catalog, which is in the folder, and
// the log. The number is that of the append.
func (w *writer) store(ctx context.Context, number int, log []graph.Interaction) (*Delta, error) {
	f, err := os.Create(w.path(graphFile))
	if err != nil {
		return nil, err
	}
	if err := errors.Join(graph.WriteDelta(f, log), f.Close()); err != nil {
		return nil, err
	}
	var d Delta
	if d.Graph, err = store(ctx, w.path(graphFile)); err != nil {
		return nil, err
	}
	if d.Catalog, err = store(ctx, w.path(catalogFile)); err != nil {
		return nil, err
	}
	d.Graph.File, d.Catalog.File = fmt.Sprintf("delta-%d.bin", number), fmt.Sprintf("delta-%d.db", number)
	return &d, nil
}

// commit moves the two files, graph and catalog, to the names that the manifest
// gives them, and then makes it the manifest. It is done or it is not at the
// moment of the last step.
func (w *writer) commit(ctx context.Context, m Manifest, tell func(stage string, done, total int64)) error {
	const steps = 4
	graph, catalog := m.Graph.path(w.data.dir, graphFile), m.Catalog.path(w.data.dir, catalogFile)
	if m.Delta != nil {
		graph, catalog = m.Delta.Graph.path(w.data.dir, ""), m.Delta.Catalog.path(w.data.dir, "")
	}
	b, err := m.encode()
	if err != nil {
		return err
	}
	tell(StageSync, 0, steps)
	if err := ctx.Err(); err != nil { // the last moment at which it can be given up
		return err
	}
	if err := os.Rename(w.path(graphFile), graph); err != nil {
		return err
	}
	tell(StageSync, 1, steps)
	if err := os.Rename(w.path(catalogFile), catalog); err != nil {
		return err
	}
	if err := atomicfile.SyncDir(w.data.dir); err != nil {
		return err
	}
	tell(StageSync, 2, steps)
	err = atomicfile.Write(filepath.Join(w.data.dir, manifestFile), func(f io.Writer) error { _, err := f.Write(b); return err })
	if err != nil {
		return err
	}
	tell(StageSync, 3, steps)
	err = w.sweep(m)
	tell(StageSync, steps, steps)
	return err
}

// sweep removes the files that a manifest does not name: those before it, and
// those of a process that was killed. A reader who has one open keeps it; one
// who was about to open it finds another manifest. A file that cannot be removed
// now is removed by the next.
func (w *writer) sweep(m Manifest) error {
	entries, err := os.ReadDir(w.data.dir)
	if err != nil {
		return err
	}
	ours := regexp.MustCompile(`^(graph\.bin|catalog\.db|((delta|graph)-\d+\.bin)|((delta|catalog)-\d+\.db)|\.manifest\.json\.\d+)$`)
	named := map[string]bool{}
	for _, path := range m.paths("") {
		named[path] = true
	}
	for _, e := range entries {
		if !ours.MatchString(e.Name()) || named[e.Name()] {
			continue
		}
		err := os.Remove(filepath.Join(w.data.dir, e.Name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}

// paths returns where the files lie that the manifest names.
func (m Manifest) paths(dir string) []string {
	all := []string{m.Graph.path(dir, graphFile), m.Catalog.path(dir, catalogFile)}
	if m.Delta != nil {
		all = append(all, m.Delta.Graph.path(dir, ""), m.Delta.Catalog.path(dir, ""))
	}
	return all
}
