package cf

import "github.com/mars-rec/mars/tools/translate"

// The facts of each sentence. What a template may tell is what stands here.

// togetherFacts tell of two items and the users that they have in common.
type togetherFacts struct {
	Did      string
	Of, Item translate.Item
	Shared   int // users who have both
	Degree   int // users who have the first
	Lift     float64
	Thin     bool
	Rated    *likedFacts // nil: nobody rated the second item
}

// likedFacts tell how many of some users rated an item at or above a bound.
type likedFacts struct {
	Liked, Of int
	From      float64
}

// aloneFacts tell of an item without neighbours.
type aloneFacts struct {
	Did     string
	Of      translate.Item
	Degree  int
	Moment  string
	Support int
	Among   bool
}

// alikeFacts tell what the nearest items share with the one asked about.
type alikeFacts struct {
	Count                int
	Categories, Creators []Group
}

// kindsFacts tell what kinds of items the nearest users have.
type kindsFacts alikeFacts

// nearestFacts tell which of the user's items speaks most for a candidate.
type nearestFacts struct {
	Links                int
	Item, Near           translate.Item
	Categories, Creators []string // that both have
}

// standingFacts tell how the candidates stand in a signal: the first few with a
// score, and the labels of those with none.
type standingFacts struct {
	Did    string
	Circle int // User-CF: the nearest users; 0: Item-CF over a window
	Window int // items of the user in the window
	All    bool
	First  []translate.Item
	None   []string
}

type noHistoryFacts struct{ Moment string }

type noCircleFacts struct{ Moment string }

// circleFacts tell how near the nearest users are.
type circleFacts struct {
	Did                        string
	Degree, Count, Least, Most int
	Thin                       bool
}

// commonFacts tell what of the user's the nearest users most often have.
type commonFacts struct {
	Items []Common
	Count int
}

// suggestFacts tell who of the nearest users has an item.
type suggestFacts struct {
	Did            string
	Circle, Shared int
	Item           translate.Item
	Thin           bool
	Rated          *likedFacts
}

func (togetherFacts) sentence() string  { return "together" }
func (aloneFacts) sentence() string     { return "alone" }
func (alikeFacts) sentence() string     { return "alike" }
func (kindsFacts) sentence() string     { return "kinds" }
func (nearestFacts) sentence() string   { return "nearest" }
func (standingFacts) sentence() string  { return "standing" }
func (noHistoryFacts) sentence() string { return "no history" }
func (noCircleFacts) sentence() string  { return "no circle" }
func (circleFacts) sentence() string    { return "circle" }
func (commonFacts) sentence() string    { return "common" }
func (suggestFacts) sentence() string   { return "suggest" }

// samples are facts for every sentence, in each of its forms: what a template
// is tried on.
func samples() []facts {
	item, groups := translate.Item{Item: "i", Title: "Dune", Label: "c01"}, []Group{{"Drama", 2}, {"Crime", 1}}
	liked := &likedFacts{1, 2, 4}
	return []facts{
		togetherFacts{"read", item, item, 2, 4, 1.5, true, liked}, togetherFacts{Lift: 1}, togetherFacts{Lift: 0.5},
		aloneFacts{"read", item, 2, "now", 2, true}, aloneFacts{},
		alikeFacts{20, groups, groups}, alikeFacts{Creators: groups}, kindsFacts{20, groups, groups}, kindsFacts{Creators: groups},
		nearestFacts{2, item, item, []string{"Drama"}, []string{"Herbert"}}, nearestFacts{Links: 1},
		standingFacts{"read", 50, 0, false, []translate.Item{item, item}, []string{"c02"}}, standingFacts{Window: 1, All: true}, standingFacts{First: []translate.Item{item}},
		noHistoryFacts{"now"}, noCircleFacts{"now"}, circleFacts{"read", 9, 50, 2, 5, true}, circleFacts{},
		commonFacts{[]Common{{item, 3}, {item, 2}}, 50}, suggestFacts{"read", 50, 3, item, true, liked}, suggestFacts{},
	}
}
