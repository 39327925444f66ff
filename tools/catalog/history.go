package catalog

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/tools/translate"
)

// maxEvents is the most events that one call lists.
const maxEvents = 100

type historyArguments struct {
	Last    int  `json:"last,omitzero" jsonschema:"the latest events, 10 if not given" minimum:"1" maximum:"100"`
	Start   int  `json:"start,omitzero" jsonschema:"the first position of a stretch, 1 is the oldest event" minimum:"1"`
	End     int  `json:"end,omitzero" jsonschema:"the last position of a stretch; at most 100 events are listed" minimum:"1"`
	Summary bool `json:"summary,omitzero" jsonschema:"counts by category, creator and year instead of single events: of the whole history, or of the stretch that is asked for"`
}

// HistoryResult is the result of user_history.
type HistoryResult struct {
	Evidence   []string `json:"evidence"`
	Count      int      `json:"count"` // events of the whole history
	From       int      `json:"from,omitempty"`
	To         int      `json:"to,omitempty"`     // the stretch that is told
	Items      []Event  `json:"items"`            // oldest first; none with summary
	Ratings    Ratings  `json:"ratings,omitzero"` // with summary: of the stretch, as what follows
	Categories []Group  `json:"categories,omitempty"`
	Creators   []Group  `json:"creators,omitempty"`
	Years      []Group  `json:"years,omitempty"` // in which the events were, ascending
}

// Event is one event of the history. Title, year and categories stand in the
// sentence of the same event.
type Event struct {
	Position int     `json:"position"` // 1 is the oldest
	Item     string  `json:"item"`
	Label    string  `json:"label,omitempty"`
	Date     string  `json:"date"`
	Rating   float64 `json:"rating,omitempty"`
}

func (c Config) userHistory(ctx context.Context, view tasks.View, a historyArguments) (HistoryResult, error) {
	history, err := events(view, "user_history")
	if err != nil {
		return HistoryResult{}, err
	}
	r := HistoryResult{Count: len(history), Items: []Event{}}
	if r.From, r.To, err = a.stretch(len(history)); err != nil {
		return HistoryResult{}, err
	}
	if len(history) == 0 {
		r.Evidence = []string{nobody(view)}
		return r, nil
	}
	told := history[r.From-1 : r.To]
	shelf, err := newShelf(ctx, view, told)
	if err != nil {
		return HistoryResult{}, err
	}
	r.Evidence = append(r.Evidence, fmt.Sprintf("The user %s %s before %s; %s.", c.Words.Did(),
		translate.Plural(len(history), "item"), translate.Moment(view), r.positions(a.Summary)))
	if a.Summary {
		c.summarise(view, history, shelf, &r)
		return r, nil
	}
	for i, e := range told {
		event, line := c.event(view, shelf, e, r.From+i)
		r.Items, r.Evidence = append(r.Items, event), append(r.Evidence, line)
	}
	return r, nil
}

// stretch returns the positions that are asked for, in a history of n events.
func (a historyArguments) stretch(n int) (from, to int, err error) {
	switch {
	case a.Last > 0 && (a.Start > 0 || a.End > 0):
		return 0, 0, tools.Inputf("user_history takes last, or start and end, not both")
	case a.Start > n || a.End > 0 && a.Start > a.End:
		return 0, 0, tools.Inputf("user_history: the history has %s: give positions in order, from 1 on", translate.Plural(n, "event"))
	case n == 0:
		return 0, 0, nil
	case a.Start > 0 || a.End > 0:
		from, to = max(1, a.Start), n
		if a.End > 0 {
			to = min(a.End, n)
		}
		if a.Start == 0 && !a.Summary {
			from = max(1, to-maxEvents+1)
		}
		if a.End == 0 && !a.Summary {
			to = min(to, from+maxEvents-1)
		}
	case a.Last == 0 && a.Summary:
		return 1, n, nil
	case a.Last == 0:
		from, to = max(1, n-recent+1), n
	default:
		from, to = max(1, n-a.Last+1), n
	}
	if to-from+1 > maxEvents && !a.Summary {
		return 0, 0, tools.Inputf("user_history lists at most %d events: ask for a shorter stretch, or for a summary", maxEvents)
	}
	return from, to, nil
}

func (r HistoryResult) positions(summary bool) string {
	switch {
	case r.From == 1 && r.To == r.Count && summary:
		return "all of them in numbers"
	case summary:
		return fmt.Sprintf("positions %s to %s in numbers", translate.Count(r.From), translate.Count(r.To))
	}
	return fmt.Sprintf("positions %s to %s, oldest first", translate.Count(r.From), translate.Count(r.To))
}

// event is the line of one event:
//
//  412. 2018-05-01 "Dune" (1984); Adventure, Sci-Fi; rated 4.5
func (c Config) event(view tasks.View, s shelf, e graph.Event, position int) (Event, string) {
	id := view.Cut().ItemID(e.Item)
	label, _ := view.Task().Label(id)
	event := Event{position, phase.Clean(id), label, e.Time.Format(date), translate.Round(float64(e.Rating))}
	line := fmt.Sprintf("%d. %s %s", position, event.Date, describe(s.items[id]))
	if event.Rating > 0 {
		line += "; rated " + translate.Number(event.Rating)
	}
	return event, line
}

// describe tells an item: "Dune" (1984); by David Lynch; Adventure, Sci-Fi.
func describe(item tasks.Item) string {
	s := translate.Quote(translate.Cut(item.Title, translate.MaxTitle))
	if year := fmt.Sprintf("(%d)", item.Year); item.Year != 0 && !strings.Contains(item.Title, year) {
		s += " " + year
	}
	if len(item.Creators) > 0 {
		s += "; by " + list(item.Creators)
	}
	if len(item.Categories) > 0 {
		s += "; " + list(item.Categories)
	}
	return s
}

// list joins the first few names.
func list(names []string) string {
	const most = 6
	short := make([]string, 0, most)
	for _, n := range names[:min(most, len(names))] {
		short = append(short, translate.Cut(n, translate.MaxTitle))
	}
	return strings.Join(short, ", ")
}

// summarise counts the stretch, and sets the last ten beside the whole.
func (c Config) summarise(view tasks.View, history []graph.Event, shelf shelf, r *HistoryResult) {
	const listed = 12
	cut, liked, told := view.Cut(), c.Words.LikedFrom(), history[r.From-1:r.To]
	categories := group(told, liked, func(e graph.Event) []string { return shelf.items[cut.ItemID(e.Item)].Categories })
	creators := group(told, liked, func(e graph.Event) []string { return shelf.items[cut.ItemID(e.Item)].Creators })
	r.Ratings, r.Categories, r.Creators = ratings(told, liked), first(categories, listed), first(creators, listed)
	r.Years = group(told, liked, func(e graph.Event) []string { return []string{strconv.Itoa(e.Time.Year())} })
	slices.SortFunc(r.Years, func(a, b Group) int { return cmp.Compare(a.Name, b.Name) })
	say := func(format string, args ...any) { r.Evidence = append(r.Evidence, fmt.Sprintf(format, args...)) }
	if r.Ratings.Count > 0 {
		say("Ratings: %s.", rate(r.Ratings, c.Words))
	}
	if len(categories) > 0 {
		say("By category: %s.", shares(first(categories, 6), len(told)))
	}
	if len(creators) > 0 && creators[0].Count > 1 {
		say("By creator: %s.", shares(first(creators, 4), len(told)))
	}
	say("By year of the event: %s.", shares(r.Years, len(told)))
	if len(told) > recent && r.To == len(history) {
		shifted := &ProfileResult{Count: len(told), Ratings: r.Ratings}
		shifted.Recent = c.recent(told, categories, func(e graph.Event) []string { return shelf.items[cut.ItemID(e.Item)].Categories })
		shifted.sayRecent()
		r.Evidence = append(r.Evidence, shifted.Evidence...)
	}
}
