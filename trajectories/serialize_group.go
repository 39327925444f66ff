package trajectories

import (
	"slices"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
)

// group is the turns of a team that are told as done at once:
//
//	1.2  historical  calls, calls, analysis  ┐   calls of both
//	1.3  recent      calls, analysis         ┘   calls of historical
//	                                             analysis, analysis
type group struct{ turns []*turn }

// turn is what one member did when it was asked: what stands below one child of
// the task.
type turn struct {
	id    message.ID
	calls []model.Message // replies that call tools
	words []model.Message // what it concluded
}

func (t *turn) conclude(id message.ID, text string) {
	t.words = append(t.words, model.Message{Ref: id, Content: text})
}

// turnOf is the turn that an envelope belongs to: the child of the task above
// it, or the envelope itself.
func turnOf(id message.ID) message.ID {
	for {
		cause := id.Cause()
		if cause == "" || cause == message.Root {
			return id
		}
		id = cause
	}
}

// has reports whether the envelope is of one of the turns.
func (g group) has(e message.Envelope) bool {
	id := turnOf(e.ID)
	return slices.ContainsFunc(g.turns, func(t *turn) bool { return t.id == id })
}

// may reports whether the envelope begins a turn that could have been done at
// the same time: what it refers to was there before all turns of the group.
func (g group) may(e message.Envelope) bool {
	return len(e.Refs) > 0 && !slices.ContainsFunc(e.Refs, func(ref message.ID) bool {
		return slices.ContainsFunc(g.turns, func(t *turn) bool { return ref.Within(t.id) })
	})
}

// turn returns the envelope's, which it adds if it is not there.
func (g *group) turn(e message.Envelope) *turn {
	id := turnOf(e.ID)
	for _, t := range g.turns {
		if t.id == id {
			return t
		}
	}
	g.turns = append(g.turns, &turn{id: id})
	return g.turns[len(g.turns)-1]
}

// round returns the replies in which the members called tools for the nth time,
// from 0.
func (g group) round(n int) []model.Message {
	var replies []model.Message
	for _, t := range g.turns {
		if n < len(t.calls) {
			replies = append(replies, t.calls[n])
		}
	}
	return replies
}
