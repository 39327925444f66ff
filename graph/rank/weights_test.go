package rank_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mars-rec/mars/graph/rank"
	"pgregory.net/rapid"
)

func weights() rank.Weights {
	return rank.Weights{
		Version: rank.WeightsVersion, Dataset: "books", Before: time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC),
		Features: []rank.Feature{
			{Signal: rank.ItemCF, Form: rank.Value, Mean: 1, Scale: 2, Weight: 3},
			{Signal: rank.Popularity, Form: rank.Fallback, Scale: 1, Weight: 0.5},
		},
		Provenance: rank.Provenance{Cases: 10, Users: 5, Candidates: 20, Seed: 42},
	}
}

func TestWeightsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "weights.json")
	if err := weights().Save(path); err != nil {
		t.Fatal(err)
	}
	got, err := rank.Load(path)
	if err != nil || fmt.Sprint(got) != fmt.Sprint(weights()) {
		t.Fatalf("saved %v, loaded %v, %v", weights(), got, err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string][2]string{
		"version 2":       {`"version": 1`, `"version": 2`},
		"unknown field":   {`"dataset"`, `"datset"`},
		"unknown":         {`"fallback"`, `"square"`},
		"positive scale":  {`"scale": 2`, `"scale": 0`},
		"no features":     {string(whole[strings.Index(string(whole), `"features": [`):strings.Index(string(whole), `"provenance"`)]), `"features": [],`},
		"follows":         {"\n}\n", "\n}{}\n"},
		"\"before\"":      {`"before": "2018-01-01T00:00:00Z",`, ``},
		"not what mars":   {`{`, `[`},
		"no signal":       {`"signal": "popularity"`, `"signal": ""`},
		"cannot unmarsha": {`"weight": 3`, `"weight": "3"`},
	} {
		text := strings.Replace(string(whole), edit[0], edit[1], 1)
		if text == string(whole) {
			t.Fatalf("%s: the edit changes nothing", name)
		}
		if _, err := rank.Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v: want an error with %q", err, name)
		}
	}
	if _, err := rank.Load(filepath.Join(t.TempDir(), "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestCheckTask(t *testing.T) {
	w := weights()
	if err := w.CheckTask(w.Before); err != nil {
		t.Errorf("a task at T0: %v", err)
	}
	if err := w.CheckTask(w.Before.Add(-time.Second)); err == nil || !strings.Contains(err.Error(), "2018-01-01T00:00:00Z") {
		t.Errorf("a task before T0: %v", err)
	}
	if err := rank.Default().CheckTask(time.Unix(0, 0)); err != nil {
		t.Errorf("the built-in rule: %v", err)
	}
}

func TestFuse(t *testing.T) {
	w := weights()
	// item_cf: 3·(x−1)/2. Of three candidates one is silent: popularity counts a third.
	z := rank.Standard([]float64{1, 2, 3})
	got := w.Fuse(map[string][]float64{rank.ItemCF: {5, 0, 1}, rank.Popularity: {1, 2, 3}})
	for k, want := range []float64{6 + 0.5*z[0]/3, -1.5 + 0.5*z[1]/3, 0 + 0.5*z[2]/3} {
		if math.Abs(got[k]-want) > 1e-12 {
			t.Errorf("candidate %d: got %v, want %v", k, got[k], want)
		}
	}
	for name, signals := range map[string]map[string][]float64{
		"nothing":       nil,
		"empty":         {rank.ItemCF: {}},
		"other lengths": {rank.ItemCF: {1, 2}, rank.Popularity: {1, 2, 3}},
		"not finite":    {rank.ItemCF: {1, math.NaN(), 3}, rank.Popularity: {1, 2, math.Inf(1)}},
		"unknown":       {"astrology": {1, 2, 3}},
	} {
		got := w.Fuse(signals)
		if slices.ContainsFunc(got, func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) }) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Popularity speaks against an item while others speak of most, and for it where
// nobody does.
func TestFallback(t *testing.T) {
	popularity := []float64{3, 2, 1}
	silent := rank.Default().Fuse(map[string][]float64{rank.Popularity: popularity, rank.ItemCF: {0, 0, 0}, rank.UserCF: {0, 0, 0}})
	if !(silent[0] > silent[1] && silent[1] > silent[2]) {
		t.Errorf("nobody speaks: %v: want the most popular first", silent)
	}
	heard := rank.Default().Fuse(map[string][]float64{rank.Popularity: popularity, rank.ItemCF: {1, 1, 1}, rank.UserCF: {1, 1, 1}})
	if !(heard[0] < heard[1] && heard[1] < heard[2]) {
		t.Errorf("others speak alike: %v: want the least popular first", heard)
	}
}

// Four digits of the scores are enough: rounding moves no candidate past one
// whose fused score is a tenth away.
func TestFuseOfRoundedScores(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 20).Draw(t, "candidates")
		exact, rounded := map[string][]float64{}, map[string][]float64{}
		for _, s := range rank.Default().Signals() {
			xs := rapid.SliceOfN(rapid.OneOf(rapid.Just(0.0), rapid.Float64Range(0.001, 8)), n, n).Draw(t, s)
			exact[s] = xs
			for _, x := range xs {
				r, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 4, 64), 64)
				rounded[s] = append(rounded[s], r)
			}
			// Signals that differ by less than what rounding keeps are equal to it.
			if spread := slices.Max(xs) - slices.Min(xs); spread != 0 && spread < 0.5 {
				t.Skip("the scores are as good as equal")
			}
		}
		a, b := rank.Default().Fuse(exact), rank.Default().Fuse(rounded)
		for i := range n {
			for j := range n {
				if a[i] > a[j]+0.1 && b[i] <= b[j] {
					t.Fatalf("exact %v, rounded %v", a, b)
				}
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"version":1,"dataset":"d","before":"2018-01-01T00:00:00Z","features":[{"signal":"item_cf","form":"value","mean":0,"scale":1,"weight":1}],"provenance":{}}`))
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"version":1e999}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		w, err := rank.Parse(b)
		if err != nil {
			return
		}
		for _, x := range w.Fuse(map[string][]float64{rank.ItemCF: {1, 0}, rank.Popularity: {2, 3}}) {
			if math.IsNaN(x) && !huge(w) {
				t.Fatalf("accepted weights fuse to %v: %+v", x, w)
			}
		}
	})
}

// huge numbers may overflow; then Order puts the candidate last.
func huge(w rank.Weights) bool {
	return slices.ContainsFunc(w.Features, func(f rank.Feature) bool {
		return math.Abs(f.Mean) > 1e100 || math.Abs(f.Weight) > 1e100 || f.Scale < 1e-100
	})
}
