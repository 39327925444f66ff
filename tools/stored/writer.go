package stored

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"

	"github.com/mars-rec/mars/internal/atomicfile"
	"github.com/mars-rec/mars/internal/selfsum"
	"github.com/mars-rec/mars/message"
)

// schema of the file. Keys and bodies are appended in the order of the calls;
// the index is made at the end, from sorted runs instead of inserts at random
// places. Neighbouring calls that came to the same share a body. Two tasks of
// one user and one list of candidates have one key, and one answer.
const schema = `
CREATE TABLE about (header BLOB NOT NULL, dictionary BLOB NOT NULL);
CREATE TABLE keys (key BLOB NOT NULL, body_id INTEGER NOT NULL);
CREATE TABLE bodies (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
`

const index = `CREATE INDEX by_key ON keys (key, body_id)`

// writer writes a file of evidence beside its place.
type writer struct {
	dir, partial string
	header       Header
	dictionary   []byte
	values       *zstd.Encoder
	db           *sql.DB
	tx           *sql.Tx
	putKey, put  *sql.Stmt
	bodies       int64
	last         []byte
	content      hash.Hash
	done         bool
}

func newWriter(ctx context.Context, dir string, header Header, dictionary []byte) (_ *writer, err error) {
	w := &writer{dir: dir, header: header, dictionary: dictionary, content: sha256.New()}
	if w.values, err = zstd.NewWriter(nil, zstd.WithEncoderDictRaw(dictionaryID, dictionary), zstd.WithEncoderLevel(zstd.SpeedBetterCompression),
		zstd.WithEncoderCRC(true), zstd.WithEncoderConcurrency(1)); err != nil {
		return nil, fmt.Errorf("stored evidence: %w", err)
	}
	// What an earlier run left when it was killed.
	left, err := filepath.Glob(filepath.Join(dir, Name(header.AsOf)+".*.partial"))
	if err != nil {
		return nil, fmt.Errorf("stored evidence: %w", err)
	}
	for _, path := range left {
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("stored evidence: %w", err)
		}
	}
	f, err := os.CreateTemp(dir, Name(header.AsOf)+".*.partial")
	if err != nil {
		return nil, fmt.Errorf("stored evidence: %w", err)
	}
	w.partial = f.Name()
	if err := f.Close(); err != nil {
		return nil, errors.Join(fmt.Errorf("stored evidence: %w", err), os.Remove(w.partial))
	}
	if err := w.begin(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("stored evidence: %w", err), w.abandon())
	}
	return w, nil
}

func (w *writer) begin(ctx context.Context) (err error) {
	// The file is worth nothing until it is renamed: nothing is paid for safety
	// before.
	if w.db, err = sql.Open("sqlite", fileURI(w.partial, "_pragma=journal_mode(OFF)", "_pragma=synchronous(OFF)",
		"_pragma=locking_mode(EXCLUSIVE)", "_pragma=page_size(4096)", "_pragma=cache_size(-16384)")); err != nil {
		return err
	}
	w.db.SetMaxOpenConns(1)
	if _, err := w.db.ExecContext(ctx, schema+fmt.Sprintf("PRAGMA application_id = %d;", applicationID)); err != nil {
		return err
	}
	// The transaction outlives the context, so that a cancelled run is told as
	// that and not as a statement that was closed under it.
	if w.tx, err = w.db.BeginTx(context.WithoutCancel(ctx), nil); err != nil {
		return err
	}
	if w.putKey, err = w.tx.PrepareContext(ctx, `INSERT INTO keys (key, body_id) VALUES (?, ?)`); err != nil {
		return err
	}
	w.put, err = w.tx.PrepareContext(ctx, `INSERT INTO bodies (id, body) VALUES (?, ?)`)
	return err
}

// add writes a result.
func (w *writer) add(r result) error {
	if w.bodies == 0 || !bytes.Equal(w.last, r.value) {
		w.bodies++
		w.last = r.value
		if _, err := w.put.Exec(w.bodies, w.values.EncodeAll(r.value, nil)); err != nil {
			return fmt.Errorf("stored evidence: %w", err)
		}
	}
	if _, err := w.putKey.Exec(r.key[:], w.bodies); err != nil {
		return fmt.Errorf("stored evidence: %w", err)
	}
	w.header.Calls[r.tool]++
	w.header.Raw += int64(len(r.value))
	var size [8]byte
	binary.BigEndian.PutUint64(size[:], uint64(len(r.value)))
	for _, part := range [][]byte{r.key[:], size[:], r.value} {
		w.content.Write(part) // a hash never fails
	}
	return nil
}

// finish makes the file what [Open] opens and moves it to its place.
func (w *writer) finish(ctx context.Context) (Header, error) {
	w.header.Content = fmt.Sprintf("%x", w.content.Sum(nil))
	w.header.Dictionary = fmt.Sprintf("%x", sha256.Sum256(w.dictionary))
	header, err := message.Marshal(w.header)
	if err != nil {
		return Header{}, fmt.Errorf("stored evidence: %w", err)
	}
	header = selfsum.Fill(header)
	if err := json.Unmarshal(header, &w.header); err != nil {
		return Header{}, fmt.Errorf("stored evidence: %w", err)
	}
	if _, err := w.tx.ExecContext(ctx, index); err != nil {
		return Header{}, fmt.Errorf("stored evidence: index: %w", err)
	}
	if _, err := w.tx.ExecContext(ctx, `INSERT INTO about VALUES (?, ?)`, header, w.dictionary); err != nil {
		return Header{}, fmt.Errorf("stored evidence: %w", err)
	}
	if err := w.tx.Commit(); err != nil {
		return Header{}, fmt.Errorf("stored evidence: %w", err)
	}
	if err := w.db.Close(); err != nil {
		return Header{}, fmt.Errorf("stored evidence: %w", err)
	}
	if err := errors.Join(os.Chmod(w.partial, 0o644), syncFile(w.partial)); err != nil {
		return Header{}, fmt.Errorf("stored evidence: %w", err)
	}
	if err := os.Rename(w.partial, filepath.Join(w.dir, Name(w.header.AsOf))); err != nil {
		return Header{}, fmt.Errorf("stored evidence: %w", err)
	}
	w.done = true
	if err := atomicfile.SyncDir(w.dir); err != nil {
		return Header{}, fmt.Errorf("stored evidence: %w", err)
	}
	return w.header, nil
}

// abandon removes what was written; after finish it does nothing.
func (w *writer) abandon() error {
	if w.done {
		return nil
	}
	w.done = true
	if w.tx != nil {
		_ = w.tx.Rollback() // with the journal off the file is undefined, and removed
	}
	if w.db != nil {
		_ = w.db.Close()
	}
	return os.Remove(w.partial)
}

// syncFile waits until a file, or a directory's names, are on the disk.
func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
