package cf

import (
	"context"
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
	Of       *Subject         `json:"of,omitempty"`    // the item that was asked about
	Alike    *Kinds           `json:"alike,omitempty"` // what its neighbours share with it
	Items    []Pair           `json:"items"`           // best first; with window: the candidates that sentences are about
	Rankings []phase.Evidence `json:"rankings,omitempty"`
}

// Subject is the item whose neighbours are told.
type Subject struct {
	translate.Item
	Degree int    `json:"degree"` // users who have it
	id     string // as it is in the data
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
	r := ItemResult{Of: &Subject{Item: name, id: found.ID}, Items: []Pair{}}
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
		return r, r.add(c.Sentences.say(aloneFacts{c.Words.Did(), r.Of.Item, r.Of.Degree, translate.Moment(view), a.Support, a.Among == among}))
	}
	if a.Among == "" {
		ids := []string{r.Of.id}
		for _, n := range near {
			ids = append(ids, view.Cut().ItemID(n.Item))
		}
		items, err := records(ctx, view, ids)
		if err != nil {
			return ItemResult{}, err
		}
		if r.Alike = alike(items[0], items[1:]); r.Alike != nil {
			if err := r.add(c.Sentences.say(alikeFacts(*r.Alike))); err != nil {
				return ItemResult{}, err
			}
		}
	}
	for i, n := range near {
		pair, err := c.pair(ctx, view, n, a.Measure)
		if err != nil {
			return ItemResult{}, err
		}
		r.Items = append(r.Items, pair)
		if i < c.told() {
			if err := r.add(c.together(view, r.Of.Item, n, pair, r.Of.Degree)); err != nil {
				return ItemResult{}, err
			}
		}
	}
	return r, nil
}

// add adds a sentence.
func (r *ItemResult) add(sentence string, err error) error {
	if err == nil {
		r.Evidence = append(r.Evidence, sentence)
	}
	return err
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
		return r, r.add(c.Sentences.say(noHistoryFacts{translate.Moment(view)}))
	}
	events := cut.History(user)
	if last > 0 && last < len(events) {
		events = events[len(events)-last:]
	}
	if err := r.add(c.standing(ctx, view, standingFacts{Window: len(events), All: last == 0}, e)); err != nil {
		return ItemResult{}, err
	}
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
	pair, err := c.pair(ctx, view, back[0], string(q.Measure))
	if err != nil {
		return Pair{}, "", err
	}
	near, err := translate.Name(ctx, view, cut.ItemID(mine))
	if err != nil {
		return Pair{}, "", err
	}
	items, err := records(ctx, view, []string{id, cut.ItemID(mine)})
	if err != nil {
		return Pair{}, "", err
	}
	pair.Nearest, pair.Links = &near, len(links)
	s, err := c.Sentences.say(nearestFacts{len(links), pair.Item, near,
		both(items[0].Categories, items[1].Categories, mostCategories), both(items[0].Creators, items[1].Creators, mostCreators)})
	if err != nil {
		return Pair{}, "", err
	}
	together, err := c.together(view, near, back[0], pair, cut.ItemDegree(mine))
	return pair, s + " " + together, err
}

// together is the sentence of Item-CF.
func (c Config) together(view tasks.View, of translate.Item, n graph.Neighbour, p Pair, degree int) (string, error) {
	f := togetherFacts{Did: c.Words.Did(), Of: of, Item: p.Item, Shared: n.Shared, Degree: degree, Lift: n.Lift, Thin: n.Shared < translate.Thin}
	if n.Liked > 0 || rated(view.Cut(), n.Item) {
		f.Rated = &likedFacts{n.Liked, n.Shared, c.Words.LikedFrom()}
	}
	return c.Sentences.say(f)
}

func (c Config) pair(ctx context.Context, view tasks.View, n graph.Neighbour, measure string) (Pair, error) {
	name, err := translate.Name(ctx, view, view.Cut().ItemID(n.Item))
	p := Pair{Item: name, Shared: n.Shared, Liked: n.Liked, Degree: n.Degree, Cosine: translate.Round(n.Cosine), Lift: translate.Round(n.Lift)}
	if measure != string(graph.Cosine) {
		p.Score = translate.Round(n.Score)
	}
	return p, err
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

// rated reports whether anybody rated the item, as opposed to taking it.
func rated(cut *graph.Cut, i graph.Item) bool {
	for _, e := range cut.Audience(i) {
		if e.Rating > 0 {
			return true
		}
	}
	return false
}
