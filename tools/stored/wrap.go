package stored

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tools"
)

// Digest identifies tools by their specs and by what else their words come
// from: the digest of their templates, the words of the data set. It is
// [Identity.Tools].
func Digest(named []tools.Named, wording ...any) (string, error) {
	var specs []model.ToolSpec
	for _, n := range named {
		specs = append(specs, n.ToolSpec)
	}
	b, err := message.Marshal([]any{specs, wording})
	if err != nil {
		return "", fmt.Errorf("digest of tools: %w", err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(b)), nil
}

// Wrap returns the tools with the store before them: what is stored is answered
// from there, what is not by the tool, on a view of the source as of the
// store's moment. A tool that is no [tools.Canonical] always answers itself. A
// view from before the store's moment is refused with [ErrLater].
func Wrap(named []tools.Named, s *Store, source tasks.Source) []tools.Named {
	wrapped := make([]tools.Named, len(named))
	for i, n := range named {
		wrapped[i] = tools.Named{ToolSpec: n.ToolSpec, Factory: func(view tasks.View) (tools.Tool, error) {
			frozen, err := s.freeze(view, source)
			if err != nil {
				return nil, err
			}
			tool, err := n.Factory(frozen)
			if err != nil {
				return nil, err
			}
			if c, ok := tool.(canonical); ok {
				return &reader{c, s, view.Task()}, nil
			}
			return tool, nil
		}}
	}
	return wrapped
}

// Frozen returns the tools as they answer as of a moment, whatever the moment
// of the view that they are made for: what a store of that moment was, or could
// have been, made of. A view from before the moment is refused with [ErrLater].
func Frozen(named []tools.Named, at time.Time, source tasks.Source) []tools.Named {
	s := &Store{path: "stored evidence", header: Header{Identity: Identity{AsOf: at}}}
	frozen := make([]tools.Named, len(named))
	for i, n := range named {
		frozen[i] = tools.Named{ToolSpec: n.ToolSpec, Factory: func(view tasks.View) (tools.Tool, error) {
			then, err := s.freeze(view, source)
			if err != nil {
				return nil, err
			}
			return n.Factory(then)
		}}
	}
	return frozen
}

// Check makes the probes of the file again: an error if a tool answers
// otherwise than it did when the evidence was stored. It is how a change of the
// program is noticed that no digest tells of; it takes a few calls.
func (s *Store) Check(ctx context.Context, named []tools.Named, source tasks.Source) error {
	p := &precomputer{s.header.Identity, named, source, Config{}}
	for _, probe := range s.header.Probes {
		results, err := p.batch(ctx, Batch{probe.Task, []Call{{probe.Tool, probe.Args}}})
		if err != nil {
			return fmt.Errorf("stored evidence %s: %w", s.path, err)
		}
		if len(results) != 1 || fmt.Sprintf("%x", sha256.Sum256(results[0].value)) != probe.SHA256 {
			return fmt.Errorf("stored evidence %s was made by other tools: %s answers %s otherwise now: make it again with mars graph precompute", s.path, probe.Tool, probe.Args)
		}
	}
	return nil
}

// freeze returns the view as of the store's moment.
func (s *Store) freeze(view tasks.View, source tasks.Source) (tasks.View, error) {
	task, at := view.Task(), s.header.AsOf
	switch {
	case task.AsOf.Before(at):
		return tasks.View{}, fmt.Errorf("task %s is of %s, %s is of %s: %w", task.ID,
			task.AsOf.UTC().Format(time.RFC3339), s.path, at.Format(time.RFC3339), ErrLater)
	case task.AsOf.Equal(at):
		return view, nil
	}
	task.AsOf = at
	return source.View(task)
}

type canonical interface {
	tools.Tool
	tools.Canonical
}

// reader is a tool with a store before it.
type reader struct {
	canonical
	store *Store
	task  tasks.Task
}

// Call implements [tools.Tool].
func (r *reader) Call(ctx context.Context, args json.RawMessage) (json.RawMessage, error) {
	one, err := r.Canonical(args)
	if err != nil {
		return nil, err
	}
	value, ok, err := r.store.answer(ctx, r.task, r.Spec().Name, one)
	if ok || err != nil {
		return value, err
	}
	return r.canonical.Call(ctx, args)
}
