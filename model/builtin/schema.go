package builtin

import "fmt"

// schema is what the teacher reads of a JSON Schema.
type schema struct {
	Const      any                `json:"const"`
	Enum       []any              `json:"enum"`
	Properties map[string]*schema `json:"properties"`
	Items      *schema            `json:"items"`
	Required   []string           `json:"required"`
}

// at returns the schema of a property of the elements below it: each step goes
// to the property of that name, or to a list's elements for "[]". Nil where
// there is none.
func (s *schema) at(path ...string) *schema {
	for _, step := range path {
		switch {
		case s == nil:
			return nil
		case step == "[]":
			s = s.Items
		default:
			s = s.Properties[step]
		}
	}
	return s
}

// words returns the texts that a schema allows: its const or its enum.
func (s *schema) words() []string {
	if s == nil {
		return nil
	}
	allowed := s.Enum
	if s.Const != nil {
		allowed = []any{s.Const}
	}
	var words []string
	for _, a := range allowed {
		if w, ok := a.(string); ok {
			words = append(words, w)
		}
	}
	return words
}

// need is words, of which there must be one.
func (s *schema) need(what string, path ...string) ([]string, error) {
	words := s.at(path...).words()
	if len(words) == 0 {
		return nil, fmt.Errorf("the schema names no %s", what)
	}
	return words, nil
}
