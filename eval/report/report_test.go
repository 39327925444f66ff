package report_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"image/png"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/parquet-go/parquet-go"

	"github.com/mars-rec/mars/eval"
	"github.com/mars-rec/mars/eval/metric"
	"github.com/mars-rec/mars/eval/report"
	"github.com/mars-rec/mars/graph/rank"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/tasks/taskstest"
)

// results are of two groups, one of two seeds, and of a system with two runs and
// odd characters in its name.
func results(t *testing.T) (*eval.Results, eval.Report) {
	t.Helper()
	source, task := taskstest.Library()
	var sets []eval.Set
	for k, n := range []gold.Negatives{gold.Uniform, gold.Uniform, gold.Popular} {
		set := eval.Set{Name: fmt.Sprintf("%s-%d", n, k), Recipe: &gold.Recipe{Config: &gold.Config{Negatives: n, Pool: gold.Available, Candidates: len(task.Candidates), Seed: uint64(k)}}}
		for i := range 12 {
			c := gold.Case{Task: task, Gold: gold.Gold{Items: []string{task.Candidates[(i+k)%len(task.Candidates)]}}}
			c.Task.ID, c.Task.User, c.Task.Scenario = fmt.Sprintf("t%d", i), fmt.Sprintf("u,%d", i/2), []string{"classic", "cold_start & co"}[i%2]
			set.Cases = append(set.Cases, c)
		}
		sets = append(sets, set)
	}
	second := 0.5
	student := func(turn int) eval.System {
		return eval.System{Name: `student|50% "x"`, Rank: func(_ context.Context, q eval.Question) (eval.Answer, error) {
			if q.Task.ID == "t3" {
				return eval.Answer{}, nil
			}
			list := append(slices.Clone(q.Task.Candidates[turn:]), q.Task.Candidates[:turn]...)
			return eval.Answer{Ranking: list, Expense: &eval.Expense{Seconds: &second}}, nil
		}}
	}
	systems := []eval.System{student(0), student(1), eval.Control(rank.MostPopular()), eval.Control(rank.Random())}
	systems = append(systems, eval.System{Name: "partial", Sets: []string{"popular-2"}, Rank: systems[0].Rank})
	res, err := eval.Run(t.Context(), sets, systems, eval.Config{Graph: source.Graph(), Rounds: 200, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	r, err := res.Report()
	if err != nil {
		t.Fatal(err)
	}
	return res, r
}

func written(t *testing.T) (dir string, res *eval.Results, r eval.Report) {
	t.Helper()
	res, r = results(t)
	dir = filepath.Join(t.TempDir(), "out")
	if err := report.Write(dir, res, r, false); err != nil {
		t.Fatal(err)
	}
	return dir, res, r
}

// TestResultsKeepTheirSchema: results.json is valid under the schema beside it,
// which refuses what is something else.
func TestResultsKeepTheirSchema(t *testing.T) {
	dir, _, r := written(t)
	var s jsonschema.Schema
	read(t, filepath.Join(dir, report.SchemaFile), &s)
	resolved, err := s.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	var data map[string]any
	read(t, filepath.Join(dir, report.ResultsFile), &data)
	if err := resolved.Validate(data); err != nil {
		t.Error(err)
	}
	data["cases"] = "many"
	if resolved.Validate(data) == nil {
		t.Error("the schema takes text for a number")
	}
	var again eval.Report
	read(t, filepath.Join(dir, report.ResultsFile), &again)
	a, _ := json.Marshal(r)
	b, _ := json.Marshal(again)
	if !bytes.Equal(a, b) {
		t.Error("what was read is not what was written")
	}
}

func read(t *testing.T, path string, v any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestCasesGiveTheFigures: the figures of a table follow from cases.csv, and
// the parquet file says the same.
func TestCasesGiveTheFigures(t *testing.T) {
	dir, _, r := written(t)
	f, err := os.Open(filepath.Join(dir, report.CSVFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1+36 || rows[1][3] != "u,0" {
		t.Fatalf("%d rows, the first %q", len(rows), rows[1])
	}
	column := slices.Index(rows[0], "rank:random")
	var ranks []int
	for _, row := range rows[1:] {
		if row[1] == "uniform" {
			n, err := strconv.Atoi(row[column])
			if err != nil {
				t.Fatal(err)
			}
			ranks = append(ranks, n)
		}
	}
	random, _ := r.Groups[0].Tables[0].Row("random")
	if got := metric.Summarise(ranks); got != random.Summary || math.IsNaN(got.MRR) {
		t.Errorf("from the cases %+v, in the table %+v", got, random.Summary)
	}
	partial := slices.Index(rows[0], "rank:partial")
	if rows[1][partial] != "" || rows[36][partial] == "" || rows[4][slices.Index(rows[0], `rank:student|50% "x"`)] != "0" {
		t.Errorf("a system that was not asked, and a miss: %q, %q", rows[1], rows[4])
	}

	p, err := os.Open(filepath.Join(dir, report.ParquetFile))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	reader := parquet.NewReader(p)
	defer reader.Close()
	columns := reader.Schema().Columns()
	for k := 1; ; k++ {
		buffer := make([]parquet.Row, 1)
		n, err := reader.ReadRows(buffer)
		if n == 1 {
			for _, v := range buffer[0] {
				name := columns[v.Column()][0]
				text := ""
				if !v.IsNull() {
					text = v.String()
				}
				if want := rows[k][slices.Index(rows[0], name)]; text != want {
					t.Errorf("row %d, %s: %q in parquet, %q in CSV", k, name, text, want)
				}
			}
		}
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestTables(t *testing.T) {
	dir, _, r := written(t)
	markdown, err := os.ReadFile(filepath.Join(dir, report.MarkdownDoc))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"### uniform negatives, all scenarios: 24 cases of 6 users, 2 seeds", "### together, all scenarios: 36 cases of 6 users\n", "| student\\|50% \"x\" |", "“?”: the sample cannot tell", "seeds: runs", "0.5 s"} {
		if !strings.Contains(string(markdown), want) {
			t.Errorf("the Markdown lacks %q:\n%s", want, markdown)
		}
	}
	latex, err := os.ReadFile(filepath.Join(dir, report.LaTeXDoc))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`student|50\% "x"`, `cold\_start \& co`, `\toprule`, `\textbf{`} {
		if !strings.Contains(string(latex), want) {
			t.Errorf("the LaTeX lacks %q", want)
		}
	}
	if n := strings.Count(string(latex), `\begin{tabular}`); n != strings.Count(string(latex), `\end{tabular}`) || n != 14 {
		t.Errorf("%d tables in LaTeX, want 2 each of 6 and of all together", n)
	}
	r.Against, r.Groups[0].Tables[0].Pairs = "", r.Groups[0].Tables[0].Pairs[:1]
	var b bytes.Buffer
	if err := report.WriteMarkdown(&b, r); err != nil || !strings.Contains(b.String(), ": any two") {
		t.Errorf("%v: no table of pairs", err)
	}
}

// TestPlots: figures are well-formed, not empty, and the same each time.
func TestPlots(t *testing.T) {
	dir, res, r := written(t)
	found := 0
	err := filepath.WalkDir(filepath.Join(dir, report.PlotFolder), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		found++
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.HasSuffix(path, ".svg") {
			return xml.Unmarshal(b, new(struct{}))
		}
		picture, err := png.Decode(bytes.NewReader(b))
		if err != nil {
			return err
		}
		colours := map[any]bool{}
		for x := range picture.Bounds().Dx() {
			for y := range picture.Bounds().Dy() {
				colours[picture.At(x, y)] = true
			}
		}
		if len(colours) < 10 {
			t.Errorf("%s has %d colours", path, len(colours))
		}
		return nil
	})
	if err != nil || found != 2*4 { // scenarios, ranks, latency of two groups
		t.Errorf("%d files, %v", found, err)
	}
	for name, f := range report.Plots(res, r) {
		var b bytes.Buffer
		if err := f.WriteSVG(&b); err != nil {
			t.Fatal(err)
		}
		if on, err := os.ReadFile(filepath.Join(dir, report.PlotFolder, name+".svg")); err != nil || !bytes.Equal(on, b.Bytes()) {
			t.Errorf("%s is drawn in another way the second time (%v)", name, err)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	dir, res, r := written(t)
	if err := report.Write(dir, res, r, false); err == nil || !strings.Contains(err.Error(), "has results already") {
		t.Errorf("writes over results: %v", err)
	}
	if err := report.Write(dir, res, r, true); err != nil {
		t.Error(err)
	}
}
