package plot

import (
	"math"
	"slices"
)

// Mark is one system in a figure.
type Mark struct {
	Name      string
	Control   bool // what others are compared with: grey
	Value     float64
	Low, High float64 // of the 95% interval
}

// Panel is the marks of one scenario. A system that is not there has no mark.
type Panel struct {
	Title string // the scenario
	Note  string // how many cases
	Marks []Mark
}

// Intervals draws panels beside one another, a row of them for each group. Each
// has a line a system with its mean and its 95% interval, in the order of the
// first panel's means; all share one axis.
func Intervals(title, axis string, rows [][]Panel) Figure {
	const line, head, gap, tail = 15.0, 46.0, 26.0, 30.0
	names := order(rows)
	margin := 14.0
	for _, n := range names {
		margin = max(margin, width(8.5, false, n)+14)
	}
	columns, top := 0, 0.0
	for _, row := range rows {
		columns = max(columns, len(row))
		for _, p := range row {
			for _, m := range p.Marks {
				top = max(top, m.High)
			}
		}
	}
	step := 0.1
	if top > 0.6 {
		step = 0.2
	}
	top = math.Ceil(top/step-1e-9) * step
	wide := max(110, min(230, 560/float64(columns)))
	high := float64(len(names)) * line
	f := Figure{width: margin + float64(columns)*(wide+gap) + 10, height: 30 + float64(len(rows))*(head+high+tail)}
	f.draw = func(p *pen) {
		p.text(14, 16, 11, left, ink, true, title)
		for r, row := range rows {
			y := 30 + float64(r)*(head+high+tail) + head
			for k, name := range names {
				p.text(margin-8, y+(float64(k)+0.5)*line, 8.5, right, ink, false, name)
			}
			for c, panel := range row {
				x := margin + float64(c)*(wide+gap)
				s := scale{0, top, x, x + wide}
				p.text(x, y-26, 9, left, ink, true, panel.Title)
				p.text(x, y-12, 7.5, left, soft, false, panel.Note)
				for k := 0; float64(k)*step <= top+1e-9; k++ {
					v := float64(k) * step
					p.line(s.at(v), y, s.at(v), y+high, 0.6, rule)
					p.text(s.at(v), y+high+9, 7.5, centre, soft, false, share(v))
				}
				if c == len(row)-1 {
					p.text(x+wide, y+high+20, 7.5, right, soft, false, axis)
				}
				for k, name := range names {
					at := slices.IndexFunc(panel.Marks, func(m Mark) bool { return m.Name == name })
					if at < 0 {
						continue
					}
					m, colour, radius := panel.Marks[at], accent, 3.2
					if m.Control {
						colour, radius = grey, 2.6
					}
					middle := y + (float64(k)+0.5)*line
					p.line(s.at(max(0, m.Low)), middle, s.at(m.High), middle, 1.6, colour)
					p.dot(s.at(m.Value), middle, radius, colour)
				}
			}
		}
	}
	return f
}

// order returns the names of all systems: those of the first panel by their mean,
// the highest first, then what only others have.
func order(rows [][]Panel) []string {
	var names []string
	for _, row := range rows {
		for _, p := range row {
			marks := slices.Clone(p.Marks)
			slices.SortStableFunc(marks, func(a, b Mark) int {
				switch {
				case a.Value > b.Value:
					return -1
				case a.Value < b.Value:
					return 1
				}
				return 0
			})
			for _, m := range marks {
				if !slices.Contains(names, m.Name) {
					names = append(names, m.Name)
				}
			}
		}
	}
	return names
}
