package datasets

import (
	"slices"
	"sync"

	"github.com/mars-rec/mars/tasks"
)

// memoBytes bounds what a memo holds, per generation.
const memoBytes = 32 << 20

// memo remembers values by id within bounds of memory: two generations, of
// which the older is forgotten when the younger is full. The zero value is
// ready; it is safe for concurrent use.
type memo[V any] struct {
	mu         sync.Mutex
	young, old map[string]V
	bytes      int // of the young generation, as told by the callers of put
}

// get returns the value of an id. One that is found among the old stays there:
// after it is forgotten it is read once more.
func (m *memo[V]) get(id string) (V, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v, ok := m.young[id]; ok {
		return v, true
	}
	v, ok := m.old[id]
	return v, ok
}

// put remembers a value of about so many bytes.
func (m *memo[V]) put(id string, v V, bytes int) {
	const overhead = 256 // of a map entry and the value's own fields, roughly
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.young == nil || m.bytes > memoBytes {
		m.young, m.old, m.bytes = map[string]V{}, m.young, 0
	}
	m.young[id] = v
	m.bytes += bytes + len(id) + overhead
}

// cloneItem returns an item whose lists the caller may change.
func cloneItem(item tasks.Item) tasks.Item {
	item.Categories = slices.Clone(item.Categories)
	item.Creators = slices.Clone(item.Creators)
	return item
}
