package plot

import (
	"fmt"
	"math"
)

// Bar is how often the true item stood where, under one system.
type Bar struct {
	Name    string
	Control bool
	Shares  []float64 // by class; they sum to 1
}

// Ranks draws for each system a bar of the shares of the classes of ranks, the
// best on the left, in a sequence of blues that ends in grey for what is
// missing.
func Ranks(title string, classes []string, panels []RankPanel) Figure {
	const line, head, tail, wide = 16.0, 34.0, 26.0, 420.0
	margin := 14.0
	bars := 0
	for _, p := range panels {
		bars += len(p.Bars)
		for _, b := range p.Bars {
			margin = max(margin, width(8.5, !b.Control, b.Name)+14)
		}
	}
	f := Figure{width: margin + wide + 30, height: 52 + float64(bars)*line + float64(len(panels))*(head+tail)}
	colours := blues(len(classes))
	f.draw = func(p *pen) {
		p.text(14, 16, 11, left, ink, true, title)
		const legend = "rank of the true item"
		p.text(14, 38, 7.5, left, soft, false, legend)
		x := max(margin, 14+width(7.5, false, legend)+12)
		for k, name := range classes {
			p.rect(x, 33, 10, 10, colours[k])
			p.text(x+14, 38, 7.5, left, soft, false, name)
			x += 14 + width(7.5, false, name) + 14
		}
		y := 52.0
		for _, panel := range panels {
			p.text(margin, y+head-12, 9, left, ink, true, panel.Title)
			y += head
			s := scale{0, 1, margin, margin + wide}
			for _, b := range panel.Bars {
				p.text(margin-8, y+line/2, 8.5, right, ink, !b.Control, b.Name)
				from := 0.0
				for k, part := range b.Shares {
					p.rect(s.at(from), y+2, s.at(from+part)-s.at(from), line-4, colours[k])
					if part >= 0.055 {
						p.text(s.at(from+part/2), y+line/2, 6.5, centre, onto(colours[k]), false, fmt.Sprintf("%.0f%%", math.Round(100*part)))
					}
					from += part
				}
				y += line
			}
			for k := range 6 {
				v := float64(k) / 5
				p.text(s.at(v), y+8, 7.5, centre, soft, false, fmt.Sprintf("%.0f%%", 100*v))
			}
			y += tail
		}
	}
	return f
}

// RankPanel is the bars of one group.
type RankPanel struct {
	Title string
	Bars  []Bar
}

// blues returns n colours from dark to light; the last is grey.
func blues(n int) []rgb {
	const dark, light rgb = 0x08457e, 0xd6e6f4
	list := make([]rgb, n)
	for k := range list {
		t := float64(k) / float64(max(1, n-2))
		for shift := 0; shift < 24; shift += 8 {
			a, b := float64(dark>>shift&0xff), float64(light>>shift&0xff)
			list[k] |= rgb(math.Round(a+t*(b-a))) & 0xff << shift
		}
	}
	list[n-1] = missing
	return list
}

// onto is the colour of a text on another.
func onto(c rgb) rgb {
	if 299*(c>>16)+587*(c>>8&0xff)+114*(c&0xff) < 140_000 {
		return white
	}
	return ink
}
