package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/rawjson"
)

// What one commit takes at most.
const (
	maxRows  = 1024
	maxBytes = 8 << 20
)

// linger is how long a commit waits for more of what is not urgent. Of facts that
// nobody waits for a crash repays so much more, where a call to a model takes
// seconds; and commits are fewer, by what they cost in processor time.
const linger = 20 * time.Millisecond

// write is a piece of work for the writer. It is committed as a whole.
type write struct {
	thread   *thread  // of the run that what follows belongs to, with its facts
	reopened int64    // the number of a run that had ended: its log is dropped
	log      *logRow  // the run has ended: it takes the place of its facts
	runs     []runRow // made or rewritten
	body     *bodyRow // that logs behind it share
	scores   []scoreRow
	scored   []string // the ids of the runs of scores
	// done receives the outcome; nil: nobody waits. What somebody waits for
	// is acknowledged, so the mark is renewed first.
	done chan error
	// patient: who waits would as soon have company, if other runs are at work
	// that may end.
	patient bool
}

func (w write) urgent() bool { return w.done != nil && !w.patient }

func (w write) size() (rows, bytes int) {
	if w.thread != nil {
		rows, bytes = w.thread.size()
	}
	rows += len(w.runs) + len(w.scores)
	if w.log != nil {
		rows, bytes = rows+1, bytes+len(w.log.packed)
	}
	for _, r := range w.runs {
		bytes += len(r.task) + len(r.ranking) + 256
	}
	return rows, bytes
}

// writer is the one that writes. Work is queued in order and committed in
// order, as much at once as is waiting, so many share a sync. Work that somebody
// waits for is never held back; what nobody waits for, as facts that are written
// behind, is taken along by the next such commit, or makes one of its own after
// [linger].
type writer struct {
	db    *sql.DB
	conn  *sql.Conn
	path  string
	fail  func(string) error
	queue chan write
	ended chan struct{} // closed when the goroutine has ended
	// working is how many runs are at work, and have not said that they have ended.
	working atomic.Int64

	mu     sync.RWMutex // held for reading while something is put into the queue
	closed bool

	broken chan struct{} // closed once cause is set
	cause  error

	// Of the goroutine alone.
	number int64 // of the last commit
	head   string
	marks  *marks // nil until there is one
	held   held

	prepared map[string]*sql.Stmt
	batch    []write // room for what is committed together
	late     *time.Timer
	facts    []byte   // the row of facts of this commit
	text     []byte   // room for one of them
	room     []stored // for those of a run
	meta     *rawjson.Writer
	events   []event // room for those of a transaction, and where they are
	at       map[event]int
}

// openWriter opens the store for writing, makes it if there is none, and
// checks that nothing acknowledged is missing.
func openWriter(ctx context.Context, path string, cfg Config) (_ *writer, err error) {
	w := &writer{path: path, fail: cfg.failpoint, queue: make(chan write, maxRows), ended: make(chan struct{}),
		broken: make(chan struct{}), prepared: map[string]*sql.Stmt{}, late: time.NewTimer(linger), meta: rawjson.NewWriter(nil), at: map[event]int{}}
	if w.fail == nil {
		w.fail = func(string) error { return nil }
	}
	if w.db, err = sql.Open("sqlite", dsn(path, "_pragma=busy_timeout(10000)")); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if err = checkVersion(ctx, w.db); err != nil {
		return nil, err
	}
	if w.conn, err = w.db.Conn(ctx); err != nil {
		return nil, err
	}
	var objects, app int
	if err = w.conn.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema`).Scan(&objects); err != nil {
		return nil, err
	}
	if err = w.conn.QueryRowContext(ctx, `PRAGMA application_id`).Scan(&app); err != nil {
		return nil, err
	}
	isNew := objects == 0 && app == 0
	if isNew && cfg.Manifest == nil {
		return nil, errors.New("the store is empty")
	}
	if isNew {
		_, err = w.conn.ExecContext(ctx, `PRAGMA page_size = 4096`)
	} else {
		err = checkSchema(ctx, w.conn) // before anything of it is changed
	}
	if err != nil {
		return nil, err
	}
	if err = w.settings(ctx); err != nil {
		return nil, err
	}
	if isNew {
		if m, err := readMark(path + ".mark"); err == nil {
			return nil, fmt.Errorf("%w: the store is new, but %s.mark names commit %d as acknowledged; remove it if the old store is not needed", ErrLost, path, m.Commit)
		}
		if err = w.create(ctx, *cfg.Manifest); err != nil {
			return nil, err
		}
	}
	if err = checkMark(ctx, w.conn, path+".mark"); err != nil {
		return nil, fmt.Errorf("%w; `mars verify` tells what is missing", err)
	}
	if err = upgrade(ctx, w.conn); err != nil {
		return nil, err
	}
	err = w.conn.QueryRowContext(ctx, `SELECT number, head FROM journal ORDER BY number DESC LIMIT 1`).Scan(&w.number, &w.head)
	if err != nil {
		return nil, fmt.Errorf("%w: journal: %w", ErrDamaged, err)
	}
	if w.held, err = readHeld(ctx, w.conn); err != nil {
		return nil, err
	}
	w.marks, err = createMarks(path+".mark", w.number, w.head)
	return w, err
}

// settings makes the connection durable, and reads back that it is.
func (w *writer) settings(ctx context.Context) error {
	for _, p := range []struct{ name, set, want string }{
		{"journal_mode", "WAL", "wal"},
		{"synchronous", "FULL", "2"},
		{"wal_autocheckpoint", "1000", "1000"},
		{"foreign_keys", "OFF", "0"},
	} {
		if _, err := w.conn.ExecContext(ctx, "PRAGMA "+p.name+" = "+p.set); err != nil {
			return fmt.Errorf("pragma %s: %w", p.name, err)
		}
		var got string
		if err := w.conn.QueryRowContext(ctx, "PRAGMA "+p.name).Scan(&got); err != nil {
			return fmt.Errorf("pragma %s: %w", p.name, err)
		}
		if got != p.want {
			return fmt.Errorf("SQLite has set %s to %s, not %s: is the file on a local disk?", p.name, got, p.set)
		}
	}
	return nil
}

// create makes the tables, with the manifest, as commit 1.
func (w *writer) create(ctx context.Context, manifest any) error {
	value, err := message.Marshal(manifest)
	if err != nil {
		return err
	}
	events, err := message.Marshal([]event{{State: metaState(string(value))}})
	if err != nil {
		return err
	}
	tx, err := w.conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	all := append(statements(),
		fmt.Sprintf("PRAGMA application_id = %d", applicationID), fmt.Sprintf("PRAGMA user_version = %d", schemaVersion))
	for _, s := range all {
		if _, err := tx.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO meta VALUES ('manifest', ?)`, string(value)); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO journal VALUES (1, ?, ?)`, string(events), head("", 1, string(events))); err != nil {
		return err
	}
	return tx.Commit()
}

// metaState is the hash of the store's meta data.
func metaState(manifest string) string { return short(digest("meta/1", "manifest", manifest)) }

// start starts the goroutine that writes; stop ends it.
func (w *writer) start() { go w.loop() }

// put queues a piece of work. While the queue is full it waits.
func (w *writer) put(ctx context.Context, work write) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return errors.New("the store is closed")
	}
	if err := w.failure(); err != nil {
		return err
	}
	select {
	case w.queue <- work:
		return nil
	case <-w.broken:
		return w.cause
	case <-ctx.Done():
		return ctx.Err()
	}
}

// failure is what the writer has failed of; nil: it has not.
func (w *writer) failure() error {
	select {
	case <-w.broken:
		return w.cause
	default:
		return nil
	}
}

// wait waits for the outcome of a piece of work. When ctx ends first, the work
// may still be committed.
func wait(ctx context.Context, done <-chan error) error {
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stop lets the goroutine finish what is queued, renews the mark and moves the
// write-ahead log into the database.
func (w *writer) stop() error {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.queue)
	}
	w.mu.Unlock()
	<-w.ended
	if w.cause != nil {
		return w.cause
	}
	if err := w.mark(); err != nil {
		return err
	}
	var busy, log, moved int
	// Busy means that another process reads: the log stays, and is complete.
	return w.conn.QueryRowContext(context.Background(), `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &log, &moved)
}

// close releases the database.
func (w *writer) close() error {
	var errs []error
	for _, stmt := range w.prepared {
		errs = append(errs, stmt.Close())
	}
	if w.conn != nil {
		errs = append(errs, w.conn.Close())
	}
	if w.marks != nil {
		errs = append(errs, w.marks.close())
	}
	return errors.Join(append(errs, w.db.Close())...)
}

func (w *writer) loop() {
	defer close(w.ended)
	for first := range w.queue {
		w.finish(w.gather(first))
	}
}

// gather takes what is to be committed together: what is queued and, for as long
// as none of it is urgent, what comes within a moment.
func (w *writer) gather(first write) []write {
	batch := append(w.batch[:0], first)
	defer func() { w.batch = batch }()
	rows, bytes := first.size()
	urgent, awaited := first.urgent(), first.done != nil
	w.late.Reset(linger)
	for rows < maxRows && bytes < maxBytes {
		var next write
		ok := true
		select {
		case next, ok = <-w.queue:
		default:
			if urgent || awaited && w.working.Load() == 0 {
				return batch
			}
			select {
			case next, ok = <-w.queue:
			case <-w.late.C:
				return batch
			}
		}
		if !ok {
			return batch
		}
		batch = append(batch, next)
		r, b := next.size()
		rows, bytes, urgent, awaited = rows+r, bytes+b, urgent || next.urgent(), awaited || next.done != nil
	}
	return batch
}

// finish commits a batch and tells those who wait.
func (w *writer) finish(batch []write) {
	if w.cause == nil {
		err := w.commit(batch)
		if err == nil && slices.ContainsFunc(batch, func(work write) bool { return work.done != nil }) {
			err = w.mark()
		}
		if err != nil {
			w.cause = fmt.Errorf("%w: %w", ErrBroken, err)
			close(w.broken)
		}
	}
	for _, work := range batch {
		if work.done != nil {
			work.done <- w.cause
		}
	}
	clear(batch)
}

// mark renews the mark if it is behind.
func (w *writer) mark() error {
	if w.marks.commit == w.number {
		return nil
	}
	if err := w.fail("mark"); err != nil {
		return err
	}
	return w.marks.renew(w.number, w.head, w.fail)
}
