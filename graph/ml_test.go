package graph_test

import (
	"bufio"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/mars-rec/mars/graph"
)

// movielens yields the ratings of ml-latest-small.
func movielens(t testing.TB) iter.Seq2[graph.Interaction, error] {
	t.Helper()
	path := filepath.Join("..", "..", "shared", "data", "ml-latest-small", "ratings.csv")
	f, err := os.Open(path)
	if err != nil {
		t.Skipf("the data set ml-latest-small is not beside the repository: %v", err)
	}
	t.Cleanup(func() { f.Close() })
	return func(yield func(graph.Interaction, error) bool) {
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			cells := strings.Split(strings.TrimSpace(lines.Text()), ",")
			if cells[0] == "userId" {
				continue
			}
			rating, _ := strconv.ParseFloat(cells[2], 32)
			at, _ := strconv.ParseInt(cells[3], 10, 64)
			if !yield(graph.Interaction{User: cells[0], Item: cells[1], Time: at, Rating: float32(rating)}, nil) {
				return
			}
		}
	}
}

func TestMovieLens(t *testing.T) {
	g, err := graph.Build(movielens(t))
	if err != nil {
		t.Fatal(err)
	}
	whole := g.At(g.End())
	// Of the 9,742 items of the catalog 18 have no rating.
	if g.Users() != 610 || g.Items() != 9724 || g.Interactions() != 100836 || whole.Interactions() != 100836 || whole.Items() != 9724 {
		t.Fatalf("got %d users, %d items, %d interactions", g.Users(), g.Items(), g.Interactions())
	}
	path := filepath.Join(t.TempDir(), "graph.bin")
	if err := g.Save(path); err != nil {
		t.Fatal(err)
	}
	again, err := graph.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	i, _ := whole.Item("318")
	j, _ := again.At(again.End()).Item("318")
	a, b := whole.ItemCF(i, graph.Query{K: 3}), again.At(again.End()).ItemCF(j, graph.Query{K: 3})
	for k := range a {
		if a[k] != b[k] {
			t.Errorf("neighbour %d: %+v built, %+v opened", k, a[k], b[k])
		}
	}
	t.Logf("nearest to The Shawshank Redemption: %s %+v", whole.ItemID(a[0].Item), a[0])
}
