package ego

import (
	"encoding/xml"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"strings"
)

// Sizes of text, and where the text of a card begins.
const (
	titleSize    = 14
	hubTitleSize = 15
	captionSize  = 13
	smallSize    = 12
	cardText     = 2*maxRadius + 22
)

// style is the look of a picture. Colours are plain values in classes, which
// every program that shows SVG understands; in the dark, others take their place.
const style = `
.ego{color:#1f2328;font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;font-size:12px}
.ego text{fill:currentColor}
.ego .paper{fill:#ffffff}
.ego .card{fill:#f6f8fa;stroke:#d1d9e0}
.ego .hub{fill:#ffffff;stroke-width:2}
.ego .heading{font-size:20px;font-weight:650}
.ego .title{font-size:14px;font-weight:600}
.ego .hubtitle{font-size:15px;font-weight:650}
.ego .caption{font-size:13px;font-weight:600}
.ego text.soft{fill:#59636e}
.ego .user{fill:#2563eb}
.ego .item{fill:#c2570c}
.ego .hub.userline{stroke:#2563eb}
.ego .hub.itemline{stroke:#c2570c}
.ego .edge{fill:none;stroke-linecap:butt}
.ego .had{stroke:currentColor;stroke-opacity:.45}
.ego .alike{stroke:#2563eb;stroke-opacity:.5}
.ego .together{stroke:#c2570c;stroke-opacity:.5}
@media (prefers-color-scheme:dark){
.ego{color:#e6edf3}
.ego .paper{fill:#0d1117}
.ego .card{fill:#161b22;stroke:#30363d}
.ego .hub{fill:#0d1117}
.ego text.soft{fill:#9aa4af}
.ego .user{fill:#79a8ff}
.ego .item{fill:#f59e4c}
.ego .hub.userline,.ego .alike{stroke:#79a8ff}
.ego .hub.itemline,.ego .together{stroke:#f59e4c}
}
`

// SVG writes the graph as a picture that stands alone: the user left, the
// evidence in the middle, the item right; around one node, it stands in the
// middle. The area of a node's mark shows its degree among nodes of its kind,
// the width of an edge its cosine. It follows the reader's choice of light or
// dark, has a title and a description for who cannot see it, and titles in full
// for who points at a node. The same Ego is always the same bytes.
func (e *Ego) SVG(w io.Writer) error {
	s := e.layout()
	var c canvas
	// Several pictures may come to stand in one page: each has ids of its own.
	id := fmt.Sprintf("ego-%08x", crc32.ChecksumIEEE([]byte(e.describe()+e.heading())))
	c.put(`<svg xmlns="http://www.w3.org/2000/svg" class="ego" role="img" aria-labelledby="%s-title %s-desc" width="%s" height="%s" viewBox="0 0 %s %s" style="max-width:100%%;height:auto">`,
		id, id, px(s.width), px(s.height), px(s.width), px(s.height))
	c.put(`<title id="%s-title">%s</title>`, id, escape(e.heading()))
	c.put(`<desc id="%s-desc">%s</desc>`, id, escape(e.describe()))
	c.put(`<style>%s</style>`, style)
	c.put(`<rect class="paper" width="%s" height="%s"/>`, px(s.width), px(s.height))
	c.text(margin, 46, "heading", "", fit(e.heading(), s.width-2*margin, 21))
	c.text(margin, 70, "soft", "", e.subheading())
	for _, l := range s.lines {
		c.edge(e, l)
	}
	for _, l := range s.captions {
		c.text(l.x, l.y, "caption soft", "", l.text)
	}
	for _, b := range s.boxes {
		if b.hub {
			c.hub(b)
		} else {
			c.card(b)
		}
	}
	c.key(e, s)
	c.put(`</svg>`)
	_, err := io.WriteString(w, c.String())
	return err
}

// canvas is what is written so far. Texts that come to it are escaped by it.
type canvas struct{ strings.Builder }

func (c *canvas) put(format string, args ...any) {
	fmt.Fprintf(c, format+"\n", args...)
}

func (c *canvas) text(x, y float64, class, anchor, s string) {
	if anchor != "" {
		anchor = fmt.Sprintf(` text-anchor="%s"`, anchor)
	}
	c.put(`<text x="%s" y="%s" class="%s"%s>%s</text>`, px(x), px(y), class, anchor, escape(s))
}

// mark draws a node's mark: a circle for a user, a square of the same area,
// with round corners, for an item.
func (c *canvas) mark(kind Kind, x, y, r float64) {
	if kind == User {
		c.put(`<circle class="user" cx="%s" cy="%s" r="%s"/>`, px(x), px(y), px(r))
		return
	}
	side := r * math.Sqrt(math.Pi)
	c.put(`<rect class="item" x="%s" y="%s" width="%s" height="%s" rx="%s"/>`, px(x-side/2), px(y-side/2), px(side), px(side), px(side/6))
}

func (c *canvas) card(b box) {
	c.put(`<g>`)
	c.put(`<title>%s</title>`, escape(name(b.Node)+", "+degree(b.Node)))
	c.put(`<rect class="card" x="%s" y="%s" width="%s" height="%s" rx="10"/>`, px(b.x), px(b.y), px(b.w), px(b.h))
	c.mark(b.Kind, b.x+maxRadius+10, b.middle(), b.radius)
	y := b.middle() + 5 - 9*float64(len(b.title))
	for _, t := range b.title {
		c.text(b.x+cardText, y, "title", "", t)
		y += 17
	}
	c.text(b.x+cardText, y+1, "soft", "", degree(b.Node))
	c.put(`</g>`)
}

func (c *canvas) hub(b box) {
	c.put(`<g>`)
	c.put(`<title>%s</title>`, escape(name(b.Node)+", "+degree(b.Node)))
	c.put(`<rect class="hub %sline" x="%s" y="%s" width="%s" height="%s" rx="14"/>`, b.Kind, px(b.x), px(b.y), px(b.w), px(b.h))
	x := b.x + b.w/2
	y := b.middle() + maxRadius - 7 - 9.5*float64(len(b.title))
	c.mark(b.Kind, x, y-maxRadius, b.radius)
	for _, t := range b.title {
		y += 19
		c.text(x, y, "hubtitle", "middle", t)
	}
	c.text(x, y+20, "soft", "middle", degree(b.Node))
	c.put(`</g>`)
}

// edge draws a line and, where it is straight, what it says: above and below.
func (c *canvas) edge(e *Ego, l line) {
	width := thickness(l.Edge)
	if l.bendX == 0 { // from one hub to the other, below everything
		c.put(`<path class="edge had" stroke-width="%s" stroke-dasharray="5 4" d="M%s %sV%sq0 14 14 14H%sq14 0 14 -14V%s"/>`,
			px(width), px(l.hubX), px(l.hubY), px(l.cardY-14), px(l.cardX-14), px(l.hubY2))
		c.text(l.textX, l.cardY-8, "", "middle", e.upper(l.Edge)+" · "+e.lower(l.Edge))
		return
	}
	turn := (l.hubX + l.bendX) / 2
	c.put(`<path class="edge %s" stroke-width="%s" d="M%s %sC%s %s %s %s %s %sH%s"/>`, l.Relation, px(width),
		px(l.hubX), px(l.hubY), px(turn), px(l.hubY), px(turn), px(l.cardY), px(l.bendX), px(l.cardY), px(l.cardX))
	c.text(l.textX, l.cardY-width/2-5, "", "middle", e.upper(l.Edge))
	c.text(l.textX, l.cardY+width/2+14, "soft", "middle", e.lower(l.Edge))
}

// key explains the marks.
func (c *canvas) key(e *Ego, s scene) {
	x, y := float64(margin), s.height-24
	line := func(class string, width, from float64) {
		c.put(`<path class="edge %s" stroke-width="%s" d="M%s %sh28"/>`, class, px(width), px(from), px(y-4))
	}
	for _, part := range []struct {
		width float64 // of the mark
		mark  func()
		text  string
	}{
		{14, func() { c.mark(User, x+7, y-4, 7) }, "user; area: number of items"},
		{14, func() { c.mark(Item, x+7, y-4, 7) }, "item; area: number of users"},
		{28, func() { line("had", 1.5, x) }, e.verb()},
		{60, func() {
			line("together", thickness(Edge{Cosine: 0.2}), x)
			line("alike", thickness(Edge{Cosine: 0.5}), x+32)
		}, "in common; width: cosine, here 0.2 and 0.5"},
	} {
		part.mark()
		x += part.width + 8
		c.text(x, y, "soft", "", part.text)
		x += measure(part.text, smallSize) + 24
	}
}

// escape makes a text stand in XML: also what XML cannot hold is replaced.
func escape(s string) string {
	var b strings.Builder
	// A Builder returns no errors.
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}

// px writes a length with one decimal at most.
func px(x float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", x), ".0")
}
