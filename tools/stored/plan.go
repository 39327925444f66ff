package stored

import (
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/tasks"
)

// Call is a call of a tool.
type Call struct {
	Tool string
	Args json.RawMessage
}

// Batch is calls that are made for one task. The task's moment is the store's;
// a task without a user stands for every user, one without candidates for every
// list of them that the results do not name.
type Batch struct {
	Task  tasks.Task
	Calls []Call
}

// Group is calls of one kind.
type Group struct {
	Name    string
	Count   int // calls in all
	Batches iter.Seq[Batch]
}

// itemsAtOnce is the number of items in one batch.
const itemsAtOnce = 64

// Items is what lies near each item of the cut: item_cf with its defaults, for
// everybody.
func Items(dataset string, cut *graph.Cut) Group {
	task := tasks.Task{ID: "items", Dataset: dataset, AsOf: cut.AsOf()}
	return Group{"items", cut.Items(), func(yield func(Batch) bool) {
		b := Batch{Task: task}
		for i := range cut.AllItems() {
			args, _ := message.Marshal(map[string]string{"item": cut.ItemID(i)}) // strings always encode
			if b.Calls = append(b.Calls, Call{"item_cf", args}); len(b.Calls) == itemsAtOnce {
				if !yield(b) {
					return
				}
				b.Calls = nil
			}
		}
		if len(b.Calls) > 0 {
			yield(b)
		}
	}}
}

// Users is what is said of each user of the cut, whatever the candidates are:
// the nearest users and what they have, the taste, the latest events, the
// history in numbers.
func Users(dataset string, cut *graph.Cut) Group {
	calls := []Call{{"user_cf", raw(`{}`)}, {"user_profile", raw(`{}`)}, {"user_history", raw(`{}`)}, {"user_history", raw(`{"last":10}`)}, {"user_history", raw(`{"summary":true}`)}}
	return Group{"users", cut.Users() * len(calls), func(yield func(Batch) bool) {
		for u := range cut.AllUsers() {
			id := cut.UserID(u)
			if !yield(Batch{tasks.Task{ID: "user " + id, Dataset: dataset, User: id, AsOf: cut.AsOf()}, calls}) {
				return
			}
		}
	}}
}

// Tasks is what ranks the candidates of each task, all as of one moment: the
// windows of item_cf, user_cf among the candidates, candidate_stats, popularity. A task
// from before the moment is an error.
func Tasks(list []tasks.Task, asOf time.Time) (Group, error) {
	calls := []Call{
		{"item_cf", raw(`{}`)}, {"item_cf", raw(`{"window":"all"}`)}, {"item_cf", raw(`{"window":"last:10"}`)}, {"item_cf", raw(`{"window":"last:3"}`)},
		{"user_cf", raw(`{"among":"candidates"}`)}, {"candidate_stats", raw(`{}`)}, {"popularity", raw(`{}`)},
	}
	for _, t := range list {
		if t.AsOf.Before(asOf) {
			return Group{}, fmt.Errorf("task %s is of %s, before %s: %w", t.ID, t.AsOf.UTC().Format(time.RFC3339), asOf.UTC().Format(time.RFC3339), ErrLater)
		}
	}
	return Group{"tasks", len(list) * len(calls), func(yield func(Batch) bool) {
		for _, t := range list {
			t.AsOf = asOf
			if !yield(Batch{t, calls}) {
				return
			}
		}
	}}, nil
}

func raw(s string) json.RawMessage { return json.RawMessage(s) }
