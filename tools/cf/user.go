package cf

import (
	"cmp"
	"context"
	"slices"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/graph/rank"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tools/translate"
)

type userArguments struct {
	Neighbours int    `json:"neighbours,omitzero" jsonschema:"how many of the nearest users are asked" minimum:"1" maximum:"1000" default:"50"`
	K          int    `json:"k,omitzero" jsonschema:"how many items" minimum:"1" maximum:"100" default:"20"`
	Among      string `json:"among,omitzero" jsonschema:"rank only the candidates, all of them" enum:"candidates"`
}

// UserResult is the result of user_cf.
type UserResult struct {
	Evidence   []string         `json:"evidence"`
	Neighbours *Circle          `json:"neighbours,omitempty"` // absent if there are none
	Common     []Common         `json:"common,omitempty"`     // what of the user's they most often have
	Kinds      *Kinds           `json:"kinds,omitempty"`      // what the items have in common
	Items      []Suggestion     `json:"items"`                // best first; with among: the candidates that sentences are about
	Rankings   []phase.Evidence `json:"rankings,omitempty"`
}

// Circle is the users nearest to the user.
type Circle struct {
	Count  int     `json:"count"`
	Least  int     `json:"least_shared"` // items that the user shares with one of them
	Most   int     `json:"most_shared"`
	Cosine float64 `json:"nearest_cosine"`
}

// Common is an item of the user's that near users have too.
type Common struct {
	translate.Item
	Peers int `json:"peers"` // of the nearest users, who have it
}

// Suggestion is an item that near users have.
type Suggestion struct {
	translate.Item
	Peers int     `json:"peers"` // of the nearest users, who have it
	Liked int     `json:"liked"` // of these, who rated it at or above the bound
	Score float64 `json:"score"` // the sum of the cosines of those who have it
}

func (c Config) userCF(ctx context.Context, view tasks.View, a userArguments) (UserResult, error) {
	user, _, err := translate.User(view, "user_cf")
	if err != nil {
		return UserResult{}, err
	}
	task, cut := view.Task(), view.Cut()
	r := UserResult{Items: []Suggestion{}}
	var suggested []string
	scores := map[string]float64{}
	if a.Among == among {
		if _, err := translate.Candidates(view, "user_cf with among"); err != nil {
			return UserResult{}, err
		}
		of := rank.ScoreUserCF(cut, task.User, task.Candidates, graph.UserQuery{Neighbours: a.Neighbours})
		for i, id := range task.Candidates {
			scores[id] = of[i]
		}
		e := translate.Rank(task, "user_cf", rank.CircleSignal(a.Neighbours), of)
		r.Rankings = []phase.Evidence{e}
		suggested = best(task, e, c.told())
	}
	circle := circleOf(view, user, a.Neighbours)
	if len(circle.peers) == 0 {
		return r, r.add(c.Sentences.say(noCircleFacts{translate.Moment(view)}))
	}
	if a.Among == "" {
		for _, s := range cut.UserCF(user, graph.UserQuery{K: a.K, Neighbours: a.Neighbours}) {
			id := cut.ItemID(s.Item)
			suggested, scores[id] = append(suggested, id), s.Score
		}
	}
	r.Neighbours = circle.summary()
	if err := c.tellCircle(ctx, view, user, circle, a, &r); err != nil {
		return UserResult{}, err
	}
	if a.Among == "" {
		if err := c.tellKinds(ctx, view, suggested, &r); err != nil {
			return UserResult{}, err
		}
	}
	for i, id := range suggested {
		s, rated, err := circle.suggestion(ctx, view, id, c.Words.LikedFrom())
		if err != nil {
			return UserResult{}, err
		}
		s.Score = translate.Round(scores[id])
		r.Items = append(r.Items, s)
		if i < c.told() {
			if err := r.add(c.suggest(s, rated, len(circle.peers))); err != nil {
				return UserResult{}, err
			}
		}
	}
	return r, nil
}

// circle is the users nearest to a user, and who is in it.
type circle struct {
	peers []graph.Peer
	in    map[graph.User]bool
}

func circleOf(view tasks.View, u graph.User, n int) circle {
	c := circle{in: map[graph.User]bool{}}
	if _, ok := view.Cut().User(view.Task().User); !ok {
		return c
	}
	c.peers = view.Cut().SimilarUsers(u, n, 0)
	for _, p := range c.peers {
		c.in[p.User] = true
	}
	return c
}

func (c circle) summary() *Circle {
	s := &Circle{Count: len(c.peers), Least: c.peers[0].Shared, Cosine: translate.Round(c.peers[0].Cosine)}
	for _, p := range c.peers {
		s.Least, s.Most = min(s.Least, p.Shared), max(s.Most, p.Shared)
	}
	return s
}

// suggestion counts who of the circle has an item and who likes it, and reports
// whether any of them rated it.
func (c circle) suggestion(ctx context.Context, view tasks.View, id string, likedFrom float64) (s Suggestion, rated bool, err error) {
	s.Item, err = translate.Name(ctx, view, id)
	i, _ := view.Cut().Item(id)
	for _, e := range view.Cut().Audience(i) {
		if c.in[e.User] {
			s.Peers++
			rated = rated || e.Rating > 0
			if float64(e.Rating) >= likedFrom {
				s.Liked++
			}
		}
	}
	return s, rated, err
}

// tellCircle says how near the nearest users are, and what of the user's they
// share most; among the candidates, how those stand.
func (c Config) tellCircle(ctx context.Context, view tasks.View, u graph.User, near circle, a userArguments, r *UserResult) error {
	n := r.Neighbours
	err := r.add(c.Sentences.say(circleFacts{c.Words.Did(), view.Cut().UserDegree(u), n.Count, n.Least, n.Most, n.Most < translate.Thin}))
	if err != nil {
		return err
	}
	if a.Among == among {
		return r.add(c.standing(ctx, view, standingFacts{Circle: n.Count}, r.Rankings[0]))
	}
	if r.Common, err = common(ctx, view, u, near); err != nil {
		return err
	}
	return r.add(c.Sentences.say(commonFacts{r.Common, len(near.peers)}))
}

// add adds a sentence.
func (r *UserResult) add(sentence string, err error) error {
	if err == nil {
		r.Evidence = append(r.Evidence, sentence)
	}
	return err
}

// tellKinds says what the suggested items have in common.
func (c Config) tellKinds(ctx context.Context, view tasks.View, ids []string, r *UserResult) error {
	items, err := records(ctx, view, ids)
	if err != nil {
		return err
	}
	if r.Kinds = kinds(items, 2); r.Kinds == nil {
		return nil
	}
	if r.Kinds = r.Kinds.first(); r.Kinds == nil {
		return nil
	}
	return r.add(c.Sentences.say(kindsFacts(*r.Kinds)))
}

// common finds what the circle shares most with the user.
func common(ctx context.Context, view tasks.View, u graph.User, near circle) ([]Common, error) {
	const most = 3
	cut := view.Cut()
	counts := map[graph.Item]int{}
	mine := cut.History(u)
	for _, e := range mine {
		counts[e.Item] = 0
	}
	for _, p := range near.peers {
		for _, e := range cut.History(p.User) {
			if n, ok := counts[e.Item]; ok {
				counts[e.Item] = n + 1
			}
		}
	}
	slices.SortFunc(mine, func(a, b graph.Event) int {
		return cmp.Or(cmp.Compare(counts[b.Item], counts[a.Item]), cmp.Compare(cut.ItemID(a.Item), cut.ItemID(b.Item)))
	})
	var shared []Common
	for _, e := range mine[:min(most, len(mine))] {
		name, err := translate.Name(ctx, view, cut.ItemID(e.Item))
		if err != nil {
			return nil, err
		}
		shared = append(shared, Common{name, counts[e.Item]})
	}
	return shared, nil
}

// suggest is the sentence of User-CF.
func (c Config) suggest(s Suggestion, rated bool, circle int) (string, error) {
	f := suggestFacts{Did: c.Words.Did(), Circle: circle, Shared: s.Peers, Item: s.Item, Thin: s.Peers < translate.Thin}
	if rated {
		f.Rated = &likedFacts{s.Liked, s.Peers, c.Words.LikedFrom()}
	}
	return c.Sentences.say(f)
}
