package phase

import (
	"fmt"
	"strings"
)

// Block is one phase in a text: its tag, the role of an analysis, and the text
// from the opening tag to the closing one, which the parser of that phase
// reads.
type Block struct {
	Tag, Role string
	Text      string
}

// Blocks cuts the phases out of a text, in order. The rest of it (thoughts,
// sentences before a tool call) is passed over. A tag that is not closed or
// stands inside another, and a tag of a phase that is closed and was not
// opened, are errors.
func Blocks(text string) ([]Block, error) {
	var blocks []Block
	s := &scanner{text: text, notes: &notes{}}
	for {
		next := strings.IndexByte(s.text[s.i:], '<')
		if next < 0 {
			return blocks, nil
		}
		s.i += next
		at := s.i
		name, role, _ := openTag(text[at:])
		for _, tag := range tagNames() {
			if strings.HasPrefix(text[at:], "</"+tag+">") {
				return nil, fmt.Errorf("the tag </%s> at byte %d closes nothing", tag, at)
			}
		}
		if _, err := s.tag(); err != nil {
			return nil, err
		}
		if name != "" {
			blocks = append(blocks, Block{name, role, text[at:s.i]})
		}
	}
}
