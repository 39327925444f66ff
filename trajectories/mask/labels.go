package mask

import (
	"fmt"

	"github.com/mars-rec/mars/trajectories/tokenizer"
)

// Ignored is the label of a token that is not trained, as PyTorch's cross
// entropy has it.
const Ignored = -100

// Labels are the tokens of a rendered conversation, and which are trained.
type Labels struct {
	Tokens  []tokenizer.Token
	Trained []bool // of each token
}

// Labels cuts the text into tokens. A token is trained if any part of it is.
func (r Rendering) Labels(t *tokenizer.Tokenizer) Labels {
	l := Labels{Tokens: t.Encode(r.Text)}
	l.Trained = make([]bool, len(l.Tokens))
	spans := r.Trained()
	for i, token := range l.Tokens {
		for len(spans) > 0 && spans[0].End <= token.Start {
			spans = spans[1:]
		}
		l.Trained[i] = len(spans) > 0 && spans[0].Start < token.End
	}
	return l
}

// Count returns how many tokens are trained.
func (l Labels) Count() int {
	n := 0
	for _, trained := range l.Trained {
		if trained {
			n++
		}
	}
	return n
}

// IDs returns the tokens as a trainer takes them: input_ids, and labels, which
// are [Ignored] where nothing is trained.
func (l Labels) IDs() (inputs, labels []int) {
	inputs, labels = make([]int, len(l.Tokens)), make([]int, len(l.Tokens))
	for i, t := range l.Tokens {
		inputs[i], labels[i] = t.ID, Ignored
		if l.Trained[i] {
			labels[i] = t.ID
		}
	}
	return inputs, labels
}

// Cut is what a maximum length does to a conversation that is longer: the
// trainer keeps the start.
type Cut struct {
	Tokens int `json:"tokens"` // of the whole conversation
	Max    int `json:"max"`
	// Lost are the tokens that fall off, LostTrained those of them that were to
	// be trained.
	Lost        int `json:"lost"`
	LostTrained int `json:"lost_trained"`
	// Part is the first that is not whole any more. Within: some tokens of it
	// are kept.
	Part   Part `json:"part"`
	Within bool `json:"within"`
}

// Cut reports what a maximum length in tokens takes off; false: nothing.
func (r Rendering) Cut(l Labels, limit int) (Cut, bool) {
	if len(l.Tokens) <= limit {
		return Cut{}, false
	}
	limit = max(limit, 0)
	lost := Labels{l.Tokens[limit:], l.Trained[limit:]}
	c := Cut{Tokens: len(l.Tokens), Max: limit, Lost: len(lost.Tokens), LostTrained: lost.Count()}
	at := lost.Tokens[0].Start
	for _, p := range r.Parts {
		if at < p.End {
			c.Part, c.Within = p, at > p.Start
			break
		}
	}
	return c, true
}

// Where says where it is cut: "within the recommend".
func (c Cut) Where() string {
	if c.Within {
		return "within the " + string(c.Part.Kind)
	}
	return "before the " + string(c.Part.Kind)
}

// String says where it is cut, and what is lost.
func (c Cut) String() string {
	of := ""
	if c.Part.Of != "" {
		of = " (" + c.Part.Of + ")"
	}
	return fmt.Sprintf("%d tokens, cut at %d %s%s of message %d: %d tokens are lost, %d of them trained",
		c.Tokens, c.Max, c.Where(), of, c.Part.Message, c.Lost, c.LostTrained)
}
