package datasets

import (
	"sync"

	"github.com/mars-rec/mars/tasks"
)

// memoBytes bounds what a memo holds, per generation.
const memoBytes = 32 << 20

// memo remembers what was made of items, by their id, within bounds of memory:
// two generations, of which the older is forgotten when the younger is full. A
// look into the file takes thirty times as long. The zero value is ready; it is
// safe for concurrent use.
type memo[T any] struct {
	mu         sync.Mutex
	young, old map[string]T
	bytes      int // of the young generation, about
}

// get returns what was put. What is found among the old stays there: after it is
// forgotten it is made once more.
func (m *memo[T]) get(id string) (T, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v, ok := m.young[id]; ok {
		return v, true
	}
	v, ok := m.old[id]
	return v, ok
}

// put remembers v, which takes so many bytes.
func (m *memo[T]) put(id string, v T, bytes int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.young == nil || m.bytes > memoBytes {
		m.young, m.old, m.bytes = map[string]T{}, m.young, 0
	}
	m.young[id] = v
	m.bytes += bytes
}

// weight is about what an item takes in memory, with its entry in a map.
func weight(item tasks.Item) int {
	bytes := 256 + len(item.ID) + len(item.Title) + len(item.Text)
	for _, names := range [][]string{item.Categories, item.Creators} {
		for _, name := range names {
			bytes += 16 + len(name)
		}
	}
	return bytes
}
