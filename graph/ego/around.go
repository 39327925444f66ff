package ego

import (
	"slices"

	"github.com/mars-rec/mars/graph"
)

// AroundItem returns the neighbourhood of an item, given by its external id:
// who came to have it last, and the items nearest to it by cosine; at most
// Config.K of each. The error is an [Unknown], or what Config.Title returned.
func AroundItem(cut *graph.Cut, item string, cfg Config) (*Ego, error) {
	b := newBuilder(cut, cfg)
	i, err := b.findItem(item)
	if err != nil {
		return nil, err
	}
	b.latest(Audience, cut.Audience(i), func(e graph.Event) string { return b.user(e.User, 0) })
	of := b.item(i, 1)
	near := cut.ItemCF(i, graph.Query{K: -1, Support: b.cfg.Support})
	g := Group{By: ItemCF, Nodes: []string{}, Of: len(near)}
	for _, n := range near[:min(b.cfg.K, len(near))] {
		other := b.item(n.Item, 2)
		g.Nodes = append(g.Nodes, other)
		b.edge(Edge{From: of, To: other, Relation: Together, Shared: n.Shared, Cosine: n.Cosine, Lift: n.Lift})
	}
	b.ego.Groups = append(b.ego.Groups, g)
	return b.done()
}

// AroundUser returns the neighbourhood of a user, given by the external id:
// what the user had last, and the users nearest by cosine; at most Config.K of
// each. The error is an [Unknown], or what Config.Title returned.
func AroundUser(cut *graph.Cut, user string, cfg Config) (*Ego, error) {
	b := newBuilder(cut, cfg)
	u, err := b.findUser(user)
	if err != nil {
		return nil, err
	}
	b.latest(History, cut.History(u), func(e graph.Event) string { return b.item(e.Item, 0) })
	of := b.user(u, 1)
	near := cut.SimilarUsers(u, -1, b.cfg.Support)
	g := Group{By: UserCF, Nodes: []string{}, Of: len(near)}
	for _, p := range near[:min(b.cfg.K, len(near))] {
		other := b.user(p.User, 2)
		g.Nodes = append(g.Nodes, other)
		b.edge(Edge{From: of, To: other, Relation: Alike, Shared: p.Shared, Cosine: p.Cosine})
	}
	b.ego.Groups = append(b.ego.Groups, g)
	return b.done()
}

// latest adds a group of the last events; events ascend by time and then by id.
func (b *builder) latest(by Source, events []graph.Event, add func(graph.Event) string) {
	g := Group{By: by, Nodes: []string{}, Of: len(events)}
	slices.SortStableFunc(events, func(a, b graph.Event) int { return b.Time.Compare(a.Time) })
	for _, e := range events[:min(b.cfg.K, len(events))] {
		g.Nodes = append(g.Nodes, add(e))
		b.had(e)
	}
	b.ego.Groups = append(b.ego.Groups, g)
}
