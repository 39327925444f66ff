package phase

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxReply is the most bytes of a reply that a parser takes.
const MaxReply = 1 << 20

// maxPieces is the most equal answers that are compared.
const maxPieces = 20

// target says what is looked for in a reply.
type target struct {
	tag    string   // the phase's tag, and the key of an object that only wraps the answer; "": none
	role   string   // analysis: whose
	keys   []string // of the answer's object
	labels []string // recommend: arrays and numbered lists of these are answers too
}

// piece is one answer found in a reply: a JSON value, or the text in a tag, or
// the labels of a numbered list.
type piece struct {
	at, end int
	value   value // kind is "" where there is none
	text    string
	list    []string
}

// scanner walks over a reply once, from the left.
type scanner struct {
	text   string
	target target
	notes  *notes
	i      int
	values int // JSON values read so far
	pieces []piece
	gaps   []span // what is neither an answer nor a block: prose
}

type span struct{ from, to int }

// scan finds every answer in a reply.
func scan(text string, t target, n *notes) ([]piece, error) {
	if len(text) > MaxReply {
		return nil, fmt.Errorf("the reply has %d bytes: at most %d are read", len(text), MaxReply)
	}
	s := &scanner{text: text, target: t, notes: n}
	if strings.HasPrefix(text, "\uFEFF") {
		n.add("bom", 0, "a byte order mark before the reply")
		s.i = len("\uFEFF")
	}
	if !utf8.ValidString(text) {
		n.add("utf-8", 0, "bytes that are not UTF-8")
	}
	if end := strings.Index(text, thinkClose); end >= 0 && !strings.Contains(text[:end], thinkOpen) {
		n.add("think", s.i, "the thought before %s has no start", thinkClose)
		s.i = end + len(thinkClose)
	}
	if s.wholeArray() {
		return s.pieces, nil
	}
	if err := s.walk(); err != nil {
		return nil, err
	}
	if err := s.lists(); err != nil {
		return nil, err
	}
	s.prose()
	if len(s.pieces) > maxPieces {
		return nil, fmt.Errorf("the reply has %d answers: give one", len(s.pieces))
	}
	return s.pieces, nil
}

const thinkOpen, thinkClose = "<think>", "</think>"

// wholeArray takes a reply that is an array of labels and nothing else.
func (s *scanner) wholeArray() bool {
	if s.target.labels == nil {
		return false
	}
	from, to := s.trim(s.i, len(s.text))
	if from == to || s.text[from] != '[' {
		return false
	}
	n := notes{list: s.notes.list}
	r := reader{s: s.text[:to], i: from, notes: &n}
	v, err := r.value(0)
	if err != nil || r.i != to {
		return false
	}
	s.notes.list = n.list
	s.notes.add("bare array", from, "the ranking without its object")
	s.pieces = append(s.pieces, piece{at: from, end: to, value: v})
	return true
}

func (s *scanner) walk() error {
	start := s.i
	for {
		next := strings.IndexAny(s.text[s.i:], "<{")
		if next < 0 {
			s.gaps = append(s.gaps, span{start, len(s.text)})
			return nil
		}
		s.i += next
		at := s.i
		var took bool
		var err error
		if s.text[at] == '{' {
			took, err = s.object()
		} else {
			took, err = s.tag()
		}
		if err != nil {
			return err
		}
		if took {
			s.gaps = append(s.gaps, span{start, at})
			start = s.i
		}
	}
}

// object reads an object that starts here. What breaks before it could only be
// JSON ("{see above}") is prose.
func (s *scanner) object() (bool, error) {
	at := s.i
	if at+1 < len(s.text) && strings.IndexByte("{<[(.,;:%", s.text[at+1]) >= 0 { // no key starts so
		s.i++
		return false, nil
	}
	n := notes{list: s.notes.list}
	r := reader{s: s.text, i: at + 1, notes: &n, count: s.values}
	if r.space(); !quoteMark(r.peek()) && r.word() == "" {
		s.i = max(r.i, at+1)
		return false, nil
	}
	r.i = at
	v, err := r.object(0)
	s.values = r.count
	if err != nil && !r.begun {
		s.i = max(r.i, at+1)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	s.i = r.i
	if v, ok := s.answer(v, &n); ok {
		s.notes.list = n.list
		s.pieces = append(s.pieces, piece{at: at, end: r.i, value: v})
	} else {
		s.notes.add("other object", at, "an object without the keys of an answer")
	}
	return true, nil
}

// answer reports whether an object is meant as the answer, and takes off an
// object that only names the phase.
func (s *scanner) answer(v value, n *notes) (value, bool) {
	if len(v.keys) == 1 && v.keys[0] == s.target.tag && s.target.tag != "" {
		n.add("wrapped", v.at, "the answer stands under the key %s", quote(s.target.tag))
		return v.list[0], true
	}
	for _, k := range s.target.keys {
		if _, ok := v.get(k); ok {
			return v, true
		}
	}
	return v, false
}

// trim takes spaces and one code fence off a part of the reply.
func (s *scanner) trim(from, to int) (int, int) {
	from, to = s.trimSpace(from, to)
	part := s.text[from:to]
	if len(part) < 6 || !strings.HasPrefix(part, "```") || !strings.HasSuffix(part, "```") {
		return from, to
	}
	line := strings.IndexByte(part, '\n')
	if line < 0 || strings.Trim(part[3:line], "abcdefghijklmnopqrstuvwxyz0123456789 \r") != "" || line > len(part)-3 {
		return from, to
	}
	s.notes.add("fence", from, "a code fence around the answer")
	return s.trimSpace(from+line, to-3)
}

func (s *scanner) trimSpace(from, to int) (int, int) {
	part := strings.TrimLeft(s.text[from:to], " \t\r\n\u00a0\ufeff")
	from = to - len(part)
	return from, from + len(strings.TrimRight(part, " \t\r\n\u00a0"))
}

// prose notes what stands around the answers.
func (s *scanner) prose() {
	for _, g := range s.gaps {
		part := strings.TrimSpace(s.text[g.from:g.to])
		bare := strings.TrimSpace(strings.ReplaceAll(strings.ReplaceAll(part, "```json", ""), "```", ""))
		at := g.from + strings.Index(s.text[g.from:g.to], part)
		switch {
		case bare != "":
			s.notes.add("prose", at, "text around the answer")
		case part != "":
			s.notes.add("fence", at, "a code fence around the answer")
		}
	}
}
