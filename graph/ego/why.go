package ego

import "github.com/mars-rec/mars/graph"

// Why returns the strongest paths from a user to an item, both given by their
// external ids: through the items of the user's history that go together with
// the item (Item-CF), and through the nearest users who have it (User-CF). Of
// each kind there are at most Config.K, best cosine first, ties by external id;
// the groups tell how many there are in all.
//
// If the user already has the item, an edge says when; the item is then no part
// of the history that paths go through, and the user's likeness to others
// counts it as the graph does.
//
// The error is an [Unknown], or what Config.Title returned.
func Why(cut *graph.Cut, user, item string, cfg Config) (*Ego, error) {
	b := newBuilder(cut, cfg)
	u, err := b.findUser(user)
	if err != nil {
		return nil, err
	}
	i, err := b.findItem(item)
	if err != nil {
		return nil, err
	}
	b.user(u, 0)
	b.throughItems(u, i)
	b.throughUsers(u, i)
	b.item(i, 2)
	return b.done()
}

// throughItems adds the paths of Item-CF. Cosine and lift are symmetric, so
// one query from the item among the history answers for all of it.
func (b *builder) throughItems(u graph.User, i graph.Item) {
	events := map[graph.Item]graph.Event{}
	mine := []graph.Item{} // not nil, which would mean all
	for _, e := range b.cut.History(u) {
		if e.Item == i {
			b.had(e)
			continue
		}
		events[e.Item] = e
		mine = append(mine, e.Item)
	}
	near := b.cut.ItemCF(i, graph.Query{K: -1, Support: b.cfg.Support, Among: mine})
	g := Group{By: ItemCF, Nodes: []string{}, Of: len(near)}
	for _, n := range near[:min(b.cfg.K, len(near))] {
		via := b.item(n.Item, 1)
		g.Nodes = append(g.Nodes, via)
		b.had(events[n.Item])
		b.edge(Edge{From: via, To: ItemKey(b.ego.Item), Relation: Together, Shared: n.Shared, Cosine: n.Cosine, Lift: n.Lift})
	}
	b.ego.Groups = append(b.ego.Groups, g)
}

// throughUsers adds the paths of User-CF: it asks the user's nearest users who
// of them has the item.
func (b *builder) throughUsers(u graph.User, i graph.Item) {
	events := map[graph.User]graph.Event{}
	for _, e := range b.cut.Audience(i) {
		events[e.User] = e
	}
	peers := b.cut.SimilarUsers(u, b.cfg.Neighbours, b.cfg.Support)
	g := Group{By: UserCF, Nodes: []string{}, Asked: len(peers)}
	for _, p := range peers {
		e, has := events[p.User]
		if !has {
			continue
		}
		g.Of++
		g.Score += p.Cosine
		if len(g.Nodes) == b.cfg.K {
			continue
		}
		via := b.user(p.User, 1)
		g.Nodes = append(g.Nodes, via)
		b.edge(Edge{From: UserKey(b.ego.User), To: via, Relation: Alike, Shared: p.Shared, Cosine: p.Cosine})
		b.had(e)
	}
	b.ego.Groups = append(b.ego.Groups, g)
}
