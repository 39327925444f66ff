package export_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/export"
	"github.com/mars-rec/mars/trajectories/filter"
)

func runsOf(users, each int) []*trajectories.Trajectory {
	var all []*trajectories.Trajectory
	for i := range users * each {
		t := run(fmt.Sprintf("t%d", i), answer)
		t.Run.Task.User = fmt.Sprintf("u%d", i%users)
		all = append(all, t)
	}
	return all
}

func splits(t *testing.T, text string) filter.Splits {
	s, err := filter.ParseSplits(text, 42)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSplitsByUser: the sides of an export share no user, have all rows between
// them, and the files beside them name the validation.
func TestSplitsByUser(t *testing.T) {
	for _, shard := range []int{0, 7} {
		dir := t.TempDir()
		cfg := export.Config{Tools: specs, ShardRows: shard, Splits: splits(t, "train=0.6,validation=0.3,test=0.1")}
		m, err := export.Write(context.Background(), dir, export.TRLGRPO, cfg, all(runsOf(40, 3)...), export.Source{})
		if err != nil {
			t.Fatal(err)
		}
		side := map[string]string{}
		rows := map[string]int{}
		for _, f := range m.Files {
			if f.Split == "" || !strings.HasPrefix(f.Name, f.Split) {
				t.Errorf("file %+v", f)
			}
			text, err := os.ReadFile(filepath.Join(dir, f.Name))
			if err != nil {
				t.Fatal(err)
			}
			for line := range bytes.Lines(text) {
				var row struct {
					User  string `json:"user_id"`
					Index int    `json:"task_index"`
				}
				if err := json.Unmarshal(line, &row); err != nil {
					t.Fatal(err)
				}
				if was, ok := side[row.User]; ok && was != f.Split {
					t.Errorf("user %s is in %s and in %s", row.User, was, f.Split)
				}
				if row.Index != rows[f.Split] {
					t.Errorf("row %d of %s has the index %d", rows[f.Split], f.Split, row.Index)
				}
				side[row.User] = f.Split
				rows[f.Split]++
			}
		}
		if len(side) != 40 || m.Rows != 120 || len(m.Splits) != 3 {
			t.Errorf("%d users, %d rows, %+v", len(side), m.Rows, m.Splits)
		}
		for _, s := range m.Splits {
			if s.Rows != rows[s.Split] || s.Rows != 3*s.Users || s.Users == 0 {
				t.Errorf("%+v, and %d rows", s, rows[s.Split])
			}
		}
		// Sides that are no longer asked for go.
		cfg.Splits = filter.Splits{}
		if m, err = export.Write(context.Background(), dir, export.TRLGRPO, cfg, all(runsOf(40, 3)...), export.Source{}); err != nil {
			t.Fatal(err)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "*.jsonl")); len(left) != len(m.Files) {
			t.Errorf("%v are there, the manifest names %v", left, m.Files)
		}
	}
}

// TestConfigsNameTheValidation: those whose consumer takes a validation.
func TestConfigsNameTheValidation(t *testing.T) {
	for name, file := range map[string]string{
		export.TRLSFT: "sft.yaml", export.VerlSFT: "sft.sh", export.VerlRL: "grpo.sh",
		export.LLaMAFactory: "llamafactory.yaml", export.Swift: "swift.yaml", export.Axolotl: "axolotl.yaml",
	} {
		for _, shares := range []string{"train=1", "train=0.5,validation=0.5"} {
			dir := t.TempDir()
			cfg := export.Config{Tools: specs, Splits: splits(t, shares)}
			if _, err := export.Write(context.Background(), dir, name, cfg, all(runsOf(20, 1)...), export.Source{}); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				t.Fatal(err)
			}
			if got, want := bytes.Contains(text, []byte("validation")), shares != "train=1"; got != want {
				t.Errorf("%s with %s: the validation is named: %v\n%s", name, shares, got, text)
			}
		}
	}
}

// TestASideThatBreaksEndsAll: a row that breaks a promise, and groups that
// cannot be read, leave no manifest, whichever side they are of.
func TestASideThatBreaksEndsAll(t *testing.T) {
	good := runsOf(60, 1)
	for i := range 3 {
		dir := t.TempDir()
		cfg := export.Config{Tools: specs, Splits: splits(t, "train=0.5,validation=0.5")}
		bad := slices.Clone(good)
		bad[20+i] = run("bad", strings.Replace(answer, "Émile", "<|im_end|>", 1))
		bad[20+i].Run.Task.User = fmt.Sprintf("u%d", 20+i)
		if _, err := export.Write(context.Background(), dir, export.TRLSFT, cfg, all(bad...), export.Source{}); err == nil || !strings.Contains(err.Error(), "run bad") {
			t.Errorf("error %v", err)
		}
		lost := errors.New("the store is damaged")
		failing := func(yield func(export.Group, error) bool) {
			for g := range groups(good[:10+i]...) {
				if !yield(g, nil) {
					return
				}
			}
			yield(export.Group{}, lost)
		}
		if _, err := export.Write(context.Background(), dir, export.TRLSFT, cfg, export.Chosen{Groups: failing}, export.Source{}); !errors.Is(err, lost) {
			t.Errorf("error %v", err)
		}
		if left, _ := fs.Glob(os.DirFS(dir), "manifest.json"); len(left) > 0 {
			t.Errorf("%v are left", left)
		}
	}
}

// TestPermutations: each run is written under so many orders, none twice the
// same by design of the draw, and the gold item's place in them is uniform.
func TestPermutations(t *testing.T) {
	read := func(seed int64, n, runs int) []string {
		dir := t.TempDir()
		m, err := export.Write(context.Background(), dir, export.Text, export.Config{Tools: specs, Permutations: n, Seed: seed}, all(runsOf(runs, 1)...), export.Source{})
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(dir, "train.jsonl"))
		if err != nil || m.Permutations != n {
			t.Fatal(err, m.Permutations)
		}
		return slices.Collect(strings.Lines(string(text)))
	}
	lines := read(1, 6, 200)
	if len(lines) != 1200 {
		t.Fatalf("%d rows", len(lines))
	}
	if !slices.Equal(lines, read(1, 6, 200)) || slices.Equal(lines, read(2, 6, 200)) {
		t.Error("the rows are not a function of the seed")
	}
	places := map[int]int{}
	for _, line := range lines {
		var row struct {
			Text       string   `json:"text"`
			Candidates []string `json:"candidates"`
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		place := slices.Index(row.Candidates, "i2")
		places[place]++
		label := fmt.Sprintf("c%02d", place+1)
		for _, want := range []string{label + " | Emma | Classics", label + ` \"Emma\"`, `"label":"` + label + `"`, label + ":9=0.5", label + " leads", `<recommend>["` + label + `"`} {
			if !strings.Contains(row.Text, want) {
				t.Fatalf("%q is not in\n%s", want, row.Text)
			}
		}
	}
	// Of 1,200 draws from 3 places, chi-square with 2 degrees of freedom: 13.8
	// is exceeded once in a thousand seeds, and the seed is fixed.
	chi := 0.
	for place := range 3 {
		off := float64(places[place]) - 400
		chi += off * off / 400
	}
	if chi > 13.8 {
		t.Errorf("the right item is at %v", places)
	}
	if _, err := export.Write(context.Background(), t.TempDir(), export.TRLGRPO, export.Config{Tools: specs, Permutations: 2}, all(runsOf(1, 1)...), export.Source{}); err == nil || !strings.Contains(err.Error(), "own order") {
		t.Errorf("permutations of tasks: %v", err)
	}
}
