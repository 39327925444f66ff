// Package rank is the classical side of recommending: signals over a cut of
// the graph, rankers, and the fused score.
package rank

// The signals, each a number per candidate. Larger is better.
const (
	ItemCF           = "item_cf"           // Item-CF over the whole history, neighbourhoods pruned to k=20
	ItemCFRecent     = "item_cf_recent"    // over the last ten items
	ItemCFLast       = "item_cf_last"      // over the last three items
	UserCF           = "user_cf"           // the user's nearest users
	Popularity       = "popularity"        // log of the degree as of the cut
	PopularityRecent = "popularity_recent" // log of the degree in the last months before the cut
	Category         = "category"          // how much of the history shares the item's categories
	Year             = "year"              // closeness in year to the recent history
)
