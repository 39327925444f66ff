package cf

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/graph/rank"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/tools/translate"
)

// ItemSignal is the signal of the candidates' nearness to one given item.
const ItemSignal = "item_cf_item"

type itemArguments struct {
	Item    string `json:"item,omitzero" jsonschema:"an item id, or a candidate's label: what lies near it"`
	Window  string `json:"window,omitzero" jsonschema:"rank the candidates by the user's history: all, or last:10 for the last ten items (any number); all if neither item nor window is given"`
	K       int    `json:"k,omitzero" jsonschema:"with item: how many neighbours, 20 if not given; with window: how many of a candidate's nearest items may speak for it, if the user has them (20 for all of the history, any number for a window, if not given)" minimum:"1" maximum:"100"`
	Measure string `json:"measure,omitzero" jsonschema:"the similarity of two items" enum:"cosine,jaccard,lift,iuf" default:"cosine"`
	Support int    `json:"support,omitzero" jsonschema:"least number of users in common" minimum:"1" maximum:"1000" default:"2"`
	Among   string `json:"among,omitzero" jsonschema:"with item: rank only the candidates, all of them" enum:"candidates"`
}

// ItemResult is the result of item_cf.
type ItemResult struct {
	Evidence []string         `json:"evidence"`
	Of       *Subject         `json:"of,omitempty"` // the item that was asked about
	Items    []Pair           `json:"items"`        // best first; with window: the candidates that sentences are about
	Rankings []phase.Evidence `json:"rankings,omitempty"`
}

// Subject is the item whose neighbours are told.
type Subject struct {
	translate.Item
	Degree int `json:"degree"` // users who have it
}

func (c Config) itemCF(ctx context.Context, view tasks.View, a itemArguments) (ItemResult, error) {
	switch {
	case a.Item != "" && a.Window != "":
		return ItemResult{}, tools.Inputf("item_cf takes item or window, not both")
	case a.Item != "":
		return c.near(ctx, view, a)
	case a.Among != "" && a.Window == "":
		return ItemResult{}, tools.Inputf("item_cf: among needs an item; to rank the candidates by the user's history give window")
	}
	return c.window(ctx, view, a)
}

// near tells what lies near one item.
func (c Config) near(ctx context.Context, view tasks.View, a itemArguments) (ItemResult, error) {
	found, err := translate.Find(view, a.Item)
	if err != nil {
		return ItemResult{}, err
	}
	if a.Among == among {
		if _, err := translate.Candidates(view, "item_cf with among"); err != nil {
			return ItemResult{}, err
		}
	}
	name, err := translate.Name(ctx, view, found.ID)
	if err != nil {
		return ItemResult{}, err
	}
	r := ItemResult{Of: &Subject{Item: name}, Items: []Pair{}}
	var near []graph.Neighbour
	if found.Seen {
		r.Of.Degree = view.Cut().ItemDegree(found.Node)
		q := graph.Query{K: a.K, Measure: graph.Measure(a.Measure), Support: a.Support, LikedFrom: float32(c.Words.LikedFrom())}
		if a.Among == among {
			q.K, q.Among = -1, nodes(view)
		}
		near = view.Cut().ItemCF(found.Node, q)
	}
	if a.Among == among {
		r.Rankings = []phase.Evidence{rankNear(view.Task(), view.Cut(), a.Measure, near)}
	}
	return c.tellNear(ctx, view, a, r, near)
}

func rankNear(task tasks.Task, cut *graph.Cut, measure string, near []graph.Neighbour) phase.Evidence {
	scores := make([]float64, len(task.Candidates))
	of := map[string]float64{}
	for _, n := range near {
		of[cut.ItemID(n.Item)] = n.Score
	}
	for i, id := range task.Candidates {
		scores[i] = of[id]
	}
	return translate.Rank(task, "item_cf", signal(ItemSignal, measure), scores)
}

func (c Config) tellNear(ctx context.Context, view tasks.View, a itemArguments, r ItemResult, near []graph.Neighbour) (ItemResult, error) {
	if len(near) == 0 {
		r.Evidence = append(r.Evidence, fmt.Sprintf("%s %s %s before %s; %s shares %s or more with it.",
			plural(r.Of.Degree), c.Words.Did(), r.Of.Item, translate.Moment(view), nothing(a.Among), plural(a.Support)))
		return r, nil
	}
	seen := history(view)
	for i, n := range near {
		pair, err := c.pair(ctx, view, n)
		if err != nil {
			return ItemResult{}, err
		}
		pair.Seen = seen[n.Item]
		r.Items = append(r.Items, pair)
		if i < c.told() {
			s := c.together(view, r.Of.Item, n, pair, r.Of.Degree)
			if pair.Seen {
				s += " This user has it."
			}
			r.Evidence = append(r.Evidence, s)
		}
	}
	return r, nil
}

// window ranks the candidates by the user's history.
func (c Config) window(ctx context.Context, view tasks.View, a itemArguments) (ItemResult, error) {
	last, err := windowSize(a.Window)
	if err != nil {
		return ItemResult{}, err
	}
	if _, err := translate.Candidates(view, "item_cf without item"); err != nil {
		return ItemResult{}, err
	}
	user, known, err := translate.User(view, "item_cf with window")
	if err != nil {
		return ItemResult{}, err
	}
	task, cut := view.Task(), view.Cut()
	q := rank.ItemCFQuery{Last: last, K: a.K, Measure: graph.Measure(a.Measure), Support: a.Support}
	scores := rank.ScoreItemCF(cut, task.User, task.Candidates, q)
	e := translate.Rank(task, "item_cf", signal(rank.WindowSignal(last), a.Measure), scores)
	r := ItemResult{Items: []Pair{}, Rankings: []phase.Evidence{e}}
	if !known {
		r.Evidence = []string{fmt.Sprintf("The user has no history before %s, so nothing goes together with it.", translate.Moment(view))}
		return r, nil
	}
	events := cut.History(user)
	if last > 0 && last < len(events) {
		events = events[len(events)-last:]
	}
	stretch := fmt.Sprintf("the user's last %s", translate.Plural(len(events), "item"))
	if last == 0 {
		stretch = fmt.Sprintf("all %s of the user", translate.Plural(len(events), "item"))
	}
	s, err := standing(ctx, view, "what goes together with "+stretch, e)
	if err != nil {
		return ItemResult{}, err
	}
	r.Evidence = append(r.Evidence, s)
	for _, id := range best(task, e, c.told()) {
		pair, s, err := c.nearest(ctx, view, id, q)
		if err != nil {
			return ItemResult{}, err
		}
		r.Items, r.Evidence = append(r.Items, pair), append(r.Evidence, s)
	}
	return r, nil
}

// nearest tells which of the user's items speaks most for a candidate.
func (c Config) nearest(ctx context.Context, view tasks.View, id string, q rank.ItemCFQuery) (Pair, string, error) {
	cut := view.Cut()
	candidate, _ := cut.Item(id)
	links := rank.ItemCFLinks(cut, view.Task().User, id, q)
	mine := links[0].Item // one with a score has links
	back := cut.ItemCF(mine, graph.Query{K: 1, Measure: q.Measure, Support: q.Support, Among: []graph.Item{candidate}, LikedFrom: float32(c.Words.LikedFrom())})
	pair, err := c.pair(ctx, view, back[0])
	if err != nil {
		return Pair{}, "", err
	}
	near, err := translate.Name(ctx, view, cut.ItemID(mine))
	if err != nil {
		return Pair{}, "", err
	}
	pair.Nearest, pair.Links = &near, len(links)
	s := fmt.Sprintf("%s for %s, nearest %s.", speak(len(links)), pair.Item, near)
	return pair, s + " " + c.together(view, near, back[0], pair, cut.ItemDegree(mine)), nil
}

// together is the sentence of Item-CF.
func (c Config) together(view tasks.View, of translate.Item, n graph.Neighbour, p Pair, degree int) string {
	did := c.Words.Did()
	s := fmt.Sprintf("Users who %s %s also %s %s: %s", did, of, did, p.Item, c.Words.Overlap(n.Shared, degree, n.Lift))
	if n.Liked > 0 || rated(view.Cut(), n.Item) {
		s += "; " + c.Words.Rated(n.Liked, n.Shared)
	}
	return s + "."
}

func (c Config) pair(ctx context.Context, view tasks.View, n graph.Neighbour) (Pair, error) {
	name, err := translate.Name(ctx, view, view.Cut().ItemID(n.Item))
	return Pair{
		Item: name, Shared: n.Shared, Liked: n.Liked, Degree: n.Degree,
		Cosine: translate.Round(n.Cosine), Lift: translate.Round(n.Lift), Score: translate.Round(n.Score),
	}, err
}

// signal names a signal that is measured by another measure than rank's.
func signal(name, measure string) string {
	if measure == string(graph.Cosine) {
		return name
	}
	return name + "_" + measure
}

// windowSize reads the argument window: 0 is all.
func windowSize(window string) (int, error) {
	if window == "" || window == "all" {
		return 0, nil
	}
	n, ok := strings.CutPrefix(window, "last:")
	if size, err := strconv.Atoi(n); ok && err == nil && size > 0 && size <= 10_000 && strconv.Itoa(size) == n {
		return size, nil
	}
	return 0, tools.Inputf(`window of item_cf is neither "all" nor "last:" and a number from 1 to 10000, such as "last:10"`)
}

// history is what the user has: empty for a view without a user.
func history(view tasks.View) map[graph.Item]bool {
	seen := map[graph.Item]bool{}
	if u, ok := view.Cut().User(view.Task().User); ok {
		for _, e := range view.Cut().History(u) {
			seen[e.Item] = true
		}
	}
	return seen
}

// rated reports whether anybody rated the item, as opposed to taking it.
func rated(cut *graph.Cut, i graph.Item) bool {
	for _, e := range cut.Audience(i) {
		if e.Rating > 0 {
			return true
		}
	}
	return false
}

func plural(users int) string { return translate.Plural(users, "user") }

func nothing(amongst string) string {
	if amongst == among {
		return "no candidate"
	}
	return "no other item"
}

func speak(n int) string {
	if n == 1 {
		return "1 of them speaks"
	}
	return translate.Count(n) + " of them speak"
}
