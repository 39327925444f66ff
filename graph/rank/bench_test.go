//go:build unix

package rank_test

import (
	"encoding/csv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/graph/rank"
)

type question struct {
	user       string
	at         time.Time
	candidates []string
}

// lastEvents returns ml-latest-small and, for the last event of each user, a
// question as of it about twenty items drawn from the log.
func lastEvents(t testing.TB) (*graph.Graph, []question) {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "..", "shared", "data", "ml-latest-small", "ratings.csv"))
	if err != nil {
		t.Skipf("the data set ml-latest-small is not beside the repository: %v", err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var log []graph.Interaction
	last := map[string]int64{}
	for _, cells := range lines[1:] {
		at, _ := strconv.ParseInt(cells[3], 10, 64)
		log = append(log, graph.Interaction{User: cells[0], Item: cells[1], Time: at})
		last[cells[0]] = max(last[cells[0]], at)
	}
	g, err := graph.Build(rows(log))
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 1))
	var asked []question
	for u := 1; u <= len(last); u++ {
		q := question{user: strconv.Itoa(u), at: time.Unix(last[strconv.Itoa(u)], 0)}
		for range 20 {
			q.candidates = append(q.candidates, log[random.IntN(len(log))].Item)
		}
		asked = append(asked, q)
	}
	return g, asked
}

// The signals of the built-in rule for twenty candidates drawn by popularity,
// each question as of its own moment.
func BenchmarkScore(b *testing.B) {
	g, asked := lastEvents(b)
	for _, signal := range []string{rank.ItemCF, rank.ItemCFRecent, rank.UserCF, rank.Popularity} {
		b.Run(signal, func(b *testing.B) {
			b.ReportAllocs()
			start := cpu(b)
			defer func() { b.ReportMetric(float64(cpu(b)-start)/float64(b.N), "cpu-ns/op") }()
			for n := 0; b.Loop(); n++ {
				q := asked[n%len(asked)]
				if _, err := rank.Score(signal, g.At(q.at), q.user, q.candidates, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// cpu is the processor time that this process has used.
func cpu(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
