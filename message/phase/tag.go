package phase

import (
	"fmt"
	"strings"
)

// tagNames are the tags of the language of a trajectory.
func tagNames() [4]string { return [4]string{"plan", "analysis", "reflection", "recommend"} }

// tag reads a block that starts here: a thought, another phase, or the answer.
// Any other < is prose.
func (s *scanner) tag() (bool, error) {
	at := s.i
	rest := s.text[at:]
	if len(rest) < 2 || strings.IndexByte("part/", rest[1]) < 0 { // no tag starts so
		s.i++
		return false, nil
	}
	if strings.HasPrefix(rest, thinkOpen) {
		return true, s.think()
	}
	if strings.HasPrefix(rest, thinkClose) {
		return false, fmt.Errorf("the thought that ends at byte %d has no start", at)
	}
	name, role, length := openTag(rest)
	if length == 0 {
		s.i++
		return false, nil
	}
	from := at + length
	size := strings.Index(s.text[from:], "</"+name+">")
	mine := name == s.target.tag && (name != "analysis" || role == s.target.role || role == "")
	if size < 0 && !mine {
		return false, fmt.Errorf("the tag <%s> at byte %d is not closed", name, at)
	}
	to := len(s.text)
	s.i = to
	if size >= 0 {
		to = from + size
		s.i = to + len("</>") + len(name)
	}
	for _, inner := range tagNames() {
		if in := s.text[from:to]; strings.Contains(in, "<"+inner+">") || strings.Contains(in, "<"+inner+" ") || strings.Contains(in, "</"+inner+">") {
			return false, fmt.Errorf("a <%s> tag stands inside the <%s> at byte %d", inner, name, at)
		}
	}
	if !mine {
		return true, nil
	}
	if name == "analysis" && role == "" {
		s.notes.add("missing key", at, "the tag does not name the role")
	}
	return true, s.content(at, from, to, size >= 0)
}

// content takes what stands in the phase's own tag.
func (s *scanner) content(at, from, to int, closed bool) error {
	p := piece{at: at, end: s.i}
	from, to = s.trim(from, to)
	json := from < to && (s.text[from] == '{' || s.text[from] == '[')
	if !json && !closed {
		return fmt.Errorf("the tag <%s> at byte %d is not closed: the reply may be cut", s.target.tag, at)
	}
	if !json {
		p.text = s.text[from:to]
		s.pieces = append(s.pieces, p)
		return nil
	}
	r := reader{s: s.text[:to], i: from, notes: s.notes}
	v, err := r.value(0)
	if err != nil {
		return err
	}
	if r.i != to {
		return fmt.Errorf("the tag <%s> at byte %d holds more than one JSON value", s.target.tag, at)
	}
	if !closed {
		s.notes.add("unclosed tag", at, "<%s> is closed by the end of the reply", s.target.tag)
	}
	p.value = v
	s.pieces = append(s.pieces, p)
	return nil
}

// think passes over a thought.
func (s *scanner) think() error {
	at := s.i
	from := at + len(thinkOpen)
	size := strings.Index(s.text[from:], thinkClose)
	if size < 0 {
		return fmt.Errorf("the thought that starts at byte %d does not end: the reply may be cut", at)
	}
	if strings.Contains(s.text[from:from+size], thinkOpen) {
		return fmt.Errorf("a thought starts inside the thought at byte %d", at)
	}
	s.notes.add("think", at, "a thought in the reply")
	s.i = from + size + len(thinkClose)
	return nil
}

// openTag reads an opening tag at the start of s; length 0: there is none. Only
// analysis has an attribute, its role.
func openTag(s string) (name, role string, length int) {
	for _, name := range tagNames() {
		rest, ok := strings.CutPrefix(s, "<"+name)
		if !ok {
			continue
		}
		if strings.HasPrefix(rest, ">") {
			return name, "", len(name) + 2
		}
		rest, ok = strings.CutPrefix(rest, ` role="`)
		if !ok || name != "analysis" {
			return "", "", 0
		}
		role, _, ok = strings.Cut(rest[:min(len(rest), 200)], `">`)
		if !ok {
			return "", "", 0
		}
		return name, role, len(`<analysis role="`) + len(role) + 2
	}
	return "", "", 0
}
