// Package cache keeps the replies of models across runs, so that a request that
// was paid for once is not paid for again.
//
//	model's name ┐
//	request      ├─ SHA-256 ──> reply, its hash, its size, when it was used last
//	sample       ┘
//
// Replies stand in a file, see [Open], in [Memory], or on a [Shelf] that several
// machines share.
//
// The key is all that a reply depends on: the name of the model, the request
// ([model.Digest]: messages, tools, format, sampling and its seed), and which of
// several draws of it this is. So the eight samples of a group stay eight: a team
// gives each run a seed of its own, other callers give [model.Request] a Sample.
// At temperature 0 nothing is drawn, so the seed is no part of the key: what runs
// ask in the same words they ask once.
//
// It is strict. A file that is not such a cache is refused; a reply is kept only
// if it is whole (not cut at a length, not empty); a kept reply that has changed
// is dropped and asked for anew. It is bounded: what was used longest ago goes
// first. And it is no record of a run: what it forgets is paid again.
package cache

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
)

// Config of a [Cache]. The zero value works.
type Config struct {
	Limit int64 // bytes of replies in a file, and of one reply; 0: 1 GB
	// OnFailure, if not nil, hears of a reply that could not be looked up or
	// kept: the call is made, and paid, all the same. It is called concurrently.
	OnFailure func(error)
}

// Key is what a reply is kept under.
type Key = [sha256.Size]byte

// Shelf is where replies stand. It may forget what it likes, and give what it was
// not given: a cache believes nothing that does not carry its hash. It is safe for
// concurrent use.
type Shelf interface {
	// Get returns what was put under the key last, or nothing.
	Get(ctx context.Context, k Key) ([]byte, error)
	// Put keeps something under the key.
	Put(ctx context.Context, k Key, sealed []byte) error
}

// Cache is replies on a shelf. It is safe for concurrent use; several processes
// may use one file, or one shelf.
type Cache struct {
	shelf Shelf
	cfg   Config

	mu      sync.Mutex
	asking  map[Key]chan struct{} // calls that are being made; closed when they end
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

// New returns a cache of what stands on a shelf.
func New(shelf Shelf, cfg Config) *Cache {
	if cfg.Limit == 0 {
		cfg.Limit = 1 << 30
	}
	if cfg.OnFailure == nil {
		cfg.OnFailure = func(error) {}
	}
	return &Cache{shelf: shelf, cfg: cfg, asking: map[Key]chan struct{}{}}
}

// Counts tells what the cache did.
func (c *Cache) Counts() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counted
}

// Close closes the file, if it is one.
func (c *Cache) Close() error {
	if f, ok := c.shelf.(*file); ok {
		return f.db.Close()
	}
	return nil
}

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

func keyOf(name string, req model.Request) Key {
	if t := req.Sampling.Temperature; t != nil && *t == 0 {
		req.Sampling.Seed = nil
	}
	return sha256.Sum256([]byte("reply/1\x00" + model.Digest(name, req) + "\x00" + strconv.Itoa(req.Sample)))
}

// ask reports whether the caller is the first to make the call; others wait for
// the channel to be closed.
func (c *Cache) ask(k Key) (done chan struct{}, first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if done, ok := c.asking[k]; ok {
		return done, false
	}
	c.asking[k] = make(chan struct{})
	return nil, true
}

// fetch makes the call and keeps the reply.
func (c *Cache) fetch(ctx context.Context, k Key, m model.Model, req model.Request) (model.Reply, error) {
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
func (c *Cache) get(ctx context.Context, k Key) (model.Reply, bool) {
	sealed, err := c.shelf.Get(ctx, k)
	if err != nil && ctx.Err() == nil {
		c.cfg.OnFailure(fmt.Errorf("cache: look up: %w", err))
	}
	if err != nil || len(sealed) == 0 {
		return model.Reply{}, false
	}
	var r kept
	body, ok := unsealed(k, sealed)
	if !ok || json.Unmarshal(body, &r) != nil {
		c.count(func(n *Counts) { n.Damaged++ })
		if f, ok := c.shelf.(*file); ok {
			f.drop(ctx, k)
		}
		return model.Reply{}, false
	}
	c.count(func(n *Counts) {
		n.Hits++
		n.Saved.Add(r.Usage)
	})
	return model.Reply{Message: r.Message, Finish: r.Finish, Model: r.Model, ID: r.ID, Usage: r.Usage, Attempts: 1, Cached: true}, true
}

// put keeps a reply.
func (c *Cache) put(ctx context.Context, k Key, reply model.Reply) {
	body, err := message.Marshal(kept{reply.Message, reply.Finish, reply.Model, reply.ID, reply.Usage})
	if err == nil && int64(len(body)) > c.cfg.Limit {
		return
	}
	if err == nil {
		err = c.shelf.Put(ctx, k, sealed(k, body))
	}
	if err != nil {
		c.cfg.OnFailure(fmt.Errorf("cache: keep a reply: %w", err))
		return
	}
	c.count(func(n *Counts) { n.Kept++ })
}

func hashOf(k Key, body []byte) [sha256.Size]byte { return sha256.Sum256(append(k[:], body...)) }

// sealed is a reply as a shelf keeps it, behind the hash of its key and itself.
func sealed(k Key, body []byte) []byte {
	sum := hashOf(k, body)
	return append(sum[:], body...)
}

// unsealed is the reply in what a shelf gave, if it is what was put there.
func unsealed(k Key, sealed []byte) (body []byte, ok bool) {
	if len(sealed) < sha256.Size {
		return nil, false
	}
	body = sealed[sha256.Size:]
	return body, hashOf(k, body) == [sha256.Size]byte(sealed)
}
