package catalog_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/datasets"
	"github.com/mars-rec/mars/tasks/datasets/formats"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/tools/catalog"
	"github.com/mars-rec/mars/tools/toolstest"
)

// movies imports ml-latest-small: the data set lies beside the repository, or
// the test is skipped.
func movies(t testing.TB) *datasets.Dataset {
	in := filepath.Join("..", "..", "..", "shared", "data", "ml-latest-small")
	if _, err := os.Stat(in); err != nil {
		t.Skipf("needs ml-latest-small beside the repository: %v", err)
	}
	reader, err := formats.Find("movielens")
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "ml")
	if _, err := datasets.Import(t.Context(), reader, in, out, datasets.ImportConfig{}); err != nil {
		t.Fatal(err)
	}
	d, err := datasets.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// views are those of users, each at the moment of the last interaction, with
// twenty candidates of all degrees.
func views(t testing.TB, d *datasets.Dataset, n int) []tasks.View {
	whole := d.Graph().At(d.Graph().End())
	popular := whole.Popular(0)
	var all []tasks.View
	for u := range whole.AllUsers() {
		if len(all) == n {
			break
		}
		history := whole.History(u)
		task := tasks.Task{ID: whole.UserID(u), Dataset: "ml", User: whole.UserID(u), AsOf: history[len(history)-1].Time}
		for i := range 20 {
			task.Candidates = append(task.Candidates, whole.ItemID(popular[i*200+len(all)]))
		}
		all = append(all, view(t, d, task))
	}
	return all
}

// The catalog on disk serves the tools as the one in memory does.
func TestContractOnDisk(t *testing.T) {
	d := movies(t)
	for _, v := range views(t, d, 3) {
		for _, named := range catalog.Tools(catalog.Config{}) {
			extra := []string{`{"item":"318"}`, `{"query":"star wars"}`, `{"query":"comedy drama"}`}
			if err := toolstest.Check(t.Context(), named.Factory, v, append(extra, calls[named.Name]...)...); err != nil {
				t.Errorf("user %s: %v", v.Task().User, err)
			}
		}
	}
}

// BenchmarkCall makes calls for users of ml-latest-small in turn.
func BenchmarkCall(b *testing.B) {
	all := views(b, movies(b), 100)
	for _, bc := range []struct{ tool, args string }{
		{"candidate_stats", `{}`}, {"user_profile", `{}`}, {"user_history", `{}`}, {"user_history", `{"summary":true}`},
		{"item_info", `{"item":"318"}`}, {"catalog_search", `{"query":"star wars"}`},
	} {
		b.Run(bc.tool+bc.args, func(b *testing.B) {
			var made []tools.Tool
			for _, v := range all {
				set, err := tools.Open(v, catalog.Tools(catalog.Config{})...)
				if err != nil {
					b.Fatal(err)
				}
				tool, _ := set.Find(bc.tool)
				made = append(made, tool)
			}
			for i := 0; b.Loop(); i++ {
				if _, err := made[i%len(made)].Call(b.Context(), json.RawMessage(bc.args)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
