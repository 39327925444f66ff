// Package mask tells which part of a trajectory is trained on. It renders a
// conversation as the chat template of Qwen3 does, so that it has the very
// text, and with a tokenizer the very tokens, that a trainer sees; and it knows
// of each character who wrote it.
//
//	<|im_start|>system
//	You recommend items …<|im_end|>
//	<|im_start|>user
//	Rank the candidates …<|im_end|>
//	<|im_start|>assistant
//	[<think>
//
//	</think>
//
//	<plan>
//	Look at the last items.
//	</plan>
//	<tool_call>
//	{"name": "item_cf", "arguments": {"window": "all"}}
//	</tool_call><|im_end|>
//	]<|im_start|>user
//	<tool_response>
//	{"evidence": …}
//	</tool_response><|im_end|>
//	<|im_start|>assistant
//	[<think>
//	…
//
// What stands in brackets is trained.
//
// # The rule
//
// Trained is all that the student has to write when it is served: in each turn
// of the assistant everything after the line "<|im_start|>assistant". That is
// the plan, analyses, reflections, the recommendation, what is said between
// them, and tool calls with the tags that the template puts around them; the
// think block, where the template writes one; and the end of the turn,
// "<|im_end|>" with its line end, without which the student would not know when
// to stop. Never trained are the system message, the tools, what the user says,
// what tools answer, and the line that opens a turn.
//
// This is what TRL marks with assistant_only_loss, which takes the training
// variant of the template: the same characters, and the same tokens. A token
// that is partly trained is trained.
package mask

import (
	"unicode/utf8"
)

// Span is a stretch of a text, from Start to End without End. It counts bytes,
// unless it is said that it counts characters.
type Span struct {
	Start int `json:"start"`
	End   int `json:"end"`
}

// Kind is where a part of a rendered conversation comes from.
type Kind string

// The kinds of parts. Those from Think on are the assistant's, and trained.
const (
	Boilerplate Kind = "template" // what the template writes itself
	System      Kind = "system"
	Tools       Kind = "tools" // the schemas, in the system message
	User        Kind = "user"
	Response    Kind = "tool_response"
	Think       Kind = "think" // a thought, also an empty one, with its tags
	Plan        Kind = "plan"
	Analysis    Kind = "analysis"
	Reflection  Kind = "reflection"
	Recommend   Kind = "recommend"
	Words       Kind = "words"     // what the assistant says around its phases
	Call        Kind = "tool_call" // with the tags around it
	End         Kind = "end"       // of a turn of the assistant
)

// Part is a stretch of the text of one origin.
type Part struct {
	Span
	Kind Kind `json:"kind"`
	// Of is the role of an analysis, or the tool that is called or answers.
	Of string `json:"of,omitempty"`
	// Message is the message of the conversation that it comes from; the tools
	// are told in the first.
	Message int  `json:"message"`
	Trained bool `json:"trained"`
}

// Rendering is a conversation as a trainer sees it. The parts follow each
// other without a gap, and none is empty.
type Rendering struct {
	Template Template
	Text     string
	Parts    []Part
}

// Trained returns the stretches that are trained, one for each turn of the
// assistant.
func (r Rendering) Trained() []Span {
	var spans []Span
	for _, p := range r.Parts {
		switch last := len(spans) - 1; {
		case !p.Trained:
		case last >= 0 && spans[last].End == p.Start:
			spans[last].End = p.End
		default:
			spans = append(spans, p.Span)
		}
	}
	return spans
}

// Characters returns the same spans counted in characters (code points), as
// Python counts strings. The spans are in the order of the text and do not
// overlap.
func (r Rendering) Characters(spans []Span) []Span {
	out := make([]Span, len(spans))
	at, n := 0, 0
	to := func(offset int) int {
		n += utf8.RuneCountInString(r.Text[at:offset])
		at = offset
		return n
	}
	for i, s := range spans {
		out[i].Start = to(s.Start)
		out[i].End = to(s.End)
	}
	return out
}
