package plot

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Point is a system's quality beside what an answer of it costs.
type Point struct {
	Mark
	Expense float64 // more than 0
}

// Tradeoff draws quality against expense, on a logarithmic axis. Systems of
// which no expense is known are lines across, named at the right.
func Tradeoff(title, quality, expense string, points []Point, lines []Mark) Figure {
	const wide, high, marginLeft, top, bottom = 400.0, 260.0, 58.0, 44.0, 44.0
	labels := 0.0
	for _, m := range lines {
		labels = max(labels, width(7.5, false, m.Name))
	}
	f := Figure{width: marginLeft + wide + labels + 26, height: top + high + bottom}
	low, most := math.Inf(1), 0.0
	up := 0.0
	for _, p := range points {
		low, most, up = min(low, p.Expense), max(most, p.Expense), max(up, p.High)
	}
	for _, m := range lines {
		up = max(up, m.Value)
	}
	from, to := math.Floor(math.Log10(low)-0.15), math.Ceil(math.Log10(most)+0.15)
	up = math.Ceil(up*10+0.2) / 10
	f.draw = func(p *pen) {
		x := scale{from, to, marginLeft, marginLeft + wide}
		y := scale{0, up, top + high, top}
		p.text(14, 16, 11, left, ink, true, title)
		for k := 0; float64(k)/10 <= up+1e-9; k++ {
			v := float64(k) / 10
			p.line(marginLeft, y.at(v), marginLeft+wide, y.at(v), 0.6, rule)
			p.text(marginLeft-6, y.at(v), 7.5, right, soft, false, share(v))
		}
		p.text(14, top-10, 7.5, left, soft, false, quality)
		for e := from; e <= to; e++ {
			p.line(x.at(e), top+high, x.at(e), top+high+4, 0.8, grey)
			p.text(x.at(e), top+high+12, 7.5, centre, soft, false, fmt.Sprintf("%g", math.Pow(10, e)))
		}
		p.text(marginLeft+wide, top+high+28, 7.5, right, soft, false, expense)
		for _, l := range apart(lines, y, 9) {
			p.line(marginLeft, y.at(l.Value), marginLeft+wide, y.at(l.Value), 0.8, grey, 3, 3)
			p.line(marginLeft+wide, y.at(l.Value), marginLeft+wide+8, l.place, 0.5, rule)
			p.text(marginLeft+wide+11, l.place, 7.5, left, soft, false, l.Name)
		}
		for _, m := range points {
			at := x.at(math.Log10(m.Expense))
			colour := accent
			if m.Control {
				colour = grey
			}
			p.line(at, y.at(m.Low), at, y.at(m.High), 1.6, colour)
			p.dot(at, y.at(m.Value), 3.6, colour)
			align, off := left, 7.0
			if at > marginLeft+wide*0.6 {
				align, off = right, -7
			}
			p.text(at+off, y.at(m.Value)-1, 8.5, align, ink, !m.Control, m.Name)
		}
	}
	return f
}

// label is a line's name and where it is written.
type label struct {
	Mark
	place float64
}

// apart places names at their lines, pushed down until no two are nearer than a
// distance.
func apart(lines []Mark, y scale, distance float64) []label {
	var list []label
	for _, m := range lines {
		list = append(list, label{m, y.at(m.Value)})
	}
	slices.SortStableFunc(list, func(a, b label) int { return cmp.Compare(a.place, b.place) })
	for k := 1; k < len(list); k++ {
		list[k].place = max(list[k].place, list[k-1].place+distance)
	}
	return list
}
