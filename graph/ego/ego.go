// Package ego shows a small piece of the user-item graph: why an item is
// recommended to a user, or what lies around one user or one item.
//
// [Why] finds the two kinds of evidence of collaborative filtering, the
// strongest first, and how each leads from the user to the item:
//
//	                had        together
//	           ┌──────────> dune ──────────┐        Item-CF: what goes together
//	           │  rated 4.5    412 shared  v        with what the user has
//	user 42 ───┤                       foundation
//	           │  34 shared    rated 5     ^
//	           └──────────> user 17 ───────┘        User-CF: who is alike, and
//	                alike        had                has it
//
// [AroundItem] shows who came to an item last and the items nearest to it,
// [AroundUser] what a user had last and who is nearest.
//
// An [Ego] is data: nodes, edges and groups in a fixed order, the same on every
// call. It is written as JSON by encoding/json, for Graphviz by [Ego.DOT], as a
// picture by [Ego.SVG], and goes on living as a graph of
// github.com/dominikbraun/graph by [Ego.Graph].
//
// Every number in it is the cut's own answer, so that nothing at or after the
// cut's moment shows. The package knows no text: titles come from
// [Config.Title]. They are foreign, and are escaped wherever they are written.
package ego

import (
	"fmt"
	"time"

	"github.com/mars-rec/mars/graph"
)

// Kind says what a node is.
type Kind string

// The kinds of nodes.
const (
	User Kind = "user"
	Item Kind = "item"
)

// Relation says what an edge is.
type Relation string

// The kinds of edges.
const (
	Had      Relation = "had"      // user to item: an interaction
	Together Relation = "together" // item to item: users have both
	Alike    Relation = "alike"    // user to user: both have the same items
)

// Node is a user or an item.
type Node struct {
	Key    string `json:"key"` // "user:" or "item:" and the id: unique in an Ego
	Kind   Kind   `json:"kind"`
	ID     string `json:"id"`              // external
	Title  string `json:"title,omitempty"` // of an item, as Config.Title says
	Layer  int    `json:"layer"`           // where it is drawn: 0 left, 1 middle, 2 right
	Degree int    `json:"degree"`          // items of a user, users of an item
}

// Edge joins two nodes. Had carries time and rating, Together shared, cosine
// and lift, Alike shared and cosine; package graph defines them.
type Edge struct {
	From     string    `json:"from"` // key of a node
	To       string    `json:"to"`
	Relation Relation  `json:"relation"`
	Shared   int       `json:"shared,omitempty"` // users who have both items, items that both users have
	Cosine   float64   `json:"cosine,omitempty"`
	Lift     float64   `json:"lift,omitempty"`
	Time     time.Time `json:"time,omitzero"`    // UTC
	Rating   float32   `json:"rating,omitempty"` // in the source's stars; 0: none
}

// Group is one kind of evidence: what is shown of it, and how much there is.
type Group struct {
	By    Source   `json:"by"`
	Nodes []string `json:"nodes"` // keys of what is shown: strongest first, or latest first
	Of    int      `json:"of"`    // how many there are, shown or not
	// Asked is, for UserCF between a user and an item, the number of nearest
	// users that were asked whether they have the item.
	Asked int `json:"asked,omitempty"`
	// Score is, for UserCF between a user and an item, the sum of the cosines of
	// all Of users, nearest first: the score that User-CF gives the item.
	Score float64 `json:"score,omitempty"`
}

// Source says where a group comes from.
type Source string

// The sources of groups.
const (
	ItemCF   Source = "item_cf"  // items that go together with the item, by cosine
	UserCF   Source = "user_cf"  // users alike, by cosine
	History  Source = "history"  // what the user had, the latest first
	Audience Source = "audience" // who had the item, the latest first
)

// Ego is a piece of the graph as of a moment. Nodes are ordered by layer, and
// within one as the groups are; edges as their evidence is.
type Ego struct {
	AsOf   time.Time `json:"as_of"`          // nothing at or after it is in here
	User   string    `json:"user,omitempty"` // external id of the user in question
	Item   string    `json:"item,omitempty"` // external id of the item in question
	Verb   string    `json:"verb"`           // what users did with items, in the past tense
	Nodes  []Node    `json:"nodes"`
	Edges  []Edge    `json:"edges"`
	Groups []Group   `json:"groups"`
}

// DefaultK is how much evidence of each kind is shown.
const DefaultK = 5

// MaxK is how much evidence of each kind is shown at most: more is no picture.
const MaxK = 50

// Config says how much is shown, and in which words. The zero value works.
type Config struct {
	K          int    // evidence of each kind; 0: DefaultK; above MaxK: MaxK
	Neighbours int    // nearest users that User-CF asks; 0: graph.DefaultNeighbours
	Support    int    // minimum of shared users or items; 0: graph.DefaultSupport
	Verb       string // what users did, in the past tense; "": "had"
	// Title returns the title of an item by its external id; nil: there are none.
	// It is asked once for each item that is shown. Its error ends the work.
	Title func(item string) (string, error)
}

// Unknown is the error for a user or an item without an event before the cut.
type Unknown struct {
	Kind Kind
	ID   string
	AsOf time.Time
}

// Error implements error.
func (e *Unknown) Error() string {
	return fmt.Sprintf("no %s %q: no interaction is known before %s", e.Kind, e.ID, e.AsOf.Format(time.RFC3339))
}

// Node returns the node with that key, and whether there is one.
func (e *Ego) Node(key string) (Node, bool) {
	for _, n := range e.Nodes {
		if n.Key == key {
			return n, true
		}
	}
	return Node{}, false
}

// asked reports whether the node is one that the Ego is about.
func (e *Ego) asked(n Node) bool {
	return (n.Kind == User && n.ID == e.User) || (n.Kind == Item && n.ID == e.Item)
}

// Edge returns the edge between two nodes, and whether there is one.
func (e *Ego) Edge(from, to string) (Edge, bool) {
	for _, d := range e.Edges {
		if d.From == from && d.To == to {
			return d, true
		}
	}
	return Edge{}, false
}

// Group returns the group of that source, and whether there is one.
func (e *Ego) Group(by Source) (Group, bool) {
	for _, g := range e.Groups {
		if g.By == by {
			return g, true
		}
	}
	return Group{}, false
}

// UserKey returns the key of the node of a user.
func UserKey(id string) string { return string(User) + ":" + id }

// ItemKey returns the key of the node of an item.
func ItemKey(id string) string { return string(Item) + ":" + id }

// builder collects an Ego from the answers of a cut.
type builder struct {
	cut *graph.Cut
	cfg Config
	ego *Ego
	err error // the first of Config.Title
}

func newBuilder(cut *graph.Cut, cfg Config) *builder {
	if cfg.K <= 0 {
		cfg.K = DefaultK
	}
	cfg.K = min(cfg.K, MaxK)
	if cfg.Neighbours <= 0 {
		cfg.Neighbours = graph.DefaultNeighbours
	}
	if cfg.Verb == "" {
		cfg.Verb = "had"
	}
	return &builder{cut: cut, cfg: cfg, ego: &Ego{AsOf: cut.AsOf(), Verb: cfg.Verb, Nodes: []Node{}, Edges: []Edge{}, Groups: []Group{}}}
}

func (b *builder) findUser(id string) (graph.User, error) {
	u, ok := b.cut.User(id)
	if !ok {
		return 0, &Unknown{User, id, b.cut.AsOf()}
	}
	b.ego.User = id
	return u, nil
}

func (b *builder) findItem(id string) (graph.Item, error) {
	i, ok := b.cut.Item(id)
	if !ok {
		return 0, &Unknown{Item, id, b.cut.AsOf()}
	}
	b.ego.Item = id
	return i, nil
}

// user and item add a node and return its key.
func (b *builder) user(u graph.User, layer int) string {
	id := b.cut.UserID(u)
	b.ego.Nodes = append(b.ego.Nodes, Node{Key: UserKey(id), Kind: User, ID: id, Layer: layer, Degree: b.cut.UserDegree(u)})
	return UserKey(id)
}

func (b *builder) item(i graph.Item, layer int) string {
	n := Node{Kind: Item, ID: b.cut.ItemID(i), Layer: layer, Degree: b.cut.ItemDegree(i)}
	n.Key = ItemKey(n.ID)
	if b.cfg.Title != nil && b.err == nil {
		n.Title, b.err = b.cfg.Title(n.ID)
	}
	b.ego.Nodes = append(b.ego.Nodes, n)
	return n.Key
}

func (b *builder) edge(e Edge) { b.ego.Edges = append(b.ego.Edges, e) }

// had adds the edge of an interaction.
func (b *builder) had(e graph.Event) {
	b.edge(Edge{From: UserKey(b.cut.UserID(e.User)), To: ItemKey(b.cut.ItemID(e.Item)), Relation: Had, Time: e.Time, Rating: e.Rating})
}

func (b *builder) done() (*Ego, error) {
	if b.err != nil {
		return nil, fmt.Errorf("title: %w", b.err)
	}
	return b.ego, nil
}
