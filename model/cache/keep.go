package cache

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
)

// put keeps a reply, and drops what was used longest ago where it gets too much.
func (c *Cache) put(ctx context.Context, k key, reply model.Reply) {
	b, err := message.Marshal(kept{reply.Message, reply.Finish, reply.Model, reply.ID, reply.Usage})
	if err == nil && int64(len(b)) > c.cfg.Limit {
		return
	}
	if err == nil {
		err = c.change(ctx, func(tx *sql.Tx) error {
			body := string(b)
			sum := hashOf(k, body)
			r, err := tx.ExecContext(ctx, `INSERT INTO reply SELECT ?, ?, ?, ?, used + 1 FROM total WHERE true ON CONFLICT DO NOTHING`, k[:], body, sum[:], len(b))
			if err != nil {
				return err
			}
			if n, err := r.RowsAffected(); n == 0 || err != nil {
				return err // another process was first
			}
			if _, err := tx.ExecContext(ctx, "UPDATE total SET size = size + ?, used = used + 1", len(b)); err != nil {
				return err
			}
			return c.trim(ctx, tx)
		})
	}
	if err != nil {
		c.cfg.OnFailure(fmt.Errorf("cache: keep a reply: %w", err))
		return
	}
	c.count(func(n *Counts) { n.Kept++ })
}

// trim drops the replies that were used longest ago, until the rest fits.
func (c *Cache) trim(ctx context.Context, tx *sql.Tx) error {
	for {
		var size int64
		if err := tx.QueryRowContext(ctx, "SELECT size FROM total").Scan(&size); err != nil || size <= c.cfg.Limit {
			return err
		}
		if err := forget(ctx, tx, "key = (SELECT key FROM reply ORDER BY used LIMIT 1)"); err != nil {
			return err
		}
	}
}

// drop takes a reply out.
func (c *Cache) drop(ctx context.Context, k key) {
	if err := c.change(ctx, func(tx *sql.Tx) error { return forget(ctx, tx, "key = ?", k[:]) }); err != nil {
		c.cfg.OnFailure(fmt.Errorf("cache: drop a damaged reply: %w", err))
	}
}

// forget deletes one reply; its size is taken off the total.
func forget(ctx context.Context, tx *sql.Tx, where string, args ...any) error {
	if _, err := tx.ExecContext(ctx, "UPDATE total SET size = size - coalesce((SELECT size FROM reply WHERE "+where+"), size)", args...); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "DELETE FROM reply WHERE "+where, args...)
	return err
}

func (c *Cache) change(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := c.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to undo
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}
