package cache

import (
	"context"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// memory is a shelf that ends with its process.
type memory struct {
	replies *lru.Cache[Key, aged]
	keep    time.Duration
	now     func() time.Time
}

// aged is a reply, and when it was put there.
type aged struct {
	sealed []byte
	since  time.Time
}

// Memory returns a shelf for the replies that were used last, at most so many,
// each for so long: a model that is exchanged behind its name is heard after
// that. Most must be 1 or more.
func Memory(most int, keep time.Duration, now func() time.Time) (Shelf, error) {
	replies, err := lru.New[Key, aged](most)
	if err != nil {
		return nil, err
	}
	return &memory{replies, keep, now}, nil
}

// Get implements [Shelf].
func (m *memory) Get(_ context.Context, k Key) ([]byte, error) {
	had, ok := m.replies.Get(k)
	if age := m.now().Sub(had.since); !ok || age < 0 || age > m.keep {
		return nil, nil
	}
	return had.sealed, nil
}

// Put implements [Shelf].
func (m *memory) Put(_ context.Context, k Key, sealed []byte) error {
	m.replies.Add(k, aged{sealed, m.now()})
	return nil
}
