// Package graph is the user-item graph.
package graph

import (
	"iter"
	"time"
)

// Interaction is one row of a log: a user did something with an item.
type Interaction struct {
	User, Item string
	Time       int64   // Unix seconds
	Rating     float32 // in the source's stars; 0: none
}

// User and Item are the graph's internal ids.
type (
	User uint32
	Item uint32
)

// Event is an interaction seen from one of its ends.
type Event struct {
	User   User
	Item   Item
	Time   time.Time
	Rating float32
}

// Graph is immutable and safe for concurrent use.
type Graph struct{}

// Build makes a graph of a log in any order; of a pair's events the earliest stays.
func Build(log iter.Seq2[Interaction, error]) (*Graph, error) { panic("graph") }

// Open reads a snapshot. Save writes one.
func Open(path string) (*Graph, error)  { panic("graph") }
func (g *Graph) Save(path string) error { panic("graph") }
func (g *Graph) Close() error           { panic("graph") }

// At cuts the graph strictly before t.
func (g *Graph) At(t time.Time) *Cut { panic("graph") }

// Measure is a similarity of two items or users.
type Measure string

// Measures.
const (
	Cosine  Measure = "cosine"
	Jaccard Measure = "jaccard"
	Lift    Measure = "lift"
	IUF     Measure = "iuf"
)

// Query of Item-CF and of neighbours. The zero value: top 20 by cosine, at least 2 shared.
type Query struct {
	K       int
	Measure Measure
	Support int    // minimum of shared users; 0 means 2
	Among   []Item // only these, if not nil
	Exclude []Item
}

// Neighbour is an item near another, with what was counted, all as of the cut.
type Neighbour struct {
	Item   Item
	Shared int // users who have both
	Liked  int // of the shared users, those whose rating of Item is at or above the bound given by LikedFrom
	Degree int // users who have Item
	Cosine float64
	Lift   float64
	Score  float64 // by the query's measure
}

// UserQuery of User-CF. The zero value: 50 neighbours by cosine, top 20 items.
type UserQuery struct {
	K          int
	Neighbours int
	Support    int
	Among      []Item // only these, if not nil
}

// Peer is a user near another.
type Peer struct {
	User   User
	Shared int
	Degree int
	Cosine float64
}

// Suggestion is an item that near users have.
type Suggestion struct {
	Item  Item
	Peers int     // of the neighbours, those who have the item
	Score float64 // the sum of their similarities
}

// Cut is the graph as of a moment: nothing at or after it is visible in any
// list, count, degree or score. Safe for concurrent use.
type Cut struct{}

func (c *Cut) AsOf() time.Time                             { panic("graph") }
func (c *Cut) Users() int                                  { panic("graph") } // with at least one event before the cut
func (c *Cut) Items() int                                  { panic("graph") }
func (c *Cut) Interactions() int                           { panic("graph") }
func (c *Cut) User(id string) (User, bool)                 { panic("graph") }
func (c *Cut) Item(id string) (Item, bool)                 { panic("graph") }
func (c *Cut) UserID(u User) string                        { panic("graph") }
func (c *Cut) ItemID(i Item) string                        { panic("graph") }
func (c *Cut) UserDegree(u User) int                       { panic("graph") }
func (c *Cut) ItemDegree(i Item) int                       { panic("graph") }
func (c *Cut) History(u User) []Event                      { panic("graph") } // ascending by time, ties by external item id
func (c *Cut) Audience(i Item) []Event                     { panic("graph") } // ascending by time, ties by external user id
func (c *Cut) ItemDegreeSince(i Item, since time.Time) int { panic("graph") } // events in [since, cut)
func (c *Cut) Shared(i, j Item) int                        { panic("graph") }
func (c *Cut) ItemCF(i Item, q Query) []Neighbour          { panic("graph") }
func (c *Cut) UserCF(u User, q UserQuery) []Suggestion     { panic("graph") }
func (c *Cut) SimilarUsers(u User, k, support int) []Peer  { panic("graph") }
func (c *Cut) Popular(k int) []Item                        { panic("graph") } // by degree, ties by external id
