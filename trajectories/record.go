package trajectories

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/tools"
)

// ErrDiverged says that a run no longer follows its record.
var ErrDiverged = errors.New("the run has diverged from its record")

// Record hands out the facts of a trajectory to a run that repeats it, in
// part or as a whole. It is an agents.Record, and safe for concurrent use by
// the agents of one run; each run needs a Record of its own.
//
// A run that is also given the record's [Record.Log] is compared message by
// message, so that a divergence can be told by what caused it.
type Record struct {
	known  *Trajectory
	strict func(id message.ID) bool           // the known log is whole there: what is not in it is a divergence
	asked  func(id message.ID) bool           // whether the request there must be the recorded one
	recall func(fact message.Envelope) bool   // whether a known fact is handed out
	live   func(id message.ID) (unknown bool) // whether an unknown fact may be fetched
	whole  bool                               // no fact is fetched

	mu      sync.Mutex
	changed map[message.ID]message.Envelope // what the run said otherwise than the record
}

// Replay knows every fact of t. A request that t has no answer to, or another
// request's answer, is ErrDiverged.
func Replay(t *Trajectory) *Record {
	return &Record{known: t, strict: always, asked: always, recall: all, live: never, whole: true}
}

// ReplayTools knows every reply of a model in t; tools are executed anew. With
// [Record.Log], a result that differs from the recorded one is ErrDiverged.
func ReplayTools(t *Trajectory) *Record {
	return &Record{known: t, strict: always, asked: always, live: never,
		recall: func(e message.Envelope) bool { return e.Kind != (tools.Result{}).Kind() }}
}

// Resume knows what t holds, which is what was recorded before a run was cut
// off; everything else is fetched. Another request's answer is ErrDiverged.
func Resume(t *Trajectory) *Record {
	return &Record{known: t, strict: never, asked: always, recall: all, live: always}
}

// Fork knows the facts of t that come before at in the order of the causal
// tree, all of them; from at on everything is fetched. The run may speak with
// another model, or draw its replies otherwise, than t did: what was answered
// before at stays the answer. So the run must be given the record's
// [Record.Log], which holds every message before at to the record: what was
// asked there, in words, is what was answered.
func Fork(t *Trajectory, at message.ID) *Record {
	before := func(id message.ID) bool { return id.Compare(at) < 0 }
	return (&Record{known: t, strict: before,
		recall: func(e message.Envelope) bool { return before(e.ID) },
		live:   func(id message.ID) bool { return !before(id) }}).From(at)
}

// From makes the record compare requests, by digest, from at on only, and
// returns it. It is for a trajectory that is itself a fork at that point:
// what came before was asked of another model. Messages are compared as ever.
func (r *Record) From(at message.ID) *Record {
	r.asked = func(id message.ID) bool { return id.Compare(at) >= 0 }
	return r
}

// Body returns the body of the message at id, nil where there is none.
func (r *Record) Body(id message.ID) json.RawMessage {
	i, ok := r.known.index(id)
	if !ok {
		return nil
	}
	return r.known.Log[i].Body
}

// Whole reports whether the record has all facts: nothing is waited for.
func (r *Record) Whole() bool { return r.whole }

func all(message.Envelope) bool { return true }
func always(message.ID) bool    { return true }
func never(message.ID) bool     { return false }

// Recall returns the fact at id if it is known and answers the request with
// that digest. If ok is false the fact is to be fetched.
func (r *Record) Recall(id message.ID, digest string) (fact message.Envelope, ok bool, err error) {
	e, found := r.known.Find(id)
	if !found || !e.Fact() {
		if r.live(id) {
			return message.Envelope{}, false, nil
		}
		return message.Envelope{}, false, fmt.Errorf("%w: nothing recorded at %s", ErrDiverged, id)
	}
	if e.Meta.Digest != digest && r.asked(id) {
		if r.live(id) && !r.recall(e) {
			return message.Envelope{}, false, nil
		}
		return message.Envelope{}, false, fmt.Errorf("%w: the request at %s has changed: %s", ErrDiverged, id, r.explain(e))
	}
	if !r.recall(e) {
		return message.Envelope{}, false, nil
	}
	return e, true, nil
}

// explain says which message of the request behind a fact differs, if that is
// known; the prompts of a run that was cut off were not recorded.
func (r *Record) explain(fact message.Envelope) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, ref := range fact.Refs {
		if now, ok := r.changed[ref]; ok {
			then, _ := r.known.Find(ref)
			return contrast(then, now)
		}
		if _, ok := r.known.Find(ref); !ok {
			return fmt.Sprintf("what it was asked is not in the record (message %s)", ref)
		}
	}
	if fact.Kind == (tools.Result{}).Kind() {
		return "the call's name or arguments differ"
	}
	return "the messages of the recorded request are the same, so there are more or fewer of them, or the model's name, the tools, the format or the sampling differ"
}

// contrast says how one message differs from its record.
func contrast(then, now message.Envelope) string {
	a, b := then.Canonical(), now.Canonical()
	// What was said is easier to compare than how it is written in JSON.
	x, errX := Spoken(then)
	y, errY := Spoken(now)
	if errX == nil && errY == nil && x.Content != y.Content {
		a, b = []byte(x.Content), []byte(y.Content)
	}
	at := parting(a, b)
	return fmt.Sprintf("%s %s differs from byte %d on: recorded %s, now %s", then.Kind, then.ID, at, excerpt(a, at), excerpt(b, at))
}
