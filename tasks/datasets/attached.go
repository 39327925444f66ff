package datasets

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"runtime"
)

// connector opens connections to a catalog to which the file of what was
// appended is attached, under the name late.
type connector struct {
	driver     driver.Driver
	base, late string // URIs
}

// openFiles opens a catalog, and what was appended to it unless late is "".
//
// All connections are opened at once and kept: a connection that is opened later
// would find the files of a later state under the same names, or none.
func openFiles(base, late string) (*sql.DB, error) {
	readOnly := []string{"mode=ro", "immutable=1"}
	db, err := sql.Open("sqlite", fileURI(base, append(readOnly, "_pragma=query_only(1)")...))
	if err != nil {
		return nil, err
	}
	if late != "" {
		c := connector{db.Driver(), fileURI(base, append(readOnly, "_pragma=query_only(1)")...), fileURI(late, readOnly...)}
		if err := db.Close(); err != nil {
			return nil, err
		}
		db = sql.OpenDB(c)
	}
	n := min(2*runtime.GOMAXPROCS(0), 16)
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	kept := make([]*sql.Conn, 0, n)
	for range n {
		var c *sql.Conn
		if c, err = db.Conn(context.Background()); err == nil {
			kept = append(kept, c)
			err = c.PingContext(context.Background())
		}
		if err != nil {
			break
		}
	}
	for _, c := range kept {
		err = errors.Join(err, c.Close())
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// Connect implements [driver.Connector].
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.driver.Open(c.base)
	if err != nil {
		return nil, err
	}
	e, ok := conn.(driver.ExecerContext)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the driver %T cannot attach a file", c.driver), conn.Close())
	}
	if _, err := e.ExecContext(ctx, `ATTACH ? AS late`, []driver.NamedValue{{Ordinal: 1, Value: c.late}}); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// Driver implements [driver.Connector].
func (c connector) Driver() driver.Driver { return c.driver }

// texts are the queries of a catalog.
type texts struct {
	item, user, numbered, attributes string
	ofUser, ofItem, ofBoth           string
	allItems, allUsers, allReviews   string
}

// queries returns them for a catalog alone or with what was appended to it. Ids
// of items and users are in one of the two only. Reviews are in both where an
// earlier event came later: what it took the place of is named in superseded.
func queries(late bool) texts {
	const item, user, review = `title, categories, creators, year, text`, `name`, `user, item, time, rating, text`
	from := func(columns, table, where, order string) string {
		base := `SELECT ` + columns + ` FROM main.` + table + ` AS t WHERE ` + where
		if late {
			if table == "reviews" {
				base += ` AND NOT EXISTS (SELECT 1 FROM late.superseded AS s WHERE s.user = t.user AND s.item = t.item)`
			}
			base += ` UNION ALL SELECT ` + columns + ` FROM late.` + table + ` WHERE ` + where
		}
		return base + order
	}
	return texts{
		item:       from(item, "items", `id = ?1`, ""),
		user:       from(user, "users", `id = ?1`, ""),
		numbered:   `SELECT id FROM main.words WHERE rowid = ?1`,
		attributes: from(`id, categories, year`, "items", `true`, ""),
		ofUser:     from(review, "reviews", `user = ?1 AND time < ?2`, ` ORDER BY time DESC, item LIMIT ?3`),
		ofItem:     from(review, "reviews", `item = ?1 AND time < ?2`, ` ORDER BY time DESC, user LIMIT ?3`),
		ofBoth:     from(review, "reviews", `user = ?1 AND item = ?2 AND time < ?3`, ` ORDER BY time DESC LIMIT ?4`),
		allItems:   from(`id, `+item, "items", `true`, ` ORDER BY id`),
		allUsers:   from(`id, `+user, "users", `true`, ` ORDER BY id`),
		allReviews: from(`row, `+review, "reviews", `true`, ` ORDER BY row`),
	}
}
