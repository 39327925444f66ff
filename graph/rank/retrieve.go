package rank

import "github.com/mars-rec/mars/graph"

// near is how many neighbours of each recent item are looked at in retrieval.
const near = 50

// Retrieve finds n items for the user that he does not have, all of the cut: in
// turn the best by Item-CF over his last ten items, the best by User-CF, and the
// most popular, each once. It is fewer where the cut has fewer. A user without a
// history gets what is popular.
func Retrieve(cut *graph.Cut, user string, n int) []string {
	var lists [][]graph.Item
	has := map[graph.Item]bool{}
	for _, i := range lastItems(cut, user, 0) {
		has[i] = true
	}
	if u, ok := cut.User(user); ok && len(has) > 0 {
		lists = append(lists, nearRecent(cut, user, has))
		var byUsers []graph.Item
		for _, s := range cut.UserCF(u, graph.UserQuery{K: n}) {
			byUsers = append(byUsers, s.Item)
		}
		lists = append(lists, byUsers)
	}
	lists = append(lists, cut.Popular(n+len(has)))
	var found []string
	for len(found) < n {
		before := len(lists)
		for k := range lists {
			var next graph.Item
			var ok bool
			if next, lists[k], ok = first(lists[k], has); ok && len(found) < n {
				has[next] = true
				found = append(found, cut.ItemID(next))
			} else if !ok {
				before--
			}
		}
		if before == 0 {
			break
		}
	}
	return found
}

// first takes the first item that is not had from a list.
func first(list []graph.Item, has map[graph.Item]bool) (graph.Item, []graph.Item, bool) {
	for k, i := range list {
		if !has[i] {
			return i, list[k+1:], true
		}
	}
	return 0, nil, false
}

// nearRecent orders the neighbours of the user's last ten items by the sum of
// their cosines.
func nearRecent(cut *graph.Cut, user string, has map[graph.Item]bool) []graph.Item {
	sums := map[graph.Item]float64{}
	for _, i := range lastItems(cut, user, 10) {
		for _, x := range cut.ItemCF(i, graph.Query{K: near}) {
			if !has[x.Item] {
				sums[x.Item] += x.Cosine
			}
		}
	}
	var ids []string
	var scores []float64
	for i, s := range sums {
		ids, scores = append(ids, cut.ItemID(i)), append(scores, s)
	}
	var items []graph.Item
	for _, id := range Order(ids, scores) {
		i, _ := cut.Item(id)
		items = append(items, i)
	}
	return items
}
