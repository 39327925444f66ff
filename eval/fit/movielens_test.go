package fit_test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/graph/rank"
)

// films is what movies.csv says: genres and, in the title, the year.
type films struct {
	genres map[string][]string
	years  map[string]int
}

func (f films) Categories(item string) []string { return f.genres[item] }
func (f films) Year(item string) int            { return f.years[item] }

// measuring skips a test that takes minutes unless they are asked for.
func measuring(t *testing.T) {
	t.Helper()
	if os.Getenv("MARS_MEASURE") == "" {
		t.Skip("takes a few minutes of CPU: set MARS_MEASURE=1 to measure")
	}
}

// movielens reads ml-latest-small, or skips the test.
func movielens(t testing.TB) (*graph.Graph, rank.Attributes) {
	t.Helper()
	ratings, movies := table(t, "ratings.csv"), table(t, "movies.csv")
	g, err := graph.Build(func(yield func(graph.Interaction, error) bool) {
		for _, r := range ratings {
			stars, _ := strconv.ParseFloat(r[2], 32)
			at, err := strconv.ParseInt(r[3], 10, 64)
			if !yield(graph.Interaction{User: r[0], Item: r[1], Time: at, Rating: float32(stars)}, err) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	f := films{map[string][]string{}, map[string]int{}}
	year := regexp.MustCompile(`\((\d{4})\)\s*$`)
	for _, m := range movies {
		if found := year.FindStringSubmatch(m[1]); found != nil {
			f.years[m[0]], _ = strconv.Atoi(found[1])
		}
		if m[2] != "(no genres listed)" {
			f.genres[m[0]] = strings.Split(m[2], "|")
		}
	}
	return g, f
}

// table returns the rows of a file of the data set, without its header.
func table(t testing.TB, name string) [][]string {
	t.Helper()
	path := filepath.Join("..", "..", "..", "shared", "data", "ml-latest-small", name)
	f, err := os.Open(path)
	if err != nil {
		t.Skipf("the data set ml-latest-small is not beside the repository: %v", err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows[1:]
}
