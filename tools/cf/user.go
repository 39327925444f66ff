package cf

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

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
		r.Evidence = []string{fmt.Sprintf("No user shares 2 or more items with this user before %s: nothing is known from users alike.", translate.Moment(view))}
		return r, nil
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
	for i, id := range suggested {
		s, rated, err := circle.suggestion(ctx, view, id, c.Words.LikedFrom())
		if err != nil {
			return UserResult{}, err
		}
		s.Score = translate.Round(scores[id])
		r.Items = append(r.Items, s)
		if i < c.told() {
			r.Evidence = append(r.Evidence, c.suggest(s, rated, len(circle.peers)))
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
	shared := translate.Count(n.Least)
	if n.Most > n.Least {
		shared += " to " + translate.Count(n.Most)
	}
	s := fmt.Sprintf("The user %s %s; with the %s nearest to this one it shares %s of them.", c.Words.Did(),
		translate.Plural(view.Cut().UserDegree(u), "item"), plural(n.Count), shared)
	if n.Most < translate.Thin {
		s += fmt.Sprintf(" That is thin: no more than %s in common.", translate.Plural(n.Most, "item"))
	}
	r.Evidence = append(r.Evidence, s)
	if a.Among == among {
		s, err := standing(ctx, view, fmt.Sprintf("what the %s nearest users %s", translate.Count(n.Count), c.Words.Did()), r.Rankings[0])
		r.Evidence = append(r.Evidence, s)
		return err
	}
	s, err := c.common(ctx, view, u, near)
	r.Evidence = append(r.Evidence, s)
	return err
}

// common names what the circle shares most with the user.
func (c Config) common(ctx context.Context, view tasks.View, u graph.User, near circle) (string, error) {
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
	var named []string
	for _, e := range mine[:min(most, len(mine))] {
		name, err := translate.Name(ctx, view, cut.ItemID(e.Item))
		if err != nil {
			return "", err
		}
		named = append(named, fmt.Sprintf("%s (%s of %s)", name, translate.Count(counts[e.Item]), translate.Count(len(near.peers))))
	}
	return "Of what the user has they most often have " + strings.Join(named, ", ") + ".", nil
}

// suggest is the sentence of User-CF.
func (c Config) suggest(s Suggestion, rated bool, circle int) string {
	t := fmt.Sprintf("Of the %s nearest users %s %s %s", translate.Count(circle), translate.Count(s.Peers), c.Words.Did(), s.Item)
	if rated {
		t += "; " + c.Words.Rated(s.Liked, s.Peers)
	}
	if s.Peers < translate.Thin {
		t += fmt.Sprintf("; thin: only %s", plural(s.Peers))
	}
	return t + "."
}
