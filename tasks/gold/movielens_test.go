package gold

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/mars-rec/mars/graph"
)

// movieLens reads the ratings of ml-latest-small, or skips the test.
func movieLens(t *testing.T) *graph.Graph {
	f, err := os.Open(filepath.Join("..", "..", "..", "shared", "data", "ml-latest-small", "ratings.csv"))
	if err != nil {
		t.Skip("ml-latest-small is not here: ", err)
	}
	defer f.Close()
	var log rows
	in := bufio.NewScanner(f)
	for in.Scan() {
		row := strings.Split(strings.TrimSpace(in.Text()), ",")
		at, err := strconv.ParseInt(row[3], 10, 64)
		if err != nil { // the header
			continue
		}
		log = append(log, graph.Interaction{User: row[0], Item: row[1], Time: at})
	}
	if err := in.Err(); err != nil {
		t.Fatal(err)
	}
	return log.graph(t)
}

func TestMovieLens(t *testing.T) {
	g := movieLens(t)
	for _, negatives := range []Negatives{Uniform, Popular} {
		scenarios, err := ParseScenarios("all", Available)
		if err != nil {
			t.Fatal(err)
		}
		set, err := LeaveLastOut("ml", g, Config{Scenarios: scenarios, Negatives: negatives, Seed: 42})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %+v", negatives, set.Counts)
		users := map[string]bool{}
		for _, k := range set.Cases {
			if err := k.Check(); err != nil {
				t.Fatal(err)
			}
			users[k.Task.User] = true
		}
		if len(set.Cases) != 610 || len(users) != 610 {
			t.Errorf("%s: %d tasks of %d users, want one for each of 610", negatives, len(set.Cases), len(users))
		}
		// Between 65 and 92 true items are not in the pool, by how ties fall.
		if n := set.Counts.Tasks[ColdStartItem]; n < 65 || n > 92 {
			t.Errorf("%s: %d cold-start-item tasks", negatives, n)
		}
	}
	set, err := LeaveLastOut("ml", g, Config{Scenarios: []Scenario{EvolvingLong, EvolvingShort}, Seed: 42, After: g.Quantile(0.8)})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("evolving, after the 80%% quantile: %+v", set.Counts)
}

func BenchmarkLeaveLastOut(b *testing.B) {
	g := crowd().graph(b)
	for b.Loop() {
		if _, err := LeaveLastOut("crowd", g, Config{Negatives: Popular}); err != nil {
			b.Fatal(err)
		}
	}
}
