// Package plot draws the results of an evaluation: figures that say one thing
// each, as SVG and as PNG.
//
//	Intervals          a panel each scenario       teacher     ──●──
//	                                               ItemKNN  ──●──
//	Ranks              where the true item stood   teacher  ████▓▓▒▒░░░   1, 2–3, 4–5, ...
//	Tradeoff           quality against expense     HR │ ●          ● teacher
//	                                                  └──────────────── seconds
//
// What a reader is to look at has a colour; what it is compared with is grey.
// The same data make the same bytes.
package plot

import (
	"fmt"
	"image/color"
	"io"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/font/liberation"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Figure is a drawing of a given size, in points.
type Figure struct {
	width, height float64
	draw          func(*pen)
}

// dpi is the resolution of a PNG: sharp on a screen and in a slide.
const dpi = 192

// WriteSVG writes the figure as SVG.
func (f Figure) WriteSVG(w io.Writer) error {
	return f.write(w, vgsvg.NewWith(vgsvg.UseWH(vg.Length(f.width), vg.Length(f.height))))
}

// WritePNG writes the figure as PNG.
func (f Figure) WritePNG(w io.Writer) error {
	return f.write(w, vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(vg.Length(f.width), vg.Length(f.height)), vgimg.UseDPI(dpi))})
}

func (f Figure) write(w io.Writer, c interface {
	vg.CanvasSizer
	io.WriterTo
}) error {
	f.draw(newPen(c, f.height))
	if _, err := c.WriteTo(w); err != nil {
		return fmt.Errorf("draw: %w", err)
	}
	return nil
}

// The colours: dark enough for paper, and apart for all kinds of sight (after
// Okabe and Ito 2008).
const (
	ink     rgb = 0x22262b
	soft    rgb = 0x6b7280
	rule    rgb = 0xe5e7eb
	grey    rgb = 0x9ca3af
	missing rgb = 0xd1d5db
	accent  rgb = 0x005f9e
	white   rgb = 0xffffff
)

// rgb is a colour as it is written on the web.
type rgb uint32

// RGBA implements [color.Color].
func (c rgb) RGBA() (r, g, b, a uint32) {
	return color.NRGBA{uint8(c >> 16), uint8(c >> 8), uint8(c), 0xff}.RGBA()
}

// pen draws on a canvas in points from the upper left corner.
type pen struct {
	c      draw.Canvas
	height float64
	fonts  text.Plain
}

func newPen(c vg.CanvasSizer, height float64) *pen {
	p := &pen{c: draw.New(c), height: height, fonts: text.Plain{Fonts: font.NewCache(liberation.Collection())}}
	p.rect(0, 0, float64(p.c.Rectangle.Size().X), height, white)
	return p
}

func (p *pen) at(x, y float64) vg.Point {
	return vg.Point{X: vg.Length(x), Y: vg.Length(p.height - y)}
}

// rect fills a rectangle given by its upper left corner.
func (p *pen) rect(x, y, w, h float64, c color.Color) {
	p.c.FillPolygon(c, []vg.Point{p.at(x, y), p.at(x+w, y), p.at(x+w, y+h), p.at(x, y+h)})
}

func (p *pen) line(x1, y1, x2, y2, width float64, c color.Color, dashes ...vg.Length) {
	p.c.StrokeLines(draw.LineStyle{Color: c, Width: vg.Length(width), Dashes: dashes}, []vg.Point{p.at(x1, y1), p.at(x2, y2)})
}

func (p *pen) dot(x, y, radius float64, c color.Color) {
	p.c.DrawGlyph(draw.GlyphStyle{Color: c, Radius: vg.Length(radius), Shape: draw.CircleGlyph{}}, p.at(x, y))
}

// Where a text stands beside its point.
const (
	left   = draw.XLeft
	centre = draw.XCenter
	right  = draw.XRight
)

// text writes a line, its middle at y.
func (p *pen) text(x, y, size float64, align text.XAlignment, c color.Color, bold bool, s string) {
	p.c.FillText(p.style(size, align, c, bold), p.at(x, y-0.1*size), s) // what is seen of a line lies a little low
}

func (p *pen) style(size float64, align text.XAlignment, c color.Color, bold bool) draw.TextStyle {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: font.Length(size)}
	if bold {
		f.Weight = xfont.WeightBold
	}
	return draw.TextStyle{Color: c, Font: f, XAlign: align, YAlign: draw.YCenter, Handler: p.fonts}
}

// width returns how wide a text is, in points.
func width(size float64, bold bool, s string) float64 {
	p := &pen{fonts: text.Plain{Fonts: font.NewCache(liberation.Collection())}}
	return float64(p.style(size, left, ink, bold).Width(s))
}

// scale maps values to places.
type scale struct{ from, to, start, end float64 }

func (s scale) at(x float64) float64 { return s.start + (x-s.from)/(s.to-s.from)*(s.end-s.start) }

// share writes a figure between 0 and 1 as papers do.
func share(x float64) string {
	if x == 0 {
		return "0"
	}
	return fmt.Sprintf("%.2g", x)
}
