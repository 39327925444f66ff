package cf_test

import (
	"encoding/csv"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/taskstest"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/tools/cf"
	"github.com/mars-rec/mars/tools/toolstest"
)

// movies reads the ratings of ml-latest-small: the data set lies beside the
// repository, or the test is skipped.
func movies(b testing.TB) []graph.Interaction {
	f, err := os.Open(filepath.Join("..", "..", "..", "shared", "data", "ml-latest-small", "ratings.csv"))
	if err != nil {
		b.Skipf("needs ml-latest-small beside the repository: %v", err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	if _, err := r.Read(); err != nil {
		b.Fatal(err)
	}
	var log []graph.Interaction
	for {
		row, err := r.Read()
		if err == io.EOF {
			return log
		}
		if err != nil {
			b.Fatal(err)
		}
		rating, _ := strconv.ParseFloat(row[2], 32)
		at, err := strconv.ParseInt(row[3], 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		log = append(log, graph.Interaction{User: row[0], Item: row[1], Time: at, Rating: float32(rating)})
	}
}

// On a real log: the answers are those that one gets where the future has not
// happened.
func TestPastAlone(t *testing.T) {
	log := movies(t)
	source := taskstest.New(nil, nil, log, nil)
	at := source.Graph().Quantile(0.6)
	var past []graph.Interaction
	for _, in := range log {
		if in.Time < at.Unix() {
			past = append(past, in)
		}
	}
	alone := taskstest.New(nil, nil, past, nil)
	whole := source.Graph().At(source.Graph().End())
	popular := whole.Popular(0)
	for _, user := range []string{"1", "68", "414", "603", "610"} {
		task := tasks.Task{ID: user, User: user, AsOf: at}
		for i := range 20 {
			task.Candidates = append(task.Candidates, whole.ItemID(popular[i*300]))
		}
		for _, named := range cf.Tools(cf.Config{}) {
			all := append([]string{`{"item":"318","k":100}`, `{"item":"2571","measure":"lift"}`}, calls[named.Name]...)
			if err := toolstest.Leaks(t.Context(), named.Factory, view(t, source, task), view(t, alone, task), all...); err != nil {
				t.Error(err)
			}
		}
	}
}

// BenchmarkCall makes calls for users of ml-latest-small in turn, each at the
// moment of its last interaction, with twenty candidates of all degrees.
func BenchmarkCall(b *testing.B) {
	log := movies(b)
	source := taskstest.New(nil, nil, log, nil)
	whole := source.Graph().At(source.Graph().End())
	popular := whole.Popular(0)
	var views []tasks.View
	for u := range whole.AllUsers() {
		if len(views) == 100 {
			break
		}
		history := whole.History(u)
		task := tasks.Task{ID: whole.UserID(u), User: whole.UserID(u), AsOf: history[len(history)-1].Time}
		for i := range 20 {
			task.Candidates = append(task.Candidates, whole.ItemID(popular[i*200+len(views)]))
		}
		view, err := source.View(task)
		if err != nil {
			b.Fatal(err)
		}
		views = append(views, view)
	}
	for _, bc := range []struct{ tool, args string }{
		{"item_cf", `{"window":"all"}`}, {"item_cf", `{"window":"last:10"}`}, {"item_cf", `{"item":"318"}`},
		{"user_cf", `{"among":"candidates"}`}, {"user_cf", `{}`},
	} {
		b.Run(bc.tool+bc.args, func(b *testing.B) {
			var sets []tools.Tool
			for _, v := range views {
				set, err := tools.Open(v, cf.Tools(cf.Config{})...)
				if err != nil {
					b.Fatal(err)
				}
				tool, _ := set.Find(bc.tool)
				sets = append(sets, tool)
			}
			for i := 0; b.Loop(); i++ {
				if _, err := sets[i%len(sets)].Call(b.Context(), []byte(bc.args)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
