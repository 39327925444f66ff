package audit

import (
	"fmt"
	"slices"
	"time"

	"github.com/mars-rec/mars/tasks"
)

// Side is one side of a split: who is in it, with which tasks. The zero value is
// empty.
type Side struct {
	Name  string
	tasks map[string]bool
	users map[string]span
}

// span is the moments of a user's tasks on one side.
type span struct{ first, last time.Time }

// Add puts a task on the side.
func (s *Side) Add(t tasks.Task) { s.add(t.ID, t.User, t.AsOf) }

// add puts a task on the side; what is not known of it is empty.
func (s *Side) add(id, user string, at time.Time) {
	if s.tasks == nil {
		s.tasks, s.users = map[string]bool{}, map[string]span{}
	}
	if id != "" {
		s.tasks[id] = true
	}
	if user == "" {
		return
	}
	have, ok := s.users[user]
	if !ok {
		have = span{at, at}
	}
	if at.Before(have.first) {
		have.first = at
	}
	if at.After(have.last) {
		have.last = at
	}
	s.users[user] = have
}

// separate is the check of what is on both of two sides.
type separate struct {
	against []Side
	byTime  bool
	told    map[string]bool // users and tasks that were told already
	n       int
}

// add looks for a task on the other sides.
func (s *separate) add(b *book, id, user string, at time.Time, place Place) {
	s.n++
	if s.told == nil {
		s.told = map[string]bool{}
	}
	for _, other := range s.against {
		if id != "" && other.tasks[id] && !s.once("task", other.Name, id) {
			b.add(Finding{Check: checkOverlap, Severity: Error, Case: id, Place: place, Bytes: id,
				What: fmt.Sprintf("the task is in %s too", other.Name)})
		}
		there, ok := other.users[user]
		if !ok || s.byTime && (at.Before(there.first) || at.After(there.last)) || s.once("user", other.Name, user) {
			continue
		}
		what := fmt.Sprintf("user %s is in %s too", user, other.Name)
		if s.byTime {
			what += fmt.Sprintf(", at moments from %s to %s, which this one is not apart from", there.first.UTC().Format(time.RFC3339), there.last.UTC().Format(time.RFC3339))
		}
		b.add(Finding{Check: checkOverlap, Severity: Error, Case: id, Place: place, Bytes: user, What: what})
	}
}

// once reports whether something was told before, and notes it.
func (s *separate) once(what, side, name string) bool {
	key := what + "\x00" + side + "\x00" + name
	had := s.told[key]
	s.told[key] = true
	return had
}

// close says what was compared.
func (s *separate) close(b *book) {
	if len(s.against) == 0 {
		b.skip(checkOverlap, "there is nothing to compare with")
		return
	}
	var names []string
	users := 0
	for _, side := range s.against {
		names = append(names, side.Name)
		users += len(side.users)
	}
	slices.Sort(names)
	b.examined(checkOverlap, fmt.Sprintf("%d tasks or rows against %d users of %v", s.n, users, names))
}
