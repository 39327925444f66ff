package datasets

import (
	"sync"

	"github.com/mars-rec/mars/tasks"
)

// memoBytes bounds what a memo holds, per generation.
const memoBytes = 32 << 20

// memo remembers items within bounds of memory: two generations, of which the
// older is forgotten when the younger is full. A look into the file takes thirty
// times as long. The zero value is ready; it is safe for concurrent use.
type memo struct {
	mu         sync.Mutex
	young, old map[string]tasks.Item
	bytes      int // of the young generation, about
}

// get returns an item. One that is found among the old stays there: after it is
// forgotten it is read once more.
func (m *memo) get(id string) (tasks.Item, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if item, ok := m.young[id]; ok {
		return item, true
	}
	item, ok := m.old[id]
	return item, ok
}

// put remembers an item.
func (m *memo) put(item tasks.Item) {
	bytes := 256 + len(item.ID) + len(item.Title) + len(item.Text) // of a map entry and the item's own fields, roughly
	for _, names := range [][]string{item.Categories, item.Creators} {
		for _, name := range names {
			bytes += 16 + len(name)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.young == nil || m.bytes > memoBytes {
		m.young, m.old, m.bytes = map[string]tasks.Item{}, m.young, 0
	}
	m.young[item.ID] = item
	m.bytes += bytes
}
