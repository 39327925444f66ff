// Package cache keeps the replies of models across runs, so that a request that
// was paid for once is not paid for again.
//
//	model's name ┐
//	request      ├─ SHA-256 ──> reply, its hash, its size, when it was used last
//	sample       ┘
//
// The key is all that a reply depends on: the name of the model, the request
// ([model.Digest]: messages, tools, format, sampling and its seed), and which of
// several draws of it this is. So the eight samples of a group stay eight: a team
// gives each run a seed of its own, other callers give [model.Request] a Sample.
//
// It is strict. A file that is not such a cache is refused; a reply is kept only
// if it is whole (not cut at a length, not empty); a kept reply that has changed
// is dropped and asked for anew. It is bounded: what was used longest ago goes
// first. And it is no record of a run: what it forgets is paid again.
package cache

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"sync"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
)

// Config of a [Cache]. The zero value works.
type Config struct {
	Limit int64 // bytes of replies; 0: 1 GB
	// OnFailure, if not nil, hears of a reply that could not be looked up or
	// kept: the call is made, and paid, all the same. It is called concurrently.
	OnFailure func(error)
}

// Cache is a file of replies. It is safe for concurrent use; several processes
// may use one file.
type Cache struct {
	db  *sql.DB
	cfg Config

	mu      sync.Mutex
	asking  map[key]chan struct{} // calls that are being made; closed when they end
	counted Counts
}

// Counts says what a [Cache] did since it was opened.
type Counts struct {
	Hits    int           `json:"hits"`
	Misses  int           `json:"misses"`
	Kept    int           `json:"kept"`
	Damaged int           `json:"damaged,omitempty"` // entries that had changed, and were dropped
	Saved   message.Usage `json:"saved"`             // what the hits had cost when they were asked for
}

type key [sha256.Size]byte

const (
	applicationID = 0x4d415243 // "MARC", in the header of the file
	version       = 1
	fresh         = 1000 // replies kept since a use that is not noted again
)

// Open opens the file, or makes it.
func Open(ctx context.Context, path string, cfg Config) (*Cache, error) {
	if cfg.Limit == 0 {
		cfg.Limit = 1 << 30
	}
	if cfg.OnFailure == nil {
		cfg.OnFailure = func(error) {}
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("cache %s: %w", path, err)
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(abs),
		RawQuery: "_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_txlock=immediate"}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, fmt.Errorf("cache %s: %w", path, err)
	}
	db.SetMaxOpenConns(4)
	if err := prepare(ctx, db); err != nil {
		return nil, errors.Join(fmt.Errorf("cache %s: %w", path, err), db.Close())
	}
	return &Cache{db: db, cfg: cfg, asking: map[key]chan struct{}{}}, nil
}

// prepare makes an empty file a cache, and refuses any other that is none.
func prepare(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to undo
	var id, made, tables int
	if err := errors.Join(
		tx.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id),
		tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&made),
		tx.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables),
	); err != nil {
		return err
	}
	switch {
	case tables == 0 && id == 0:
		for _, statement := range []string{
			"PRAGMA application_id = " + strconv.Itoa(applicationID),
			"PRAGMA user_version = " + strconv.Itoa(version),
			`CREATE TABLE reply (
				key  BLOB PRIMARY KEY,
				body TEXT NOT NULL,
				hash BLOB NOT NULL,
				size INTEGER NOT NULL,
				used INTEGER NOT NULL
			) STRICT, WITHOUT ROWID`,
			"CREATE INDEX used ON reply (used, size)",
			"CREATE TABLE total (size INTEGER NOT NULL, used INTEGER NOT NULL) STRICT",
			"INSERT INTO total VALUES (0, 0)",
		} {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
	case id != applicationID || made != version:
		return fmt.Errorf("not a cache of version %d", version)
	}
	return tx.Commit()
}

// Counts tells what the cache did.
func (c *Cache) Counts() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counted
}

// Close closes the file.
func (c *Cache) Close() error { return c.db.Close() }

// Wrap puts the cache before the model of that name. A reply that it knows is
// marked Cached, with the usage that it had, and given at once; a streaming
// caller gets it in one piece. Of equal requests at once one is made, and the
// others wait for it.
func (c *Cache) Wrap(name string, m model.Model) model.Model {
	return model.Func(func(ctx context.Context, req model.Request) (model.Reply, error) {
		k := keyOf(name, req)
		for {
			if err := ctx.Err(); err != nil {
				return model.Reply{}, context.Cause(ctx)
			}
			if reply, ok := c.get(ctx, k); ok {
				return told(reply, req), nil
			}
			done, first := c.ask(k)
			if first {
				return c.fetch(ctx, k, m, req)
			}
			select {
			case <-done:
			case <-ctx.Done():
			}
		}
	})
}

// told gives a kept reply to a streaming caller.
func told(reply model.Reply, req model.Request) model.Reply {
	if req.OnChunk != nil && reply.Message.Content != "" {
		req.OnChunk(model.Chunk{Content: reply.Message.Content})
	}
	return reply
}

func keyOf(name string, req model.Request) key {
	return sha256.Sum256([]byte("reply/1\x00" + model.Digest(name, req) + "\x00" + strconv.Itoa(req.Sample)))
}

// ask reports whether the caller is the first to make the call; others wait for
// the channel to be closed.
func (c *Cache) ask(k key) (done chan struct{}, first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if done, ok := c.asking[k]; ok {
		return done, false
	}
	c.asking[k] = make(chan struct{})
	return nil, true
}

// fetch makes the call and keeps the reply.
func (c *Cache) fetch(ctx context.Context, k key, m model.Model, req model.Request) (model.Reply, error) {
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		close(c.asking[k])
		delete(c.asking, k)
	}()
	if reply, ok := c.get(ctx, k); ok { // another call has ended since
		return told(reply, req), nil
	}
	c.count(func(n *Counts) { n.Misses++ })
	reply, err := m.Generate(ctx, req)
	if err == nil && !reply.Cached && whole(reply) {
		c.put(context.WithoutCancel(ctx), k, reply) // it is paid for
	}
	return reply, err
}

// whole reports whether a reply may be given again: a cut or an empty one may
// come out better.
func whole(r model.Reply) bool {
	return r.Finish != "length" && (r.Message.Content != "" || len(r.Message.ToolCalls) > 0)
}

func (c *Cache) count(f func(*Counts)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.counted)
}

// kept is a reply as it stands in the file.
type kept struct {
	Message model.Message  `json:"message"`
	Finish  string         `json:"finish,omitempty"`
	Model   string         `json:"model,omitempty"`
	ID      string         `json:"id,omitempty"`
	Usage   *message.Usage `json:"usage,omitempty"`
}

// get looks a reply up.
func (c *Cache) get(ctx context.Context, k key) (model.Reply, bool) {
	var body string
	var hash []byte
	var age int64 // in replies that were kept since
	err := c.db.QueryRowContext(ctx, "SELECT body, hash, (SELECT used FROM total) - used FROM reply WHERE key = ?", k[:]).Scan(&body, &hash, &age)
	if err != nil {
		if !errors.Is(err, sql.ErrNoRows) && ctx.Err() == nil {
			c.cfg.OnFailure(fmt.Errorf("cache: look up: %w", err))
		}
		return model.Reply{}, false
	}
	var r kept
	if sum := hashOf(k, body); string(hash) != string(sum[:]) || json.Unmarshal([]byte(body), &r) != nil {
		c.count(func(n *Counts) { n.Damaged++ })
		c.drop(ctx, k)
		return model.Reply{}, false
	}
	if age > fresh {
		if _, err := c.db.ExecContext(ctx, "UPDATE reply SET used = (SELECT used FROM total) WHERE key = ?", k[:]); err != nil && ctx.Err() == nil {
			c.cfg.OnFailure(fmt.Errorf("cache: note the use: %w", err))
		}
	}
	c.count(func(n *Counts) {
		n.Hits++
		if u := r.Usage; u != nil {
			n.Saved.InputTokens += u.InputTokens
			n.Saved.OutputTokens += u.OutputTokens
			n.Saved.CachedTokens += u.CachedTokens
		}
	})
	return model.Reply{Message: r.Message, Finish: r.Finish, Model: r.Model, ID: r.ID, Usage: r.Usage, Attempts: 1, Cached: true}, true
}

func hashOf(k key, body string) key { return sha256.Sum256(append(k[:], body...)) }
