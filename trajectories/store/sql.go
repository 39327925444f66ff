package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"

	"modernc.org/sqlite"
)

// The columns of messages, in their order.
const messagesColumns = `(
	run TEXT, id TEXT, kind TEXT, sender TEXT, recipient TEXT, body TEXT, refs TEXT, fact INTEGER,
	time TEXT, seconds REAL, model TEXT, input_tokens INTEGER, output_tokens INTEGER,
	attempts INTEGER, cached INTEGER, seq INTEGER
)`

const callsView = `
CREATE TEMP VIEW calls AS SELECT
	result.run AS run,
	result.id AS id,
	result.sender AS agent,
	json_extract(result.body, '$.tool') AS tool,
	(SELECT json_extract(call.value, '$.arguments')
	 FROM messages AS reply, json_each(reply.body, '$.message.tool_calls') AS call
	 WHERE reply.run = result.run AND reply.id = json_extract(result.refs, '$[0]')
	 AND json_extract(call.value, '$.id') = json_extract(result.body, '$.call')) AS arguments,
	json_extract(result.body, '$.value') AS value,
	json_extract(result.body, '$.error') AS error,
	result.seconds AS seconds
FROM messages AS result
WHERE result.kind = 'result'`

// SQL opens the store for queries, of which the caller closes what is returned,
// before the store. The store cannot be changed by it. It shows
//
//	runs      one row a run
//	messages  one row a message
//	calls     one row a tool call: its arguments and its result
//	items     one row a ranked item, rank 1 the best
//	scores    one row a score
//
// Times are RFC 3339 text, durations seconds. Columns are only ever added. Runs,
// items and scores are views of the file, for any program. Messages are
// unpacked run by run while a query asks for them: where it says which run, or
// which message of it, no other is read.
func (s *Store) SQL() (*sql.DB, error) { return s.tables(`PRAGMA query_only = 1`) }

// tables opens the store for queries; more is said on each connection.
func (s *Store) tables(more string) (*sql.DB, error) {
	d := &sqlite.Driver{}
	if err := d.RegisterModule("mars_messages", messagesModule{s}); err != nil {
		return nil, fmt.Errorf("run store %s: %w", s.path, err)
	}
	return sql.OpenDB(connector{d, s.source, []string{
		`CREATE VIRTUAL TABLE temp.messages USING mars_messages`,
		callsView,
		more,
	}}), nil
}

// connector opens connections on which something is said first.
type connector struct {
	driver *sqlite.Driver
	source string
	first  []string
}

// Connect implements [driver.Connector].
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.driver.Open(c.source)
	if err != nil {
		return nil, err
	}
	for _, text := range c.first {
		if _, err := conn.(driver.ExecerContext).ExecContext(ctx, text, nil); err != nil {
			conn.Close()
			return nil, err
		}
	}
	return conn, nil
}

// Driver implements [driver.Connector].
func (c connector) Driver() driver.Driver { return c.driver }
