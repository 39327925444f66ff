package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mars-rec/mars/trajectories"
)

const (
	applicationID = 0x4d415253 // "MARS", in the header of the file
	schemaVersion = 3
)

// tables are what the program works with. What belongs to a run refers to it by
// its number. Of runs at work the facts are in fact, one row a commit, see
// [appendFact]; a run that has ended has its whole log in log, one row. Both hold
// messages as [appendMessage] writes them.
var tables = []string{`
CREATE TABLE meta (
	key   TEXT PRIMARY KEY,
	value TEXT NOT NULL
) STRICT, WITHOUT ROWID`, `
CREATE TABLE run (
	number        INTEGER PRIMARY KEY,
	id            TEXT NOT NULL UNIQUE,
	task          TEXT NOT NULL,
	status        TEXT NOT NULL,
	attempts      INTEGER NOT NULL,
	cause         TEXT NOT NULL,
	ranking       TEXT NOT NULL,
	seal          TEXT NOT NULL,
	messages      INTEGER NOT NULL,
	calls         INTEGER NOT NULL,
	tools         INTEGER NOT NULL,
	input_tokens  INTEGER NOT NULL,
	output_tokens INTEGER NOT NULL,
	cached_tokens INTEGER NOT NULL,
	models        TEXT NOT NULL,
	log           TEXT NOT NULL,
	hash          TEXT NOT NULL
) STRICT`, `
CREATE TABLE fact (
	place   INTEGER PRIMARY KEY,
	message BLOB NOT NULL,
	hash    BLOB NOT NULL
) STRICT`, `
CREATE TABLE log (
	run    INTEGER PRIMARY KEY,
	size   INTEGER NOT NULL,
	packed BLOB NOT NULL
) STRICT`, `
CREATE TABLE body (
	number INTEGER PRIMARY KEY,
	size   INTEGER NOT NULL,
	packed BLOB NOT NULL,
	hash   BLOB NOT NULL
) STRICT`, `
CREATE TABLE score (
	run     INTEGER NOT NULL,
	scorer  TEXT NOT NULL,
	version TEXT NOT NULL,
	value   REAL NOT NULL,
	parts   TEXT NOT NULL,
	note    TEXT NOT NULL,
	hash    TEXT NOT NULL,
	PRIMARY KEY (run, scorer, version)
) STRICT`, `
CREATE TABLE journal (
	number INTEGER PRIMARY KEY,
	events TEXT NOT NULL,
	head   TEXT NOT NULL
) STRICT`,
}

// views are those that a store offers to any program that reads SQLite, in the
// order in which they are made. [OpenSQL] adds messages and calls.
var views = []string{runsView, itemsView, scoresView}

const runsView = `
CREATE VIEW runs AS SELECT
	id AS run,
	json_extract(task, '$.dataset') AS dataset,
	json_extract(task, '$.user') AS user,
	json_extract(task, '$.scenario') AS scenario,
	json_extract(task, '$.as_of') AS as_of,
	json_extract(task, '$.candidates') AS candidates,
	status, attempts, cause, ranking,
	json_extract(ranking, '$[0]') AS top_item,
	messages, calls, tools, input_tokens, output_tokens, cached_tokens, models, seal
FROM run`

const itemsView = `
CREATE VIEW items AS SELECT
	run.id AS run,
	item.key + 1 AS rank,
	item.value AS item
FROM run, json_each(run.ranking) AS item`

const scoresView = `
CREATE VIEW scores AS SELECT
	run.id AS run, scorer, version, value, parts, note
FROM score JOIN run ON run.number = score.run`

// statements is the whole schema, in the order in which it is made.
func statements() []string { return slices.Concat(tables, views) }

// errEarlier refuses the first format, which had a row for every message.
var errEarlier = errors.New("the store has format 1, of an earlier mars: nothing in it is lost, use that one, or run the tasks again into a new store")

// checkSchema reports whether the file is a run store of this version.
func checkSchema(ctx context.Context, db querier) error {
	var app, version int
	if err := db.QueryRowContext(ctx, `PRAGMA application_id`).Scan(&app); err != nil {
		return err
	}
	if err := db.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version); err != nil {
		return err
	}
	switch {
	case app != applicationID:
		return fmt.Errorf("%w: it is another kind of SQLite database", ErrNotAStore)
	case version > schemaVersion:
		return fmt.Errorf("the store has format %d, this program knows %d: use a newer mars", version, schemaVersion)
	case version == 1:
		return errEarlier
	case version < 1:
		return fmt.Errorf("the store has format %d, which this program does not know", version)
	}
	return nil
}

// upgrade makes a store one of this version. What one of format 2 has is read as it
// is; but a program that knows no other does not find all facts that are written now.
func upgrade(ctx context.Context, conn *sql.Conn) error {
	var version int
	if err := conn.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version); err != nil || version == schemaVersion {
		return err
	}
	_, err := conn.ExecContext(ctx, fmt.Sprintf(`PRAGMA user_version = %d`, schemaVersion))
	return err
}

// compareSchema returns what of the schema is not as this program makes it.
func compareSchema(ctx context.Context, db querier) ([]string, error) {
	want := map[string]bool{}
	for _, s := range statements() {
		want[strings.TrimSpace(s)] = true
	}
	rows, err := db.QueryContext(ctx, `SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var name, text string
		if err := rows.Scan(&name, &text); err != nil {
			return nil, err
		}
		if !want[text] {
			out = append(out, fmt.Sprintf("the definition of %q is not as it was made", name))
		}
		delete(want, text)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for _, s := range statements() { // in their order, not that of the map
		if s = strings.TrimSpace(s); want[s] {
			first, _, _ := strings.Cut(s, " AS SELECT")
			first, _, _ = strings.Cut(first, " (")
			out = append(out, fmt.Sprintf("%q is missing", strings.TrimPrefix(first, "CREATE ")))
		}
	}
	return out, nil
}

func readManifest(ctx context.Context, db querier) (trajectories.Manifest, error) {
	var m trajectories.Manifest
	var text string
	err := db.QueryRowContext(ctx, `SELECT value FROM meta WHERE key = 'manifest'`).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return m, fmt.Errorf("%w: it has no manifest", ErrDamaged)
	}
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return m, fmt.Errorf("%w: manifest: %w", ErrDamaged, err)
	}
	return m, nil
}
