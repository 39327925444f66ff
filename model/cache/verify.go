package cache

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"

	"github.com/mars-rec/mars/model"
)

// Verify checks a file of replies against SQLite's own rules and each reply
// against its hash, and changes nothing. It returns what is wrong, in one line
// each, and whether the file is a cache at all. An error says that it could not be
// looked at.
func Verify(ctx context.Context, path string) (ok bool, wrong []string, err error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return false, nil, fmt.Errorf("cache %s: %w", path, err)
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(abs), RawQuery: "mode=ro&_pragma=busy_timeout(10000)&_pragma=query_only(1)"}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return false, nil, fmt.Errorf("cache %s: %w", path, err)
	}
	defer db.Close()
	var id int
	if db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id) != nil || id != applicationID {
		return false, nil, ctx.Err()
	}
	wrong, err = integrity(ctx, db)
	if err == nil {
		var more []string
		more, err = replies(ctx, db)
		wrong = append(wrong, more...)
	}
	if ctx.Err() != nil {
		return true, nil, ctx.Err()
	}
	if err != nil { // of a file that cannot be read
		wrong = append(wrong, err.Error())
	}
	return true, wrong, nil
}

// integrity is what SQLite finds.
func integrity(ctx context.Context, db *sql.DB) (wrong []string, err error) {
	rows, err := db.QueryContext(ctx, "PRAGMA integrity_check")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return wrong, err
		}
		if line != "ok" {
			wrong = append(wrong, line)
		}
	}
	return wrong, rows.Err()
}

// replies checks each reply, and the sum of their sizes.
func replies(ctx context.Context, db *sql.DB) (wrong []string, err error) {
	rows, err := db.QueryContext(ctx, "SELECT key, body, hash, size FROM reply ORDER BY key")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	total, changed := int64(0), 0
	for rows.Next() {
		var k, hash []byte
		var body string
		var size int64
		if err := rows.Scan(&k, &body, &hash, &size); err != nil {
			return wrong, err
		}
		total += size
		var r struct{ Message model.Message }
		sum := Key{}
		if len(k) == len(sum) {
			sum = hashOf(Key(k), []byte(body))
		}
		if string(hash) != string(sum[:]) || size != int64(len(body)) || json.Unmarshal([]byte(body), &r) != nil {
			changed++
		}
	}
	if changed > 0 {
		wrong = append(wrong, fmt.Sprintf("%d replies have changed: each is dropped when it is looked up", changed))
	}
	var told int64
	if err := errors.Join(rows.Err(), db.QueryRowContext(ctx, "SELECT size FROM total").Scan(&told)); err != nil {
		return wrong, err
	}
	if told != total {
		wrong = append(wrong, fmt.Sprintf("the replies have %d bytes, %d are told", total, told))
	}
	return wrong, nil
}
