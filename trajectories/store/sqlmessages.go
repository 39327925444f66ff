package store

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"modernc.org/sqlite/vtab"

	"github.com/mars-rec/mars/message"
)

// messagesModule makes the virtual table of all messages of a store.
type messagesModule struct{ store *Store }

// Create implements [vtab.Module].
func (m messagesModule) Create(c vtab.Context, args []string) (vtab.Table, error) {
	return m.Connect(c, args)
}

// Connect implements [vtab.Module].
func (m messagesModule) Connect(c vtab.Context, _ []string) (vtab.Table, error) {
	return &messagesTable{store: m.store}, c.Declare(`CREATE TABLE messages ` + messagesColumns)
}

// messagesTable is the table on one connection, which one goroutine uses.
type messagesTable struct {
	store *Store
	last  *runMessages // a query asks for one run again and again
}

// runMessages are the rows of one run.
type runMessages struct {
	run runRow
	log []stored // sorted by ID
	seq []int64  // as the writer had them
}

// What a query says of the rows that it wants: nothing, the run, the run and
// the message.
const (
	ofAll = iota
	ofRun
	ofMessage
)

// BestIndex implements [vtab.Table].
func (t *messagesTable) BestIndex(info *vtab.IndexInfo) error {
	find := func(column int) *vtab.Constraint {
		for i := range info.Constraints {
			if c := &info.Constraints[i]; c.Usable && c.Op == vtab.OpEQ && c.Column == column {
				return c
			}
		}
		return nil
	}
	info.IdxNum, info.EstimatedCost, info.EstimatedRows = ofAll, 1e9, 1e6
	run, id := find(0), find(1)
	if run == nil {
		return nil
	}
	run.ArgIndex = 0
	info.IdxNum, info.EstimatedCost, info.EstimatedRows = ofRun, 1000, 50
	if id != nil {
		id.ArgIndex = 1
		info.IdxNum, info.EstimatedCost, info.EstimatedRows = ofMessage, 100, 1
	}
	return nil
}

// Open implements [vtab.Table].
func (t *messagesTable) Open() (vtab.Cursor, error) { return &messagesCursor{table: t}, nil }

// Disconnect implements [vtab.Table].
func (t *messagesTable) Disconnect() error { return nil }

// Destroy implements [vtab.Table].
func (t *messagesTable) Destroy() error { return nil }

// read returns the messages of a run.
func (t *messagesTable) read(row runRow) (*runMessages, error) {
	if t.last == nil || t.last.run.number != row.number || !ended(t.last.run.status) {
		row, log, err := t.store.said(context.Background(), row) // the driver has no context here
		if err != nil {
			return nil, err
		}
		t.last = &runMessages{row, log, order(log)}
	}
	return t.last, nil
}

// order returns the place of each message among those of its run: facts as they
// came, and behind them what followed from them.
func order(log []stored) []int64 {
	out := make([]int64, len(log))
	next := int64(0)
	for i, m := range log {
		out[i] = m.seq
		next = max(next, m.seq)
	}
	for i := range out {
		if out[i] == 0 {
			next++
			out[i] = next
		}
	}
	return out
}

// messagesCursor goes over the rows of a query.
type messagesCursor struct {
	table *messagesTable
	next  func() (runRow, error, bool) // the run behind this one
	stop  func()
	one   message.ID // the only message that is wanted; "": all

	at  *runMessages // nil: there are no more
	row int
}

// Filter implements [vtab.Cursor].
func (c *messagesCursor) Filter(index int, _ string, values []vtab.Value) error {
	c.Close()
	c.at, c.row, c.one = nil, -1, ""
	if index == ofAll {
		c.next, c.stop = iter.Pull2(c.table.store.rows(context.Background()))
		return c.Next()
	}
	id, ok := values[0].(string)
	if index == ofMessage {
		one, isText := values[1].(string)
		c.one, ok = message.ID(one), ok && isText
	}
	if !ok {
		return nil // no run or message is called a number
	}
	row := runRow{}
	if last := c.table.last; last != nil && last.run.id == id && ended(last.run.status) {
		row = last.run
	} else {
		var err error
		if row, err = c.table.store.find(context.Background(), id); errors.Is(err, ErrNoRun) {
			return nil
		} else if err != nil {
			return err
		}
	}
	var err error
	if c.at, err = c.table.read(row); err != nil {
		return err
	}
	if c.one == "" {
		return c.Next()
	}
	at, found := slices.BinarySearchFunc(c.at.log, c.one, func(m stored, id message.ID) int { return m.ID.Compare(id) })
	if c.row = at; !found {
		c.at = nil
	}
	return nil
}

// Next implements [vtab.Cursor].
func (c *messagesCursor) Next() error {
	c.row++
	if c.one != "" {
		c.at = nil
		return nil
	}
	for c.at == nil || c.row >= len(c.at.log) {
		c.at, c.row = nil, 0
		if c.next == nil {
			return nil
		}
		row, err, ok := c.next()
		if !ok || err != nil {
			return err
		}
		if c.at, err = c.table.read(row); err != nil {
			return err
		}
	}
	return nil
}

// Eof implements [vtab.Cursor].
func (c *messagesCursor) Eof() bool { return c.at == nil }

// Rowid implements [vtab.Cursor].
func (c *messagesCursor) Rowid() (int64, error) { return place(c.at.run.number, int64(c.row)), nil }

// Close implements [vtab.Cursor].
func (c *messagesCursor) Close() error {
	if c.stop != nil {
		c.stop()
	}
	c.next, c.stop = nil, nil
	return nil
}

// Column implements [vtab.Cursor].
func (c *messagesCursor) Column(column int) (vtab.Value, error) {
	m := c.at.log[c.row]
	switch column {
	case 0:
		return c.at.run.id, nil
	case 1:
		return string(m.ID), nil
	case 2:
		return string(m.Kind), nil
	case 3:
		return string(m.From), nil
	case 4:
		return string(m.To), nil
	case 5:
		return string(m.Body), nil
	case 6:
		b, err := message.Marshal(append([]message.ID{}, m.Refs...))
		return string(b), err
	case 7:
		return flag(m.Fact()), nil
	case 14:
		return flag(m.Meta.Cached), nil
	case 15:
		return c.at.seq[c.row], nil
	}
	return told(m.Meta, column)
}

// told is a column of what may differ between equal runs; nil where it is not
// known.
func told(m message.Meta, column int) (vtab.Value, error) {
	switch {
	case column == 8 && !m.Time.IsZero():
		return m.Time.Format(time.RFC3339Nano), nil
	case column == 9 && m.Duration != 0:
		return m.Duration.Seconds(), nil
	case column == 10 && m.Model != "":
		return m.Model, nil
	case column == 11 && m.Usage != nil:
		return int64(m.Usage.InputTokens), nil
	case column == 12 && m.Usage != nil:
		return int64(m.Usage.OutputTokens), nil
	case column == 13 && m.Attempts != 0:
		return int64(m.Attempts), nil
	}
	return nil, nil
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
