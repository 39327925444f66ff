package plot_test

import (
	"bytes"
	"image/png"
	"regexp"
	"strings"
	"testing"

	"github.com/mars-rec/mars/eval/plot"
)

// TestFiguresAreWhole: each figure has all its names, and nothing stands outside
// of it.
func TestFiguresAreWhole(t *testing.T) {
	marks := []plot.Mark{{Name: "teacher", Value: 0.5, Low: 0.45, High: 0.55}, {Name: "random", Control: true, Value: 0.15, Low: 0.1, High: 0.2}}
	for name, c := range map[string]struct {
		figure plot.Figure
		texts  []string
	}{
		"intervals": {plot.Intervals("Title", "mean HR", [][]plot.Panel{{{Title: "classic", Note: "10 cases", Marks: marks}, {Title: "cold", Marks: marks[:1]}}}),
			[]string{"Title", "classic", "10 cases", "cold", "teacher", "random", "mean HR"}},
		"ranks": {plot.Ranks("Title", []string{"1", "2–3", "missing"}, []plot.RankPanel{{Title: "uniform", Bars: []plot.Bar{{Name: "teacher", Shares: []float64{0.5, 0.25, 0.25}}}}}),
			[]string{"Title", "2–3", "missing", "uniform", "teacher", "50%", "25%"}},
		"tradeoff": {plot.Tradeoff("Title", "mean HR", "seconds", []plot.Point{{Mark: marks[0], Expense: 3}}, marks[1:]),
			[]string{"Title", "mean HR", "seconds", "teacher", "random", "10"}},
	} {
		var svg, picture bytes.Buffer
		if err := c.figure.WriteSVG(&svg); err != nil {
			t.Fatal(err)
		}
		for _, text := range c.texts {
			if !strings.Contains(svg.String(), ">"+text+"<") {
				t.Errorf("%s does not say %q", name, text)
			}
		}
		if outside := regexp.MustCompile(` x="-[1-9]`).FindString(svg.String()); outside != "" {
			t.Errorf("%s: something stands left of the figure: %s", name, outside)
		}
		if err := c.figure.WritePNG(&picture); err != nil {
			t.Fatal(err)
		}
		if _, err := png.Decode(&picture); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
