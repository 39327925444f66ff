package stored

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/klauspost/compress/zstd"

	"github.com/mars-rec/mars/internal/selfsum"
)

// applicationID is in the header of the file, so that it is known for what it is.
const applicationID = 0x4d415245 // "MARE"

// Verify checks a file of evidence: its header against the sum that it carries, all
// keys and results, in their order, against the hash in the header, and the file
// against SQLite's own rules. It returns what is wrong, in one line each, and
// whether the file is evidence at all: by its header, or, where that cannot be
// read, by its name. An error is the end of ctx.
func Verify(ctx context.Context, path string) (ok bool, wrong []string, err error) {
	db, err := sql.Open("sqlite", fileURI(path, "mode=ro", "immutable=1", "_pragma=query_only(1)"))
	if err != nil {
		return false, nil, fmt.Errorf("stored evidence: %w", err)
	}
	defer db.Close()
	named, _ := filepath.Match("evidence-*Z.db", filepath.Base(path)) // the pattern is a good one
	var id int
	if (db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id) != nil || id != applicationID) && !named {
		return false, nil, ctx.Err()
	}
	wrong = append(wrong, integrity(ctx, db)...)
	if err := whole(ctx, db); err != nil {
		wrong = append(wrong, err.Error())
	}
	if ctx.Err() != nil {
		return true, nil, ctx.Err()
	}
	return true, wrong, nil
}

// integrity is what SQLite finds.
func integrity(ctx context.Context, db *sql.DB) (wrong []string) {
	rows, err := db.QueryContext(ctx, "PRAGMA integrity_check")
	if err != nil {
		return []string{err.Error()}
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return append(wrong, err.Error())
		}
		if line != "ok" {
			wrong = append(wrong, line)
		}
	}
	if err := rows.Err(); err != nil {
		wrong = append(wrong, err.Error())
	}
	return wrong
}

// whole compares all that is stored with what the header says of it.
func whole(ctx context.Context, db *sql.DB) error {
	var header, dictionary []byte
	if err := db.QueryRowContext(ctx, `SELECT header, dictionary FROM about`).Scan(&header, &dictionary); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	if err := selfsum.Check(header); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	var h Header
	if err := json.Unmarshal(header, &h); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	if fmt.Sprintf("%x", sha256.Sum256(dictionary)) != h.Dictionary {
		return errors.New("the dictionary is not what was written")
	}
	values, err := zstd.NewReader(nil, zstd.WithDecoderDictRaw(dictionaryID, dictionary), zstd.WithDecoderMaxMemory(maxValue))
	if err != nil {
		return err
	}
	defer values.Close()
	rows, err := db.QueryContext(ctx, `SELECT keys.key, keys.body_id, bodies.body FROM keys JOIN bodies ON bodies.id = keys.body_id ORDER BY keys.rowid`)
	if err != nil {
		return err
	}
	defer rows.Close()
	content, last, value, raw := sha256.New(), int64(-1), []byte(nil), int64(0)
	for rows.Next() {
		var k, body sql.RawBytes
		var id int64
		if err := rows.Scan(&k, &id, &body); err != nil {
			return err
		}
		if id != last {
			if value, err = values.DecodeAll(body, value[:0]); err != nil {
				return fmt.Errorf("result %d: %w", id, err)
			}
			last = id
		}
		raw += int64(len(value))
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(value)))
		for _, part := range [][]byte{k, size[:], value} {
			content.Write(part) // a hash never fails
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if fmt.Sprintf("%x", content.Sum(nil)) != h.Content || raw != h.Raw {
		return errors.New("the stored results are not what was written")
	}
	return nil
}
