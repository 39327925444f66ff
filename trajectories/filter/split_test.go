package filter_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/trajectories/filter"
)

// TestSplits: a user is on one side, whatever the task; the sides get their
// shares; a seed of its own makes another split; and growing the train side moves
// nobody out of it.
func TestSplits(t *testing.T) {
	parse := func(text string, seed int64) filter.Splits {
		s, err := filter.ParseSplits(text, seed)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s, other, wider := parse("train=0.8,validation=0.15,test=0.05", 1), parse("train=0.8,validation=0.15,test=0.05", 2), parse("train=0.9,validation=0.1", 1)
	counts := map[string]int{}
	moved := 0
	const users = 20000
	for i := range users {
		task := tasks.Task{ID: "a", Dataset: "d", User: fmt.Sprintf("u%d", i)}
		side := s.Of(task)
		counts[side]++
		again := task
		again.ID, again.Candidates = "b", []string{"x"}
		if s.Of(again) != side {
			t.Fatalf("user %s is on two sides", task.User)
		}
		if other.Of(task) != side {
			moved++
		}
		if side == filter.Train && wider.Of(task) != filter.Train {
			t.Fatalf("user %s leaves train, which has grown", task.User)
		}
	}
	for side, share := range map[string]float64{"train": 0.8, "validation": 0.15, "test": 0.05} {
		if off := math.Abs(float64(counts[side])/users - share); off > 4*math.Sqrt(share*(1-share)/users) {
			t.Errorf("%s has %d of %d users, want a share of %g", side, counts[side], users, share)
		}
	}
	if moved == 0 {
		t.Error("the seed changes nothing")
	}
	if (filter.Splits{}).Of(tasks.Task{}) != filter.Train {
		t.Error("without shares not all is train")
	}
	for text, want := range map[string]string{
		"":                               "no share",
		"train":                          "no share",
		"train=0":                        "no share",
		"train=NaN":                      "no share",
		"train=1.5":                      "no share",
		"train=0.5":                      "want 1",
		"validation=0.5,train=0.5":       "want train",
		"train=0.5,train=0.5":            "named twice",
		"train=0.5,dev=0.5":              "unknown",
		"train=0.9,validation=0.2":       "sum up to 1.1",
		"train=0.9,validation=0.1,":      "no share",
		"train=0.9;validation=0.1":       "no share",
		"train=0.5,validation=0.5,x=0.1": "unknown",
	} {
		if _, err := filter.ParseSplits(text, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
