package taskstest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/tasks"
)

// OtherFuture returns a data set with the same past and another future: what
// happened strictly before at is as it was; of what happened later, some is
// gone, some has another rating, and much is new, by known and unknown users,
// with known and unknown items, from the very second of at. Whoever sees only
// the past cannot tell the two apart.
func (s *Source) OtherFuture(at time.Time) *Source {
	start := at.Unix()
	if at.Nanosecond() > 0 {
		start++
	}
	var log []graph.Interaction
	had := map[[2]string]bool{}
	later := 0
	for _, in := range s.interactions {
		if in.Time >= start {
			if later++; later%2 == 0 {
				continue
			}
			in.Rating = 5.5 - in.Rating
		} else {
			had[[2]string{in.User, in.Item}] = true
		}
		log = append(log, in)
	}
	items, users := slices.Sorted(maps.Keys(s.catalog.items)), slices.Sorted(maps.Keys(s.catalog.users))
	n := int64(0)
	for u, user := range users {
		for i, item := range items {
			if pair := [2]string{user, item}; !had[pair] && (u+i)%3 == 0 {
				log = append(log, graph.Interaction{User: user, Item: item, Time: start + n/4, Rating: float32(1 + (u+i)%5)})
				n++
			}
		}
	}
	// New items and users sort before, between and after those that were there,
	// and look like them.
	changed := &catalog{items: maps.Clone(s.catalog.items), users: maps.Clone(s.catalog.users)}
	for k := range 12 {
		fresh := fmt.Sprintf("%s-new%d", []string{"0", "m", "~"}[k%3], k)
		if len(items) > 0 {
			item := s.catalog.items[items[k%len(items)]]
			item.ID = fresh
			changed.items[fresh] = item
		}
		changed.users[fresh] = tasks.User{ID: fresh}
		for _, item := range slices.Concat(items, []string{fresh}) {
			log = append(log, graph.Interaction{User: fresh, Item: item, Time: start + int64(k), Rating: 5})
		}
		for _, user := range users {
			log = append(log, graph.Interaction{User: user, Item: fresh, Time: start + int64(k), Rating: 1})
		}
	}
	var reviews []tasks.Review
	for _, r := range s.catalog.reviews {
		if !r.Time.Before(at) {
			r.Text = strings.ToUpper(r.Text) + "!"
		}
		reviews = append(reviews, r)
	}
	for i, item := range items {
		if len(users) > 0 {
			reviews = append(reviews, tasks.Review{User: users[i%len(users)], Item: item, Time: at.Add(time.Duration(i) * time.Second), Rating: 1, Text: "from the future"})
		}
	}
	return New(slices.Collect(maps.Values(changed.items)), slices.Collect(maps.Values(changed.users)), log, reviews)
}
