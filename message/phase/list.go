package phase

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// lists finds numbered lists of labels in the prose:
//
//  1. c03
//  2. **c11** | The title
//
// A list counts from 1, and each line names one label, right after its number.
// Beside another form of answer only a list of all labels is an answer.
func (s *scanner) lists() error {
	if s.target.labels == nil {
		return nil
	}
	var found []piece
	for _, g := range s.gaps {
		var open *piece
		at := g.from
		for line := range strings.Lines(s.text[g.from:g.to]) {
			n, label, ok := s.listLine(line)
			switch {
			case ok && n == 1 && len(found) == maxPieces:
				return fmt.Errorf("the reply has more than %d numbered lists: give one answer", maxPieces)
			case ok && n == 1:
				found = append(found, piece{at: at})
				open = &found[len(found)-1]
			case !ok && strings.TrimSpace(line) != "" || ok && (open == nil || n != len(open.list)+1):
				open = nil
			}
			at += len(line)
			if ok && open != nil {
				open.list, open.end = append(open.list, label), at
			}
		}
	}
	others := len(s.pieces)
	for _, p := range found {
		if others == 0 || permutation(s.target.labels, p.list) == nil {
			s.notes.add("numbered list", p.at, "the ranking as a numbered list")
			s.pieces = append(s.pieces, p)
		}
	}
	return nil
}

// listLine reads one line of a list: its number and its label. A line that
// names a second label has two readings.
func (s *scanner) listLine(line string) (int, string, bool) {
	line = strings.TrimSpace(line)
	digits := len(line) - len(strings.TrimLeft(line, "0123456789"))
	if digits == 0 || digits > 4 || digits+1 >= len(line) || line[digits] != '.' && line[digits] != ')' {
		return 0, "", false
	}
	n, _ := strconv.Atoi(line[:digits])
	rest := strings.TrimLeft(line[digits+1:], " \t*`\"")
	words := strings.FieldsFunc(rest, func(r rune) bool { return r > 0x7f || !wordByte(byte(r)) })
	if len(words) == 0 || !strings.HasPrefix(rest, words[0]) || !labelWord(words[0]) {
		return 0, "", false
	}
	for _, w := range words[1:] {
		if labelWord(w) && slices.Contains(s.target.labels, w) {
			return 0, "", false
		}
	}
	return n, words[0], true
}

// labelList reads what may stand in a recommend tag besides JSON: labels with
// commas or spaces between them, or a numbered list.
func labelList(text string, t target, n *notes) []string {
	words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) })
	for _, w := range words {
		if !labelWord(w) {
			inner := scanner{text: text, target: t, notes: n, gaps: []span{{0, len(text)}}}
			if inner.lists() == nil && len(inner.pieces) == 1 {
				return inner.pieces[0].list
			}
			return nil
		}
	}
	return words
}
