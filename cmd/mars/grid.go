package main

import (
	"io"
	"strings"

	"github.com/mattn/go-runewidth"
)

// grid writes rows whose cells stand under each other on a terminal, where a
// character may be as wide as two. The last cell of a row may be of any width.
type grid struct {
	w    io.Writer
	rows [][]string
}

// row takes a row; it is written by Flush.
func (g *grid) row(cells ...string) { g.rows = append(g.rows, cells) }

// Flush writes the rows, aligned with each other.
func (g *grid) Flush() error {
	shape := runewidth.Condition{StrictEmojiNeutral: true} // whatever the locale says
	var widths []int
	for _, row := range g.rows {
		for i, cell := range row[:max(len(row)-1, 0)] {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], shape.StringWidth(printable(cell)))
		}
	}
	var b strings.Builder
	for _, row := range g.rows {
		for i, cell := range row {
			cell = printable(cell)
			b.WriteString(cell)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-shape.StringWidth(cell)+2))
			}
		}
		b.WriteByte('\n')
	}
	g.rows = g.rows[:0]
	_, err := io.WriteString(g.w, b.String())
	return err
}
