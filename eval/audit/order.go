package audit

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mars-rec/mars/tasks"
)

// shuffling watches the order of candidates: where the right one stands, and
// whether lists are sorted by something.
type shuffling struct {
	data   Data // nil: only ids are known
	right  positions
	sorted map[string]*sortedBy
	lists  int
	seen   map[[sha256.Size]byte]bool
}

// sortedBy counts the lists that are sorted by one key.
type sortedBy struct {
	lists    int
	expected float64 // by chance
	id       string  // of the first
	place    Place
	bytes    string
}

// orders are the keys by which a list may have been left sorted. A key that says
// nothing, since all its values are the same, counts for nothing.
func (s *shuffling) orders(ctx context.Context, task tasks.Task) (map[string][]float64, error) {
	n := len(task.Candidates)
	keys := map[string][]float64{"id": make([]float64, n)}
	byID := slices.Clone(task.Candidates)
	slices.Sort(byID)
	numbers := make([]float64, n)
	numeric := true
	titles := make([]string, n)
	if s.data != nil {
		keys["users before the moment"], keys["users in the whole log"] = make([]float64, n), make([]float64, n)
	}
	for i, id := range task.Candidates {
		place, _ := slices.BinarySearch(byID, id)
		keys["id"][i] = float64(place)
		f, err := strconv.ParseFloat(id, 64)
		numbers[i], numeric = f, numeric && err == nil
		if s.data == nil {
			continue
		}
		g := s.data.Graph()
		for name, at := range map[string]time.Time{"users before the moment": task.AsOf, "users in the whole log": g.End()} {
			cut := g.At(at)
			if node, ok := cut.Item(id); ok {
				keys[name][i] = float64(cut.ItemDegree(node))
			}
		}
		item, _, err := s.data.Catalog().Item(ctx, id)
		if err != nil {
			return nil, err
		}
		titles[i] = item.Title
	}
	if numeric {
		keys["id, as a number"] = numbers
	}
	if s.data != nil {
		byTitle := slices.Clone(titles)
		slices.Sort(byTitle)
		keys["title"] = make([]float64, n)
		for i, title := range titles {
			place, _ := slices.BinarySearch(byTitle, title)
			keys["title"][i] = float64(place)
		}
	}
	return keys, nil
}

// add looks at the list of a task. Runs of one task have one list, which was drawn
// once and is counted once: as many would make chance look like intent.
func (s *shuffling) add(ctx context.Context, task tasks.Task, golds []string, place Place) error {
	list := sha256.Sum256([]byte(strings.Join(task.Candidates, "\x00")))
	if s.seen[list] {
		return nil
	}
	if s.seen == nil {
		s.seen = map[[sha256.Size]byte]bool{}
	}
	s.seen[list] = true
	keys, err := s.orders(ctx, task)
	if err != nil {
		return err
	}
	s.lists++
	if s.sorted == nil {
		s.sorted = map[string]*sortedBy{}
	}
	for name, values := range keys {
		by := s.sorted[name]
		if by == nil {
			by = &sortedBy{}
			s.sorted[name] = by
		}
		by.expected += 2 * chanceSorted(values) // ascending or descending
		if !slices.IsSorted(values) && !slices.IsSortedFunc(values, func(a, b float64) int { return cmp.Compare(b, a) }) {
			continue
		}
		if by.lists++; by.lists == 1 {
			p := place
			p.Part = "candidates"
			by.id, by.place, by.bytes = task.ID, p, excerpt(fmt.Sprint(task.Candidates), 0)
		}
	}
	for i, item := range task.Candidates {
		if slices.Contains(golds, item) {
			s.right.add(i, len(task.Candidates))
		}
	}
	return nil
}

// chanceSorted is the chance that a shuffled list of these values is ascending.
func chanceSorted(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	log := -logFactorial(len(values))
	for i := 0; i < len(sorted); {
		j := i
		for j < len(sorted) && sorted[j] == sorted[i] {
			j++
		}
		log += logFactorial(j - i)
		i = j
	}
	return min(1, math.Exp(log))
}

// tell adds what the lists show, and how sure it is.
func (s *shuffling) tell(b *book) {
	b.examined(checkOrder, fmt.Sprintf("%d lists, the place of %d right items", s.lists, s.right.n))
	for _, name := range slices.Sorted(maps.Keys(s.sorted)) {
		by := s.sorted[name]
		if by.lists == 0 || atLeastOf(by.lists, by.expected) > certain {
			continue
		}
		b.add(Finding{Check: checkOrder, Severity: Error, Case: by.id, Place: by.place, Bytes: by.bytes,
			What: fmt.Sprintf("%d of %d lists are not shuffled but sorted by %s, this one first", by.lists, s.lists, name)})
	}
	if s.right.n == 0 {
		return
	}
	p, what := s.right.chance()
	b.of(checkOrder).P = &p
	if p < certain {
		b.add(Finding{Check: checkOrder, Severity: Error, What: fmt.Sprintf("the right item is not at every place alike: %s (p %s)", what, chance(p))})
	}
}

// chance writes a p value.
func chance(p float64) string {
	if p < 0.001 {
		return strconv.FormatFloat(p, 'e', 1, 64)
	}
	return strconv.FormatFloat(p, 'f', 3, 64)
}
