package service

import (
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/graph/rank"
	"github.com/mars-rec/mars/internal/api"
	"github.com/mars-rec/mars/star/client"
	"github.com/mars-rec/mars/tasks"
)

// Bounds of a request.
const (
	maxCandidates = 100
	maxHistory    = 1000
	maxID         = 256 // bytes
)

// visitor is the user of a request that names none.
const visitor = "visitor"

// question is a request, as a task over a view.
type question struct {
	in   client.Request
	task tasks.Task
	view tasks.View
}

// question makes the task of a request. What is wrong with the request is an
// [api.Invalid].
func (s *service) question(r api.Request, in client.Request) (question, error) {
	q := question{in: in}
	if err := s.check(in); err != nil {
		return q, err
	}
	q.task = tasks.Task{ID: in.ID, Dataset: s.cfg.Data.Name, User: in.User, Scenario: "served", AsOf: s.cfg.Clock(), Candidates: in.Candidates}
	if in.AsOf != nil {
		q.task.AsOf = *in.AsOf
	}
	q.task.AsOf = q.task.AsOf.UTC().Truncate(time.Second)
	if q.task.User == "" {
		q.task.User = visitor
	}
	if q.task.ID == "" {
		var err error
		if q.task.ID, err = s.name(); err != nil {
			return q, err
		}
	}
	whole, err := s.overlay(q.task, in.History)
	if err == nil {
		err = s.known(r, func(yield func(string) bool) {
			for _, e := range in.History {
				if !yield(e.Item) {
					return
				}
			}
		})
	}
	if err != nil {
		return q, err
	}
	cut := whole.At(q.task.AsOf)
	if len(q.task.Candidates) == 0 {
		// By id: their order must not tell what the graph thinks of them.
		q.task.Candidates = slices.Sorted(slices.Values(rank.Retrieve(cut, q.task.User, s.cfg.Candidates)))
		if len(q.task.Candidates) < 2 {
			return q, api.Invalid("as of %s there are not two items to rank: give candidates, or a later as_of", q.task.AsOf.Format(time.RFC3339))
		}
	} else if err := s.known(r, slices.Values(q.task.Candidates)); err != nil {
		return q, err
	}
	if err := q.task.Check(); err != nil {
		return q, api.Invalid("%v", err)
	}
	q.view, err = tasks.NewView(q.task, cut, s.cfg.Data.Catalog)
	return q, err
}

func (s *service) check(in client.Request) error {
	switch {
	case in.User == "" && len(in.History) == 0:
		return api.Invalid("want a user, or a history")
	case len(in.User) > maxID || len(in.ID) > maxID:
		return api.Invalid("user and id may have %d bytes", maxID)
	case len(in.History) > maxHistory:
		return api.Invalid("the history has %d events: at most %d are taken, the latest", len(in.History), maxHistory)
	case len(in.Candidates) == 1 || len(in.Candidates) > maxCandidates:
		return api.Invalid("there are %d candidates: want 2 to %d, or none", len(in.Candidates), maxCandidates)
	case in.N < 0:
		return api.Invalid("n is %d: want 1 or more", in.N)
	case in.AsOf != nil && in.AsOf.IsZero():
		return api.Invalid("as_of is the zero time")
	}
	return nil
}

// known refuses items that the catalog does not know: a typing error would else
// be ranked last in silence, or be missing in a history.
func (s *service) known(r api.Request, items iter.Seq[string]) error {
	for id := range items {
		if _, ok, err := s.cfg.Data.Catalog.Item(r, id); err != nil {
			return err
		} else if !ok {
			return api.Invalid("there is no item %q in the data set %s", id, s.cfg.Data.Name)
		}
	}
	return nil
}

// overlay lays the history of a request over the graph.
func (s *service) overlay(t tasks.Task, history []client.Event) (*graph.Graph, error) {
	if len(history) == 0 {
		return s.cfg.Data.Graph, nil
	}
	log := make([]graph.Interaction, len(history))
	for k, e := range history {
		switch {
		case e.Item == "" || len(e.Item) > maxID:
			return nil, api.Invalid("history[%d] has no item, or a name of more than %d bytes", k, maxID)
		case e.Time.IsZero():
			return nil, api.Invalid("history[%d] has no time", k)
		case !e.Time.Before(t.AsOf):
			return nil, api.Invalid("history[%d] is at %s, which is not before %s", k, e.Time.UTC().Format(time.RFC3339), t.AsOf.Format(time.RFC3339))
		}
		log[k] = graph.Interaction{User: t.User, Item: e.Item, Time: e.Time.Unix(), Rating: e.Rating}
	}
	g, err := s.cfg.Data.Graph.With(log)
	if err != nil {
		return nil, api.Invalid("history: %v", err)
	}
	return g, nil
}

// name makes an id up.
func (s *service) name() (string, error) {
	var b [8]byte
	if _, err := io.ReadFull(s.cfg.Random, b[:]); err != nil {
		return "", fmt.Errorf("random id: %w", err)
	}
	return "req-" + hex.EncodeToString(b[:]), nil
}
