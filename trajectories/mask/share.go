package mask

import "unicode/utf8"

// Share is how much of a conversation is of one kind.
type Share struct {
	Kind       Kind `json:"kind"`
	Characters int  `json:"characters"`
	Tokens     int  `json:"tokens"` // 0 where there was no tokenizer
	Trained    bool `json:"trained"`
}

// Shares returns how much there is of each kind, what is not trained first.
// Labels may be empty. A token of several parts counts for the first of them.
func (r Rendering) Shares(l Labels) []Share {
	var shares []Share
	place := map[Kind]int{}
	for _, k := range []Kind{Boilerplate, System, Tools, User, Response, Think, Plan, Analysis, Reflection, Recommend, Words, Call, End} {
		place[k] = len(shares)
		shares = append(shares, Share{Kind: k})
	}
	tokens := l.Tokens
	for _, p := range r.Parts {
		s := &shares[place[p.Kind]]
		s.Characters += utf8.RuneCountInString(r.Text[p.Start:p.End])
		s.Trained = p.Trained
		for len(tokens) > 0 && tokens[0].Start < p.End {
			s.Tokens++
			tokens = tokens[1:]
		}
	}
	found := shares[:0]
	for _, s := range shares {
		if s.Characters > 0 {
			found = append(found, s)
		}
	}
	return found
}
