// Package catalog is the look-ups as tools: the user, the history, an item, the
// candidates, the words of the catalog.
//
//	user_profile     the taste: counts, rating habits, categories, creators, what the last ten change
//	user_history     the events in order, or their counts by category, creator and year
//	item_info        what is known of an item, and what users wrote of it
//	candidate_stats  how known and how fitting each candidate is
//	popularity       how known each candidate is, in all and of late
//	catalog_search   items by the words of their metadata
//
// Each answers in sentences ("evidence") and with the numbers behind them.
// Counts and means are taken as of the view's moment, never from the whole log;
// texts come from the view, which has made them inert.
package catalog

import (
	"context"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/graph/rank"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/tools/translate"
)

// Config says how results are worded. The zero value works for any data set.
type Config struct {
	Words translate.Words
}

// Tools returns user_profile, user_history, item_info, candidate_stats,
// popularity and catalog_search.
func Tools(cfg Config) []tools.Named {
	return []tools.Named{
		tools.Define("user_profile", "The user's overall taste: how much and since when, rating habits, "+
			"most frequent and best rated categories and creators, and how the last ten items differ.", cfg.userProfile),
		tools.Define("user_history", "The user's history in the order of time, the last events or a stretch by position; "+
			"with summary, counts by category, creator and year, beside those of the last ten.", cfg.userHistory),
		tools.Define("item_info", "What is known of one item: metadata, how many users have it, their ratings, and the latest reviews.", cfg.itemInfo),
		tools.Define("candidate_stats", "How each candidate stands: users in all and of late, ratings, and how its categories and year fit the user. "+
			"Ranks the candidates by each.", cfg.candidateStats),
		tools.Define("popularity", "How many users each candidate has, in all and of late. Ranks the candidates by each.", cfg.popularity),
		tools.Define("catalog_search", "Finds items by the words of their titles, categories, creators and descriptions.", cfg.catalogSearch),
	}
}

// shelf holds the catalog's records of the items of one call.
type shelf struct {
	items map[string]tasks.Item
}

// newShelf fetches the records of the items of events and of others.
func newShelf(ctx context.Context, view tasks.View, events []graph.Event, others ...string) (shelf, error) {
	s := shelf{make(map[string]tasks.Item, len(events)+len(others))}
	for _, e := range events {
		if err := s.add(ctx, view, view.Cut().ItemID(e.Item)); err != nil {
			return shelf{}, err
		}
	}
	for _, id := range others {
		if err := s.add(ctx, view, id); err != nil {
			return shelf{}, err
		}
	}
	return s, nil
}

func (s shelf) add(ctx context.Context, view tasks.View, id string) error {
	if _, ok := s.items[id]; ok {
		return nil
	}
	item, err := view.Item(ctx, id)
	s.items[id] = item
	return err
}

// Categories and Year make a shelf the attributes that package rank asks for.
func (s shelf) Categories(item string) []string { return s.items[item].Categories }

func (s shelf) Year(item string) int { return s.items[item].Year }

var _ rank.Attributes = shelf{}

// events returns the history of the view's user: none if nothing is known of
// the user before the view's moment.
func events(view tasks.View, tool string) ([]graph.Event, error) {
	u, known, err := translate.User(view, tool)
	if err != nil || !known {
		return nil, err
	}
	return view.Cut().History(u), nil
}

// nobody is the sentence for a user without a history.
func nobody(view tasks.View) string {
	return "Nothing of this user is known before " + translate.Moment(view) + "."
}

// recent is the number of events that count as the latest.
const recent = 10

// date is how a day is written.
const date = "2006-01-02"
