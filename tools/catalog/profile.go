package catalog

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tools/translate"
)

// ProfileResult is the result of user_profile.
type ProfileResult struct {
	Evidence   []string `json:"evidence"`
	Count      int      `json:"count"`           // events
	First      string   `json:"first,omitempty"` // the day of the first and of the last event
	Last       string   `json:"last,omitempty"`
	Ratings    Ratings  `json:"ratings,omitzero"`
	Categories []Group  `json:"categories"` // the most frequent first
	Creators   []Group  `json:"creators"`
	Recent     *Recent  `json:"recent,omitempty"` // absent if the history is not longer
}

// Recent is the last ten events beside the whole history.
type Recent struct {
	Count   int     `json:"count"`
	Ratings Ratings `json:"ratings,omitzero"`
	Shifts  []Shift `json:"shifts"` // the largest first
}

// Shift is a category whose share among the latest events differs from its
// share in the whole history.
type Shift struct {
	Name   string `json:"name"`
	Recent int    `json:"recent"` // of the latest events
	Count  int    `json:"count"`  // of all events
}

func (c Config) userProfile(ctx context.Context, view tasks.View, _ struct{}) (ProfileResult, error) {
	const listed, told, enough = 8, 4, 3
	history, err := events(view, "user_profile")
	if err != nil {
		return ProfileResult{}, err
	}
	r := ProfileResult{Count: len(history), Categories: []Group{}, Creators: []Group{}}
	if len(history) == 0 {
		r.Evidence = []string{nobody(view)}
		return r, nil
	}
	shelf, err := newShelf(ctx, view, history)
	if err != nil {
		return ProfileResult{}, err
	}
	cut, liked := view.Cut(), c.Words.LikedFrom()
	begin, end := history[0].Time, history[len(history)-1].Time
	r.First, r.Last, r.Ratings = begin.Format(date), end.Format(date), ratings(history, liked)
	categories := group(history, liked, func(e graph.Event) []string { return shelf.items[cut.ItemID(e.Item)].Categories })
	creators := group(history, liked, func(e graph.Event) []string { return shelf.items[cut.ItemID(e.Item)].Creators })
	r.Categories, r.Creators = first(categories, listed), first(creators, listed)

	r.say("The user %s %s from %s to %s, the last %s before now.", c.Words.Did(), translate.Plural(len(history), "item"),
		r.First, r.Last, translate.Plural(int(cut.AsOf().Sub(end).Hours()/24), "day"))
	if r.Ratings.Count > 0 {
		r.say("Ratings: %s.", rate(r.Ratings, c.Words))
	}
	for _, kind := range []struct {
		name   string
		groups []Group
	}{{"categories", categories}, {"creators", creators}} {
		if len(kind.groups) > 0 {
			r.say("Most frequent %s: %s.", kind.name, shares(first(kind.groups, told), len(history)))
		}
		if best := bestRated(kind.groups, enough, told); len(best) > 0 {
			r.say("Best rated %s, of those with %d or more ratings: %s.", kind.name, enough, means(best))
		}
	}
	if len(history) > recent {
		r.Recent = c.recent(history, categories, func(e graph.Event) []string { return shelf.items[cut.ItemID(e.Item)].Categories })
		r.sayRecent()
	}
	return r, nil
}

// recent compares the latest events with all.
func (c Config) recent(history []graph.Event, all []Group, names func(graph.Event) []string) *Recent {
	const most = 4
	latest := history[len(history)-recent:]
	r := &Recent{Count: len(latest), Ratings: ratings(latest, c.Words.LikedFrom()), Shifts: []Shift{}}
	now := map[string]int{}
	for _, g := range group(latest, c.Words.LikedFrom(), names) {
		now[g.Name] = g.Count
	}
	// Shares are compared as integers: count·len against count·len.
	gap := func(s Shift) int { return s.Recent*len(history) - s.Count*len(latest) }
	for _, g := range all {
		if s := (Shift{g.Name, now[g.Name], g.Count}); gap(s) != 0 {
			r.Shifts = append(r.Shifts, s)
		}
	}
	slices.SortStableFunc(r.Shifts, func(a, b Shift) int {
		return cmp.Or(cmp.Compare(max(gap(b), -gap(b)), max(gap(a), -gap(a))), cmp.Compare(a.Name, b.Name))
	})
	r.Shifts = r.Shifts[:min(most, len(r.Shifts))]
	return r
}

func (r *ProfileResult) sayRecent() {
	for _, s := range r.Recent.Shifts {
		way := "more"
		if s.Recent*r.Count < s.Count*r.Recent.Count {
			way = "less"
		}
		r.say("Of late %s %s: %d of the last %d, against %s of all.", way, s.Name, s.Recent, r.Recent.Count, translate.Percent(s.Count, r.Count))
	}
	if r.Recent.Ratings.Count > 0 {
		r.say("The last %d have a mean rating of %s, all of them %s.", r.Recent.Count, translate.Number(r.Recent.Ratings.Mean), translate.Number(r.Ratings.Mean))
	}
}

func (r *ProfileResult) say(format string, args ...any) {
	r.Evidence = append(r.Evidence, fmt.Sprintf(format, args...))
}
