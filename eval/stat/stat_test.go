package stat_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/mars-rec/mars/eval/stat"
)

func near(a, b float64) bool { return math.Abs(a-b) < 1e-12 }

func compare(t *testing.T, a, b []float64, clusters []string) stat.Comparison {
	t.Helper()
	c, err := stat.Compare(a, b, clusters, stat.Config{Rounds: 1000, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFewSignsAreTriedAll(t *testing.T) {
	// Differences 1, 1, 1: of the 8 flips, +++ and --- are as large.
	if p := compare(t, []float64{1, 1, 1}, []float64{0, 0, 0}, nil).P; p != 0.25 {
		t.Errorf("three ones: p = %v, want 0.25", p)
	}
	// In two clusters there are 4 flips, 2 as large.
	if p := compare(t, []float64{1, 1, 1}, []float64{0, 0, 0}, []string{"ann", "bob", "ann"}).P; p != 0.5 {
		t.Errorf("two clusters: p = %v, want 0.5", p)
	}
	if c := compare(t, []float64{.1, .3}, []float64{.1, .3}, nil); c.P != 1 || c.Verdict != stat.Undecided || c.Effect != 0 || c.Detectable != 0 {
		t.Errorf("no difference: %+v", c)
	}
}

// sixty is 400 cases of 100 users, four each with the same difference: +1 for 60
// users, 0 for 40. The mean is 0.6; its standard error over users 0.0492.
func sixty() (a, b []float64, users []string) {
	for k := range 400 {
		x := 0.0
		if k%100 < 60 {
			x = 1
		}
		a, b, users = append(a, x), append(b, 0), append(users, fmt.Sprint(k%100))
	}
	return a, b, users
}

func TestCompare(t *testing.T) {
	a, b, users := sixty()
	c := compare(t, a, b, users)
	if !near(c.Difference, 0.6) || c.Cases != 400 || c.Clusters != 100 {
		t.Errorf("got %+v", c)
	}
	// By hand: variance 0.6·0.4·100/99, so the error is √(0.24·100/99)/10.
	if want := math.Sqrt(0.24*100/99) / 10; !near(c.Error, want) || !near(c.Effect, 0.6/(10*want)) || math.Abs(c.Detectable-2.8016*want) > 1e-4 {
		t.Errorf("error %g, effect %g, detectable %g", c.Error, c.Effect, c.Detectable)
	}
	if math.Abs(c.Low-(0.6-1.96*0.049)) > 0.02 || math.Abs(c.High-(0.6+1.96*0.049)) > 0.02 {
		t.Errorf("interval %.3f to %.3f: want about 0.504 to 0.696", c.Low, c.High)
	}
	if c.P > 0.001 || c.Verdict != stat.More {
		t.Errorf("p = %v, %s", c.P, c.Verdict)
	}
	// Taken for independent, the interval is half as wide: clusters matter.
	if alone := compare(t, a, b, nil); alone.High-alone.Low > 0.6*(c.High-c.Low) {
		t.Errorf("without clusters %.3f to %.3f", alone.Low, alone.High)
	}
	mirrored := compare(t, b, a, users)
	if mirrored.Difference != -c.Difference || mirrored.P != c.P || mirrored.Verdict != stat.Less {
		t.Errorf("the other way round: %+v", mirrored)
	}
}

// TestRelative: a lead as a share of what it is over, by hand where it is the
// same in every sample, and none where there is nothing to be above.
func TestRelative(t *testing.T) {
	second := []float64{1, 2, 3, 4, 5, 6}
	first := make([]float64, len(second))
	for k, x := range second {
		first[k] = 1.25 * x
	}
	got := compare(t, first, second, nil).Relative
	if got == nil || !near(got.Lead, 0.25) || !near(got.Low, 0.25) || !near(got.High, 0.25) {
		t.Errorf("a quarter more in each case: %+v", got)
	}
	a, b, users := sixty()
	c := compare(t, a, append([]float64{1}, b[1:]...), users)
	if c.Relative != nil {
		t.Errorf("a sample without the only hit has nothing to be above: %+v", c.Relative)
	}
	uneven := compare(t, []float64{3, 2, 4, 4, 7, 5}, second, nil).Relative
	if uneven == nil || !near(uneven.Lead, 25./21-1) || uneven.Low >= uneven.Lead || uneven.High <= uneven.Lead {
		t.Errorf("four twenty-firsts: %+v", uneven)
	}
}

// TestWorkersChangeNothing: every figure of a panel is the same with any number
// of them.
func TestWorkersChangeNothing(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	scores := make([][]float64, 5)
	var users []string
	for k := range 300 {
		users = append(users, fmt.Sprint(random.IntN(120)))
		for s := range scores {
			scores[s] = append(scores[s], random.Float64())
		}
		_ = k
	}
	p, err := stat.New(users, scores...)
	if err != nil {
		t.Fatal(err)
	}
	one, many := p.Resample(stat.Config{Rounds: 501, Seed: 9, Workers: 1}), p.Resample(stat.Config{Rounds: 501, Seed: 9, Workers: 8})
	if !reflect.DeepEqual(one, many) {
		t.Error("one worker and eight draw differently")
	}
	if other := p.Resample(stat.Config{Rounds: 501, Seed: 10}); other.Compare(0, 1) == one.Compare(0, 1) {
		t.Error("another seed gives the same figures")
	}
	low, high := one.Interval(2)
	if m := p.Mean(2); low >= m || high <= m || math.Abs((high-low)/(2*1.96)-p.Error(2)) > 0.2*p.Error(2) {
		t.Errorf("the interval of %g ± %g is %g to %g", p.Mean(2), p.Error(2), low, high)
	}
}

// TestNothingIsFound: of two systems that are alike, the test at 5% claims a
// difference about once in twenty times.
func TestNothingIsFound(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 4))
	found, covered, times := 0, 0, 300
	for range times {
		var a, b []float64
		for range 60 {
			a, b = append(a, random.NormFloat64()), append(b, random.NormFloat64())
		}
		c, err := stat.Compare(a, b, nil, stat.Config{Rounds: 400, Seed: random.Uint64()})
		if err != nil {
			t.Fatal(err)
		}
		if c.Verdict != stat.Undecided {
			found++
		}
		if c.Low <= 0 && c.High >= 0 {
			covered++
		}
	}
	if found < 5 || found > 30 || covered < 265 {
		t.Errorf("of %d equal pairs %d are told apart, and %d intervals cover 0", times, found, covered)
	}
}

// TestPower: a difference of the detectable size is found about four times in
// five.
func TestPower(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	found, times := 0, 300
	effect := 2.8016 / math.Sqrt(80) // of differences with variance 1 in 80 cases
	for range times {
		var a, b []float64
		for range 80 {
			a, b = append(a, effect+random.NormFloat64()), append(b, 0)
		}
		if c, err := stat.Compare(a, b, nil, stat.Config{Rounds: 400, Seed: random.Uint64()}); err != nil {
			t.Fatal(err)
		} else if c.Verdict == stat.More {
			found++
		}
	}
	if share := float64(found) / float64(times); share < 0.72 || share > 0.88 {
		t.Errorf("%g of them are found, want about 0.8", share)
	}
}

func TestHolm(t *testing.T) {
	// By hand: 3·0.01, 2·0.02, then no less than the one before.
	list := []*stat.Comparison{{P: 0.03, Difference: 1}, {P: 0.01, Difference: -1}, {P: 0.02, Difference: 1}}
	stat.Holm(list)
	want := []float64{0.04, 0.03, 0.04}
	for k, c := range list {
		if !near(c.Holm, want[k]) {
			t.Errorf("comparison %d: p %g becomes %g, want %g", k, c.P, c.Holm, want[k])
		}
	}
	if list[1].Verdict != stat.Less || list[0].Verdict != stat.More {
		t.Errorf("verdicts %s, %s", list[1].Verdict, list[0].Verdict)
	}
	list = []*stat.Comparison{{P: 0.03, Difference: 1}, {P: 0.04, Difference: 1}}
	stat.Holm(list)
	if list[0].Verdict != stat.Undecided || list[1].Verdict != stat.Undecided {
		t.Errorf("two that do not carry both: %s, %s", list[0].Verdict, list[1].Verdict)
	}
}

func TestSpreadOf(t *testing.T) {
	if got, want := stat.SpreadOf([]float64{1, 2, 3}), (stat.Spread{Seeds: 3, SD: 1, Low: 1, High: 3}); got != want {
		t.Errorf("got %+v", got)
	}
	if got := stat.SpreadOf([]float64{2}); got.SD != 0 || got.Seeds != 1 {
		t.Errorf("of one: %+v", got)
	}
	if got := stat.SpreadOf(nil); got != (stat.Spread{}) {
		t.Errorf("of none: %+v", got)
	}
}

func TestCompareRefuses(t *testing.T) {
	for _, c := range []struct {
		a, b  []float64
		users []string
	}{{[]float64{1}, []float64{1, 2}, nil}, {nil, nil, nil}, {[]float64{1}, []float64{2}, []string{}}} {
		if _, err := stat.Compare(c.a, c.b, c.users, stat.Config{}); err == nil {
			t.Errorf("%v, %v in %v: accepted", c.a, c.b, c.users)
		}
	}
}

func ExampleCompare() {
	teacher := []float64{1, 1, 2. / 3, 1, 0, 1}
	popular := []float64{1. / 3, 0, 2. / 3, 0, 0, 1. / 3}
	users := []string{"ann", "bob", "cat", "dan", "eve", "flo"}
	c, err := stat.Compare(teacher, popular, users, stat.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%+.3f, p = %.3f: %s; six users show no less than %.2f\n", c.Difference, c.P, c.Verdict, c.Detectable)
	// Output: +0.556, p = 0.125: undecided; six users show no less than 0.52
}
