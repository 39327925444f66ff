// Package store keeps runs on disk: one SQLite file, written so that nothing
// that was acknowledged is lost in silence and nothing that was paid for is
// paid twice.
//
//	run.db        tasks, facts, logs, scores, and a journal of the commits
//	run.db-wal    what is committed and not yet moved into run.db
//	run.db.mark   the last acknowledged commit, outside of the database (two, in turn)
//	run.db.lock   held by the one process that writes
//
// # What is durable, and when
//
// A run consists of facts (what models and tools answered: it costs money or
// time to get them again) and of messages that follow from them. Facts are
// written behind: [Run.Append] hands them on, in the order in which they came,
// and one writer commits whatever there is: at once if somebody waits for any of
// it, otherwise after 20 ms; who waits for the end of a run also waits so long, if
// other runs are at work that may end with it. So the disk always holds a causally
// closed prefix of each run. The other messages are kept in memory and written
// when the run is sealed; a resumed run makes them again. A run is done when
// [Run.Seal] returns, and not before its commit and the mark are synced. After a
// crash, the calls in flight are repaid, and the facts since the last commit. With
// [Config.Step] each Append of a fact waits for its commit.
//
// After a write or a sync has gone wrong nothing can be known of the file, so
// the store then refuses everything with [ErrBroken].
//
// # What is checked
//
// SQLite does not notice a lost or truncated write-ahead log, a database that
// was copied without it, or most bit flips. So every row carries a hash: that of
// a fact covers the fact before it in its run, that of a run covers the hash of
// its log. Every commit is journaled with the state of each run and score that
// it touched, under a hash that covers the commit before it; and the mark names
// a commit that must be there. [Verify] checks all of it and the seals,
// [Store.Trajectory] checks what it reads.
//
// # Size
//
// While runs are at work their facts are rows, one for all that a commit has of
// them. When a run has ended, its whole log is one, compressed, and a row of facts
// goes when no run at work has any in it:
//
//	fact  -12  8 reply ..., 9 reply ..., 8 result ...
//	run   7  classic-42  done  ...  log: hash of its row
//	log   7  119,264 bytes  S2( 1 task user team ... | 1.1 brief ... | ... )
//	body  3  1,229 bytes    S2( {"role":"system","content":"You are ..."} )
//
// A body that is met in a second run (system prompts are, in every run) is
// stored once, and logs have its number. For queries in SQL, [Store.SQL] shows
// messages unpacked, and [Store.Unpack] writes them for other programs.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/mars-rec/mars/trajectories"
)

// Errors of a store that a caller may want to tell apart.
var (
	// ErrDone says that a run is done and cannot be begun again.
	ErrDone = errors.New("the run is done")
	// ErrLocked says that another process writes to the store.
	ErrLocked = errors.New("another process writes to this store")
	// ErrBroken says that an earlier write failed; open the store anew.
	ErrBroken = errors.New("an earlier write to the store failed")
	// ErrLost says that acknowledged commits are not in the store.
	ErrLost = errors.New("acknowledged commits are missing")
	// ErrDamaged says that what is stored is not what was written.
	ErrDamaged = errors.New("the store is damaged")
	// ErrNoRun says that the store has no run of an id.
	ErrNoRun = errors.New("the store has no run")
	// ErrManifest says that a store holds runs made with something else.
	ErrManifest = errors.New("the store holds runs that were made otherwise")
)

var errReadOnly = errors.New("the store is open for reading only")

// Config says how a store is opened. The zero value opens one that exists, for
// writing, whatever its manifest.
type Config struct {
	// ReadOnly opens the store for reading; any number of processes may do
	// so, also while another one writes.
	ReadOnly bool
	// Manifest, if not nil, says what the runs to be written are made with.
	// Where there is no store it is made; one that was made with another
	// manifest is refused with [ErrManifest].
	Manifest *trajectories.Manifest
	// Step makes each Append of a fact wait until it is durable.
	Step bool

	failpoint func(point string) error // of tests
}

// Store is an open run store. It is safe for concurrent use.
type Store struct {
	path     string
	source   string // the driver's name for the file
	manifest trajectories.Manifest
	cfg      Config
	zip      zip
	readers  *sql.DB
	library  *library
	lock     *lock    // nil when opened for reading
	writer   *writer  // nil when opened for reading
	sharing  *sharing // nil when opened for reading

	closing sync.Once
	closed  error // what Close returns

	mu    sync.Mutex
	live  map[string]*Run // begun in this process and not ended
	next  int64           // the number of the next new run
	ahead ahead           // runs that will be begun soon
	room  room
}

// Open opens the store at path. Errors: fs.ErrNotExist where there is none and
// no manifest to make one with, [ErrLocked], [ErrManifest], [ErrLost].
func Open(ctx context.Context, path string, cfg Config) (*Store, error) {
	s, err := open(ctx, path, cfg)
	if err != nil {
		return nil, fmt.Errorf("run store %s: %w", path, err)
	}
	return s, nil
}

func open(ctx context.Context, path string, cfg Config) (_ *Store, err error) {
	if path, err = resolve(path); err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil && (cfg.ReadOnly || cfg.Manifest == nil || !errors.Is(err, os.ErrNotExist)) {
		return nil, err
	}
	if err := recognise(path); err != nil { // before anything is made beside it
		return nil, err
	}
	s := &Store{path: path, cfg: cfg, live: map[string]*Run{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.release())
		}
	}()
	if !cfg.ReadOnly {
		if s.lock, err = acquire(ctx, path+".lock"); err != nil {
			return nil, err
		}
		if s.writer, err = openWriter(ctx, path, cfg); err != nil {
			return nil, err
		}
	}
	if s.zip, err = newZip(); err != nil {
		return nil, err
	}
	if s.readers, s.source, err = openReaders(ctx, path); err != nil {
		return nil, err
	}
	s.library = newLibrary(s.readers, s.zip)
	if err = checkSchema(ctx, s.readers); err != nil {
		return nil, err
	}
	if s.manifest, err = readManifest(ctx, s.readers); err != nil {
		return nil, err
	}
	if cfg.Manifest != nil {
		if d := s.manifest.Differences(*cfg.Manifest); len(d) > 0 {
			return nil, fmt.Errorf("%w: %s", ErrManifest, strings.Join(d, "; "))
		}
	}
	if s.writer != nil {
		if err = s.readers.QueryRowContext(ctx, `SELECT coalesce(max(number), 0) + 1 FROM run`).Scan(&s.next); err != nil {
			return nil, err
		}
		s.sharing, err = newSharing(ctx, s.library, func(ctx context.Context, row bodyRow) error {
			return s.writer.put(ctx, write{body: &row})
		})
		if err != nil {
			return nil, err
		}
		s.writer.start()
	}
	return s, nil
}

// resolve returns the absolute path of the file itself: the lock and the mark
// belong to it, whatever it is called.
func resolve(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real, nil
	}
	return path, nil // there is none yet
}

// Path returns where the store is, as an absolute path.
func (s *Store) Path() string { return s.path }

// Manifest returns what the runs of the store were made with.
func (s *Store) Manifest() trajectories.Manifest { return s.manifest }

// Close writes what is queued, moves the write-ahead log into the database and
// releases the store. It returns the error that broke the store, if any. A
// second call does nothing; whatever else is called then fails.
func (s *Store) Close() error {
	s.closing.Do(func() {
		var err error
		if s.writer != nil {
			err = s.writer.stop()
		}
		if e := s.release(); err == nil {
			err = e
		}
		if err != nil {
			s.closed = fmt.Errorf("run store %s: %w", s.path, err)
		}
	})
	return s.closed
}

// release closes what is open, the writer last: it moves the log.
func (s *Store) release() error {
	var errs []error
	if s.readers != nil {
		errs = append(errs, s.readers.Close())
	}
	if s.writer != nil {
		errs = append(errs, s.writer.close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.release())
	}
	s.zip.close()
	return errors.Join(errs...)
}

// openReaders opens connections that cannot write, and returns what the driver
// calls the file.
func openReaders(ctx context.Context, path string) (db *sql.DB, source string, err error) {
	source = dsn(path, "mode=ro", "_pragma=busy_timeout(10000)")
	if db, err = sql.Open("sqlite", source+"&_pragma=query_only(1)"); err != nil {
		return nil, "", err
	}
	db.SetMaxOpenConns(max(4, runtime.GOMAXPROCS(0)))
	if _, err := db.ExecContext(ctx, `SELECT count(*) FROM sqlite_schema`); err != nil {
		if wal, missing := os.Stat(path + "-wal"); !errors.Is(missing, os.ErrNotExist) && (missing != nil || wal.Size() > 0) {
			return nil, "", errors.Join(err, db.Close())
		}
		// A store that was closed can be read from a medium that cannot be
		// written, where SQLite could not even make its shared memory.
		db.Close()
		source = dsn(path, "mode=ro", "immutable=1")
		if db, err = sql.Open("sqlite", source); err != nil {
			return nil, "", err
		}
	}
	if err := checkVersion(ctx, db); err != nil {
		return nil, "", errors.Join(err, db.Close())
	}
	return db, source, nil
}

// dsn is the driver's name for a file, with options.
func dsn(path string, options ...string) string {
	slashed := filepath.ToSlash(path)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed // C:/... is written file:///C:/...
	}
	u := url.URL{Scheme: "file", Path: slashed, RawQuery: strings.Join(options, "&")}
	return u.String()
}

// oldest is the first release of SQLite whose write-ahead log is known to be
// free of the defect in resetting it.
var oldest = [3]int{3, 51, 3}

func checkVersion(ctx context.Context, db *sql.DB) error {
	var text string
	if err := db.QueryRowContext(ctx, `SELECT sqlite_version()`).Scan(&text); err != nil {
		return err
	}
	var have [3]int
	for i, part := range strings.SplitN(text, ".", 3) {
		have[i], _ = strconv.Atoi(part)
	}
	if slices.Compare(have[:], oldest[:]) < 0 {
		return fmt.Errorf("SQLite %s is too old: want %d.%d.%d or later", text, oldest[0], oldest[1], oldest[2])
	}
	return nil
}
