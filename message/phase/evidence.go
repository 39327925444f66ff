package phase

import (
	"strings"

	"github.com/mars-rec/mars/message/rawjson"
)

// evidenceHeader starts a block of evidence lines. Only a whole line counts,
// and neither data nor a model's words can hold a line break (see [Clean]), so
// only the program can write it.
const evidenceHeader = "Evidence, candidates best first, each as label:level=score (level from 0, the lowest score, to 9, the highest):"

// WriteEvidence writes evidence for a prompt: a header, then one line for each
// signal, and "" where there is no evidence.
//
//	Evidence, candidates best first, each as label:level=score (level from 0, the lowest score, to 9, the highest):
//	item_cf: c09:9=0.1234 c03:7=0.09
//	popularity: c03:9=5.1 c09:4=2.2
//
// In a signal's name, all but letters, digits and _ becomes _.
func WriteEvidence(evidence []Evidence) string {
	if len(evidence) == 0 {
		return ""
	}
	const token = len(" c09:9=0.1234") + 2
	size := len(evidenceHeader)
	for _, e := range evidence {
		size += len(e.Signal) + token*(1+len(e.Ranking))
	}
	b := append(make([]byte, 0, size), evidenceHeader...)
	for _, e := range evidence {
		b = append(append(append(b, '\n'), signalName(e.Signal)...), ':')
		for _, s := range e.Ranking {
			b = s.append(append(b, ' '))
		}
	}
	return rawjson.Text(append(b, '\n'))
}

// ReadEvidence reads the blocks that [WriteEvidence] wrote into a text, in
// order. What the lines do not say (the tool, the call) is left empty, and
// scores have the four digits of the text. A block ends at the first line that
// is not evidence.
func ReadEvidence(text string) []Evidence {
	var evidence []Evidence
	inside := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if line == evidenceHeader {
			inside = true
			continue
		}
		if !inside {
			continue
		}
		var e Evidence
		if e, inside = readEvidenceLine(line); inside {
			evidence = append(evidence, e)
		}
	}
	return evidence
}

func readEvidenceLine(line string) (Evidence, bool) {
	signal, rest, ok := strings.Cut(line, ":")
	if !ok || !word(signal) {
		return Evidence{}, false
	}
	e := Evidence{Signal: signal}
	for token := range strings.FieldsSeq(rest) {
		s, ok := parseStrength(rawjson.Bytes(token))
		if !ok {
			return Evidence{}, false
		}
		e.Ranking = append(e.Ranking, s)
	}
	return e, len(e.Ranking) > 0
}

func signalName(s string) string {
	if s == "" {
		return "_"
	}
	return strings.Map(func(r rune) rune {
		if r < 0x80 && wordByte(byte(r)) {
			return r
		}
		return '_'
	}, s)
}
