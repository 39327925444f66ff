// Package cf is collaborative filtering as tools: what the users of an item
// also have, and what the users who are like this one have.
//
//	item_cf  item ─> its users ─> their other items     near an item, or near a window of the history
//	user_cf  user ─> its items ─> their users ─> items  what the nearest users have
//
// Each answers in sentences and with the numbers behind them:
//
//	{"evidence": ["Users who read \"Dune\" also read \"Foundation\": 412 of 1,204 (34%), ..."],
//	 "items":    [{"item":"i2","title":"Foundation","shared":412,"cosine":0.4123,"lift":5.1, ...}],
//	 "rankings": [{"tool":"item_cf","signal":"item_cf","ranking":["c09:9=0.1234", ...]}]}
//
// Rankings are there when the candidates were asked about: every candidate, by
// the signals of package rank, so that tools, controls and the fused score
// speak of the same numbers. A signal has the name that rank gives it; another
// measure than cosine is another signal, with the measure in its name.
//
// The sentences are Collaborative Signal Translation. They are templates
// ([Sentences]) that are filled in with what was counted; a [Verbalizer] has a
// model write them anew, offline, and lets no number and no title change.
//
// What is said of an item's neighbours is the same for every user, so that it
// can be stored for all of them. Whatever item a result names stands in its JSON
// under "item".
package cf

import (
	"context"
	"slices"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/tools/translate"
)

// Config says how results are worded. The zero value works for any data set.
type Config struct {
	Words     translate.Words
	Told      int        // sentences about single items in one result; 0 is 5
	Sentences *Sentences // nil: the shipped ones
}

func (c Config) told() int {
	if c.Told == 0 {
		return 5
	}
	return c.Told
}

// Tools returns item_cf and user_cf.
func Tools(cfg Config) []tools.Named {
	if cfg.Sentences == nil {
		var err error
		if cfg.Sentences, err = ParseSentences(""); err != nil {
			panic(err) // the shipped ones are wrong: a bug of this package
		}
	}
	return []tools.Named{
		tools.Define("item_cf", "Item-CF on what users have in common. "+
			"With item: the items that the users of this item also have. "+
			"With window: ranks the candidates by what goes together with the user's history, all of it or the last items.", cfg.itemCF),
		tools.Define("user_cf", "User-CF: finds the users nearest to this one by what they have in common, "+
			"and what they have that the user has not; with among, ranks the candidates by it.", cfg.userCF),
	}
}

// Pair is an item near another, with what was counted, all as of the moment.
type Pair struct {
	translate.Item
	Shared int     `json:"shared"` // users who have both
	Liked  int     `json:"liked"`  // of these, who rated this item at or above the bound
	Degree int     `json:"degree"` // users who have this item
	Cosine float64 `json:"cosine"` // 4 significant digits, as all scores
	Lift   float64 `json:"lift"`
	Score  float64 `json:"score,omitempty"` // by the measure asked for, if it is another than cosine
	// Of a candidate ranked by the history: the item of the user's that is
	// nearest to it, which the counts are about, and how many of the user's
	// items add to its score.
	Nearest *translate.Item `json:"nearest,omitempty"`
	Links   int             `json:"links,omitempty"`
}

// among is the one value of the argument of that name.
const among = "candidates"

// nodes are the candidates that the graph knows as of the moment.
func nodes(view tasks.View) []graph.Item {
	found := []graph.Item{}
	for _, id := range view.Task().Candidates {
		if i, ok := view.Cut().Item(id); ok {
			found = append(found, i)
		}
	}
	return found
}

// standing tells how the candidates stand in a signal.
func (c Config) standing(ctx context.Context, view tasks.View, f standingFacts, e phase.Evidence) (string, error) {
	const most = 3
	for _, s := range e.Ranking {
		switch {
		case s.Score == 0:
			f.None = append(f.None, s.Label)
		case len(f.First) < most:
			id, _ := view.Task().Item(s.Label)
			name, err := translate.Name(ctx, view, id)
			if err != nil {
				return "", err
			}
			f.First = append(f.First, name)
		}
	}
	slices.Sort(f.None)
	f.Did = c.Words.Did()
	return c.Sentences.say(f)
}

// best returns the ids of the first n candidates with a score, best first.
func best(task tasks.Task, e phase.Evidence, n int) []string {
	var ids []string
	for _, s := range e.Ranking {
		if len(ids) < n && s.Score > 0 {
			id, _ := task.Item(s.Label)
			ids = append(ids, id)
		}
	}
	return ids
}
