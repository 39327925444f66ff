package eval_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/mars-rec/mars/eval"
	"github.com/mars-rec/mars/graph/rank"
	"github.com/mars-rec/mars/tasks/datasets"
	"github.com/mars-rec/mars/tasks/datasets/formats"
	"github.com/mars-rec/mars/tasks/gold"
)

// TestIndependent compares three controls on MovieLens with testdata/independent.py,
// which computes them from the raw ratings and shares no code with this
// repository: each case has the same rank, and the means are the same to the
// last digit. With MARS_MEASURE=1 it takes all users.
func TestIndependent(t *testing.T) {
	source, err := filepath.Abs("../../shared/data/ml-latest-small")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(source); errors.Is(err, fs.ErrNotExist) {
		t.Skip("needs ../shared/data/ml-latest-small")
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3")
	}
	users := 60 // take seconds; all of them a minute
	if os.Getenv("MARS_MEASURE") != "" {
		users = 0
	}
	dir := t.TempDir()
	reader, _, err := formats.Detect(source)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := datasets.Import(t.Context(), reader, source, filepath.Join(dir, "ml"), datasets.ImportConfig{}); err != nil {
		t.Fatal(err)
	}
	d, err := datasets.Open(filepath.Join(dir, "ml"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, negatives := range []gold.Negatives{gold.Uniform, gold.Popular} {
		set, err := gold.LeaveLastOut("ml", d.Graph(), gold.Config{Scenarios: []gold.Scenario{gold.Classic, gold.ColdStartItem}, Negatives: negatives, Seed: 42, Limit: users})
		if err != nil {
			t.Fatal(err)
		}
		tasksFile, goldFile := filepath.Join(dir, string(negatives)), filepath.Join(dir, string(negatives)+"-gold")
		if _, err := set.Save(tasksFile, goldFile, gold.Recipe{}); err != nil {
			t.Fatal(err)
		}
		independent(t, python, filepath.Join(source, "ratings.csv"), tasksFile, goldFile, func() (*eval.Results, error) {
			systems := []eval.System{eval.Control(rank.MostPopular()), eval.Control(rank.ItemKNN()), eval.Control(rank.ItemCFLastTen())}
			return eval.Run(t.Context(), []eval.Set{{Name: string(negatives), Cases: set.Cases}}, systems, eval.Config{Graph: d.Graph()})
		})
	}
}

func independent(t *testing.T, python, ratings, tasksFile, goldFile string, run func() (*eval.Results, error)) {
	t.Helper()
	var said bytes.Buffer
	c := exec.Command(python, filepath.Join("testdata", "independent.py"), ratings, tasksFile, goldFile)
	c.Stdout, c.Stderr = &said, os.Stderr
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	var want map[string]struct {
		Ranks []int   `json:"ranks"`
		HR1   float64 `json:"hr@1"`
		HR3   float64 `json:"hr@3"`
		HR5   float64 `json:"hr@5"`
		Mean  float64 `json:"mean_hr"`
		MRR   float64 `json:"mrr"`
		NDCG  float64 `json:"ndcg@10"`
	}
	if err := json.Unmarshal(said.Bytes(), &want); err != nil {
		t.Fatal(err)
	}
	results, err := run()
	if err != nil {
		t.Fatal(err)
	}
	report, err := results.Report()
	if err != nil {
		t.Fatal(err)
	}
	for k, column := range results.Columns() {
		w := want[column.System]
		var ranks []int
		for c := range results.EachCase() {
			ranks = append(ranks, c.Ranks[k])
		}
		if !slices.Equal(ranks, w.Ranks) {
			t.Errorf("%s, %s: the ranks are others", tasksFile, column)
			for n := range ranks {
				if n < len(w.Ranks) && ranks[n] != w.Ranks[n] {
					t.Errorf("case %d: %d here, %d there", n, ranks[n], w.Ranks[n])
				}
			}
			continue
		}
		row, ok := report.Groups[0].Tables[0].Row(column.System)
		if !ok || row.Cases != len(ranks) {
			t.Fatalf("%s: %+v", column, row)
		}
		for name, pair := range map[string][2]float64{"HR@1": {row.HR1, w.HR1}, "HR@3": {row.HR3, w.HR3}, "HR@5": {row.HR5, w.HR5},
			"mean HR": {row.MeanHR, w.Mean}, "MRR": {row.MRR, w.MRR}, "NDCG@10": {row.NDCG10, w.NDCG}} {
			// Fifteen digits: the last bit of a logarithm is the machine's.
			if a, b := digits(pair[0]), digits(pair[1]); a != b {
				t.Errorf("%s, %s, %s: %s here, %s there", tasksFile, column, name, a, b)
			}
		}
	}
}

func digits(x float64) string { return strconv.FormatFloat(x, 'g', 15, 64) }
