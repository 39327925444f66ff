package model

// The tokens beside the texts of a request, at most: what a chat template puts
// around a message, and what it tells a model of tools and formats.
const (
	aroundMessage = 16
	aroundRequest = 64
	aroundTools   = 1024
)

// Size returns the bytes of the texts that a request puts before a model.
func (r Request) Size() int {
	n := len(r.Stop)
	for _, m := range r.Messages {
		n += len(m.Content) + len(m.ToolCallID) + len(m.Name)
		for _, c := range m.ToolCalls {
			n += len(c.ID) + len(c.Name) + len(c.Arguments)
		}
	}
	for _, t := range r.Tools {
		n += len(t.Name) + len(t.Description) + len(t.Parameters)
	}
	if r.Format != nil {
		n += len(r.Format.Name) + len(r.Format.Schema)
	}
	return n
}

// MaxInput returns how many input tokens a request can come to. A token of the
// byte-level vocabularies that models use has at least one byte of the text, so
// the size bounds their number, whatever the model; what a chat template adds is
// bounded by constants. English is near a quarter of it.
func (r Request) MaxInput() int {
	n := r.Size() + aroundRequest + aroundMessage*len(r.Messages)
	if len(r.Tools) > 0 || r.Format != nil {
		n += aroundTools
	}
	return n
}

// Estimate is about how many tokens a call comes to: a third of its bytes, and
// a reply of full length.
func (r Request) Estimate() int { return r.Size()/3 + r.Sampling.MaxTokens }
