package audit

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/trajectories"
)

// Record hands the facts that are known to a run that is made again.
type Record interface {
	Recall(id message.ID, digest string) (fact message.Envelope, ok bool, err error)
}

// Team answers the task of a recorded run again, on the data of source, with the
// facts that record knows and with everything said to log. What the record does
// not know it fetches anew: tools are executed, and a model that is asked is an
// error. The team must be the one of the run, with its prompts and its seed.
type Team func(ctx context.Context, t *trajectories.Trajectory, source tasks.Source, log message.Log, record Record) (ranking []string, err error)

// replies knows what models replied in a run, whatever they were asked, so that
// a run that differs somewhere goes on and everything that differs is found.
type replies struct {
	of    *trajectories.Trajectory
	mu    sync.Mutex
	asked []message.ID // replies to another request than the recorded one
}

// Recall implements [Record].
func (r *replies) Recall(id message.ID, digest string) (message.Envelope, bool, error) {
	e, ok := r.of.Find(id)
	if !ok || e.Kind != (model.Output{}).Kind() {
		return message.Envelope{}, false, nil
	}
	if origin := r.of.Run.Manifest.Origin; e.Meta.Digest != digest && (origin == nil || id.Compare(origin.At) >= 0) {
		r.mu.Lock()
		r.asked = append(r.asked, id)
		r.mu.Unlock()
	}
	return e, true, nil
}

// derived is a run that was made again.
type derived struct {
	log     []message.Envelope
	ranking []string
	err     error        // it did not come to an end
	others  []message.ID // replies to another request than the recorded one, sorted
}

func derive(ctx context.Context, team Team, t *trajectories.Trajectory, source tasks.Source) (derived, error) {
	said, known := &trajectories.Recorder{}, &replies{of: t}
	var d derived
	d.ranking, d.err = team(ctx, t, source, said, known)
	if ctx.Err() != nil {
		return d, ctx.Err()
	}
	slices.SortFunc(known.asked, message.ID.Compare)
	d.log, d.others = said.Log(), known.asked
	return d, nil
}

// rederive compares a run with what can be derived of the past of its moment,
// and returns what cannot.
func rederive(ctx context.Context, team Team, t *trajectories.Trajectory, before tasks.Source, whole Data) ([]Finding, error) {
	d, err := derive(ctx, team, t, before)
	if err != nil {
		return nil, err
	}
	changes := roots(differences(t.Log, d.log))
	same := slices.Equal(d.ranking, t.Run.Ranking)
	if len(changes) == 0 && same && d.err == nil && len(d.others) == 0 {
		return nil, nil
	}
	suspects, err := suspect(ctx, team, t, whole)
	if err != nil {
		return nil, err
	}
	var found []Finding
	for _, c := range changes {
		found = append(found, c.finding(t.Run.ID, suspects))
	}
	id := func(what string) Finding {
		return Finding{Check: checkPast, Severity: Error, Case: t.Run.ID, What: what}
	}
	switch {
	case len(found) > 0:
	case d.err != nil:
		found = append(found, id("cannot be derived of the past: "+d.err.Error()))
	case !same:
		f := id("the recorded ranking is not the one that is derived of the past")
		f.Bytes, f.Want = strings.Join(t.Run.Ranking, " "), strings.Join(d.ranking, " ")
		found = append(found, f)
	}
	if len(found) == 0 && len(d.others) > 0 {
		f := id("the model was asked otherwise than in the derived run, with the same messages: its name, the tools, the format or the sampling differ")
		f.Place.Message = d.others[0]
		found = append(found, f)
	}
	return found, nil
}

// difference is a message that is not the same in the record and in the derived
// run; one of the two may be missing.
type difference struct {
	id        message.ID
	then, now *message.Envelope
	follows   int // differences that follow from it or from another
}

// differences compares two logs, each sorted by ID.
func differences(then, now []message.Envelope) []difference {
	var found []difference
	for i, j := 0, 0; i < len(then) || j < len(now); {
		c := 0
		switch {
		case i == len(then):
			c = 1
		case j == len(now):
			c = -1
		default:
			c = then[i].ID.Compare(now[j].ID)
		}
		switch {
		case c < 0:
			found = append(found, difference{id: then[i].ID, then: &then[i]})
			i++
		case c > 0:
			found = append(found, difference{id: now[j].ID, now: &now[j]})
			j++
		default:
			if !then[i].Equal(now[j]) {
				found = append(found, difference{id: then[i].ID, then: &then[i], now: &now[j]})
			}
			i, j = i+1, j+1
		}
	}
	return found
}

// roots keeps the differences that follow from no other: a message follows from
// what it refers to, from its cause, and from what was said before it in the
// same turn.
func roots(all []difference) []difference {
	changed := make(map[message.ID]bool, len(all))
	turns := map[message.ID]bool{} // causes below which something differs, so far
	var first []difference
	for _, d := range all { // in the order of the causal tree
		follows := changed[d.id.Cause()] || turns[d.id.Cause()]
		for _, e := range []*message.Envelope{d.then, d.now} {
			if e != nil {
				follows = follows || slices.ContainsFunc(e.Refs, func(r message.ID) bool { return changed[r] })
			}
		}
		changed[d.id], turns[d.id.Cause()] = true, true
		if !follows {
			first = append(first, d)
		}
	}
	if len(first) > 0 {
		first[0].follows = len(all) - len(first)
	}
	return first
}

// suspicion is a run that was made again with something of the future at hand,
// and what a message tells that comes out as in this run.
type suspicion struct {
	tells string
	log   []message.Envelope
}

// suspect makes a run again with the future at hand, in the ways in which it
// comes to be: where a message is as recorded, that is how it leaked.
func suspect(ctx context.Context, team Team, t *trajectories.Trajectory, whole Data) ([]suspicion, error) {
	end := whole.Graph().End()
	all := []suspicion{
		{tells: "the program sees what happened at or after the moment of the task: without it other bytes are derived"},
		{tells: "it was made of the data as of a second later: what happened in the very second of the moment was seen"},
		{tells: "it was made of the whole log: what happened at or after the moment of the task was seen"},
	}
	for i, source := range []tasks.Source{whole,
		shifted{whole, func(at time.Time) time.Time { return at.Add(time.Second) }},
		shifted{whole, func(time.Time) time.Time { return end }},
	} {
		d, err := derive(ctx, team, t, source)
		if err != nil {
			return nil, err
		}
		all[i].log = d.log
	}
	return all, nil
}

// shifted shows the data as of another moment than the task's.
type shifted struct {
	data Data
	to   func(time.Time) time.Time
}

// View implements [tasks.Source].
func (s shifted) View(task tasks.Task) (tasks.View, error) {
	task.AsOf = s.to(task.AsOf)
	return s.data.View(task)
}

// finding tells of the difference.
func (d difference) finding(run string, suspects []suspicion) Finding {
	f := Finding{Check: checkPast, Severity: Error, Case: run, Place: Place{Message: d.id}}
	tells := ""
	for _, s := range suspects {
		i, ok := slices.BinarySearchFunc(s.log, d.id, func(e message.Envelope, id message.ID) int { return e.ID.Compare(id) })
		if ok && tells == "" && d.then != nil && s.log[i].Equal(*d.then) {
			tells = s.tells
		}
	}
	switch {
	case d.then == nil:
		f.What = "is not recorded, but derived of the past"
		f.Want = excerpt(string(d.now.Canonical()), 0)
		return f
	case tells != "":
		f.What = "is not what is derived of the past: " + tells
	case d.now == nil:
		f.What = "is recorded, and not derived of the past"
	default:
		f.What = "is not what is derived of the past: the record, the program or the past itself has changed"
	}
	if d.now == nil {
		f.Bytes = excerpt(string(d.then.Canonical()), 0)
		return f
	}
	a, b, part := words(*d.then, *d.now)
	at := parting(a, b)
	f.Place.Part = part
	f.Place = f.Place.at(at)
	f.Bytes, f.Want = excerpt(a, at), excerpt(b, at)
	if d.follows > 0 {
		f.What += fmt.Sprintf("; %d more messages differ, which follow", d.follows)
	}
	return f
}

// words returns what is compared of two messages: what was said, if that
// differs, otherwise all of them.
func words(then, now message.Envelope) (a, b, part string) {
	x, errX := trajectories.Spoken(then)
	y, errY := trajectories.Spoken(now)
	if errX == nil && errY == nil && x.Content != y.Content {
		return x.Content, y.Content, "content"
	}
	return string(then.Canonical()), string(now.Canonical()), "canonical bytes"
}
