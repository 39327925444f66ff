package audit

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/mars-rec/mars/tasks"
)

// TestOrderOfSamples: the list of a task whose runs are many says no more than it
// says once, and lists that hide nothing hold.
func TestOrderOfSamples(t *testing.T) {
	draw := rand.New(rand.NewPCG(1, 2))
	var once, often shuffling
	for i := range 60 {
		task := tasks.Task{ID: fmt.Sprint("t", i)}
		for _, k := range draw.Perm(20) {
			task.Candidates = append(task.Candidates, fmt.Sprintf("i%d-%02d", i, k))
		}
		gold := []string{fmt.Sprintf("i%d-07", i)}
		for n := range 50 {
			if n == 0 {
				if err := once.add(t.Context(), task, gold, Place{}); err != nil {
					t.Fatal(err)
				}
			}
			if err := often.add(t.Context(), task, gold, Place{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	a, _ := once.right.chance()
	b, what := often.right.chance()
	if a != b || b < certain || often.lists != 60 {
		t.Errorf("p is %g of each list once, and %g of each 50 times (%s), %d lists", a, b, what, often.lists)
	}
}
