package filter

import (
	"context"
	"fmt"
	"unicode/utf8"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/mask"
	"github.com/mars-rec/mars/trajectories/tokenizer"
)

// Size is how long a run is to the student, in the text that the chat template
// renders.
type Size struct {
	Tokens  int
	Trained int
}

// Ruler measures runs as the student will read them.
type Ruler struct {
	Tokenizer *tokenizer.Tokenizer
	Template  mask.Template
	Tools     []model.ToolSpec
	Linear    trajectories.Linear
}

// Measure returns the size of a run; and if that is more than most (0: no
// limit), in which phase it would be cut.
func (r Ruler) Measure(s *Sample, most int) (size Size, cut string, err error) {
	if s.size != nil && (most == 0 || s.size.Tokens <= most) {
		return *s.size, "", nil
	}
	messages, err := s.Conversation(r.Linear)
	if err != nil {
		return size, "", err
	}
	text, err := r.Template.Render(messages, r.Tools)
	if err != nil {
		return size, "", err
	}
	labels := text.Labels(r.Tokenizer)
	size = Size{len(labels.Tokens), labels.Count()}
	s.size = &size
	if most > 0 {
		if at, ok := text.Cut(labels, most); ok {
			cut = at.Where()
		}
	}
	return size, cut, nil
}

// Tokens keeps runs of at most so many tokens: a trainer that cuts a longer one
// takes the recommendation first. The reason says which phase it would cut.
func Tokens(r Ruler, most int) Filter {
	return Each("length", func(_ context.Context, s *Sample, _ gold.Gold) (Drop, error) {
		if _, err := s.Conversation(r.Linear); err != nil {
			return Drop{untold, err.Error()}, nil
		}
		size, cut, err := r.Measure(s, most)
		if err != nil || cut == "" {
			return Drop{}, err
		}
		return Drop{"it would be cut " + cut, fmt.Sprintf("%d tokens", size.Tokens)}, nil
	})
}

// Characters keeps runs of at most so many characters (code points), counted in
// what is said and in the arguments of calls; what a template adds is not.
func Characters(how trajectories.Linear, most int) Filter {
	reason := fmt.Sprintf("it has more than %d characters", most)
	return Each("length", func(_ context.Context, s *Sample, _ gold.Gold) (Drop, error) {
		messages, err := s.Conversation(how)
		if err != nil {
			return Drop{untold, err.Error()}, nil
		}
		n := 0
		for _, m := range messages {
			n += utf8.RuneCountInString(m.Content)
			for _, c := range m.ToolCalls {
				n += utf8.RuneCountInString(c.Name) + utf8.RuneCountInString(c.Arguments)
			}
		}
		if n <= most {
			return Drop{}, nil
		}
		return Drop{reason, fmt.Sprintf("%d characters", n)}, nil
	})
}
