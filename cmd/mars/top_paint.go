package main

import (
	"encoding/json"
	"io"
	"os"
	"strings"

	"github.com/mattn/go-runewidth"
	"golang.org/x/term"
)

// painter draws frames on a terminal, each in one piece over the one before, so
// that nothing flickers. The terminal's own content comes back at the end.
type painter struct{ w io.Writer }

func (p painter) begin() { io.WriteString(p.w, "\x1b[?1049h\x1b[?25l") } //nolint:errcheck // the next frame tells
func (p painter) end()   { io.WriteString(p.w, "\x1b[?25h\x1b[?1049l") } //nolint:errcheck // there is no more to write

func (p painter) paint(lines []string) error {
	width, height := 80, 24
	if f, ok := p.w.(*os.File); ok {
		width, height = size(f)
	}
	var b strings.Builder
	b.WriteString("\x1b[H")
	for _, line := range fitted(lines, width, height) {
		b.WriteString(line + "\x1b[K\r\n")
	}
	b.WriteString("\x1b[J")
	_, err := io.WriteString(p.w, b.String())
	return err
}

// size is that of a terminal; 80 by 24 where it does not tell.
func size(f *os.File) (width, height int) {
	width, height, err := term.GetSize(int(f.Fd()))
	if err != nil || width < 1 || height < 1 {
		return 80, 24
	}
	return width, height
}

// fitted cuts lines to a width, and what is too much for a height, with room for
// the cursor below; a height of 0 takes all.
func fitted(lines []string, width, height int) []string {
	if height > 0 && len(lines) > height-1 {
		lines = lines[:max(1, height-1)]
	}
	out := make([]string, len(lines))
	for i, line := range lines {
		out[i] = strings.TrimRight(runewidth.Truncate(strings.ReplaceAll(oneLine(line), "\t", " "), width, "…"), " ")
	}
	return out
}

// writeFrame writes lines as they are to stay.
func writeFrame(w io.Writer, lines []string, width, height int) {
	for _, line := range fitted(lines, width, height) {
		io.WriteString(w, line+"\n") //nolint:errcheck // a screen keeps its first error
	}
}

func decodeJSON(r io.Reader, v any) error { return json.NewDecoder(r).Decode(v) }
