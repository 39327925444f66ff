package translate

import (
	"context"
	"strings"
	"time"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tools"
)

// The longest texts that a result tells, in characters: what is longer ends in
// an ellipsis.
const (
	MaxTitle  = 120
	MaxReview = 240
	MaxText   = 600
)

// Item is how a result names an item: its id and title are inert. An id with
// structure in it is not told as it is, and cannot be asked for.
type Item struct {
	Item  string `json:"item"`
	Title string `json:"title"`
	Label string `json:"label,omitempty"` // of a candidate
}

// Name returns the name of an item.
func Name(ctx context.Context, view tasks.View, id string) (Item, error) {
	item, err := view.Item(ctx, id)
	if err != nil {
		return Item{}, err
	}
	label, _ := view.Task().Label(id)
	return Item{phase.Clean(id), Cut(item.Title, MaxTitle), label}, nil
}

// String is the name in a sentence: c07 "Dune", or "Dune" if the item is not a
// candidate.
func (i Item) String() string {
	if i.Label != "" {
		return i.Label + " " + Quote(i.Title)
	}
	return Quote(i.Title)
}

// Quote puts a title between quotation marks. Those that it has itself become
// apostrophes: a title ends where its quotes end.
func Quote(title string) string {
	return `"` + strings.ReplaceAll(title, `"`, "'") + `"`
}

// Cut shortens a text to at most n characters, the ellipsis included.
func Cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return strings.TrimRight(string(r[:n-1]), " ") + "…"
}

// Found is the item that an argument means.
type Found struct {
	ID   string
	Node graph.Item // if Seen
	Seen bool       // whether the graph has an interaction with it; only a candidate may lack one
}

// Find returns the item that an argument means: the candidate with that label,
// or the item with that id. A label wins, since labels are what a model is
// shown. An item without an interaction before the view's moment is not there,
// unless it is a candidate: the error is the same whether or not the future
// knows it.
func Find(view tasks.View, argument string) (Found, error) {
	task := view.Task()
	id, candidate := task.Item(argument)
	if !candidate {
		id = argument
		_, candidate = task.Label(id)
	}
	node, seen := view.Cut().Item(id)
	if !seen && !candidate {
		hint := "take an id from another result"
		if labels := task.Labels(); len(labels) > 0 {
			hint += ", or a candidate's label (" + labels[0] + " to " + labels[len(labels)-1] + ")"
		}
		return Found{}, tools.Inputf("no item %s: no interaction with it is known before %s; %s", Quote(phase.Clean(Cut(argument, 40))), Moment(view), hint)
	}
	return Found{id, node, seen}, nil
}

// Moment writes the view's moment as prompts do.
func Moment(view tasks.View) string { return view.Task().AsOf.UTC().Format(time.RFC3339) }

// Missing is the [tools.InputError] of a tool that needs what its view has not.
type Missing struct {
	What string // "user" or "candidates"
	tools.InputError
}

// Unwrap makes it an InputError to errors.As.
func (m *Missing) Unwrap() error { return &m.InputError }

// User returns the view's user: false if nothing of the user is known before
// the view's moment. A view that has no user is a [Missing].
func User(view tasks.View, tool string) (graph.User, bool, error) {
	id := view.Task().User
	if id == "" {
		return 0, false, &Missing{"user", tools.InputError{Reason: tool + " needs a user, and this view has none"}}
	}
	u, ok := view.Cut().User(id)
	return u, ok, nil
}

// Candidates returns the view's candidates. A view that has none is a [Missing].
func Candidates(view tasks.View, tool string) ([]string, error) {
	if all := view.Task().Candidates; len(all) > 0 {
		return all, nil
	}
	return nil, &Missing{"candidates", tools.InputError{Reason: tool + " ranks the candidates of a task, and this view has none"}}
}
