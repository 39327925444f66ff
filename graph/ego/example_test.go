package ego_test

import (
	"fmt"
	"time"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/graph/ego"
)

// The strongest paths from ann to foundation, as of a moment.
func ExampleWhy() {
	g, err := graph.Build(func(yield func(graph.Interaction, error) bool) {
		for k, in := range []graph.Interaction{
			{User: "ann", Item: "dune", Rating: 4.5}, {User: "ann", Item: "solaris"},
			{User: "bob", Item: "dune"}, {User: "bob", Item: "solaris"}, {User: "bob", Item: "foundation", Rating: 5},
			{User: "eve", Item: "dune"}, {User: "eve", Item: "foundation", Rating: 3},
		} {
			in.Time = int64(k)
			if !yield(in, nil) {
				return
			}
		}
	})
	if err != nil {
		panic(err)
	}
	e, err := ego.Why(g.At(time.Unix(100, 0)), "ann", "foundation", ego.Config{})
	if err != nil {
		panic(err)
	}
	for _, group := range e.Groups {
		fmt.Printf("%s: %d of %d\n", group.By, len(group.Nodes), group.Of)
		for _, key := range group.Nodes {
			to, _ := e.Edge(ego.UserKey("ann"), key)
			from, _ := e.Edge(key, ego.ItemKey("foundation"))
			fmt.Printf("  ann --%s--> %s --%s--> foundation: %d in common, cosine %.3f\n", to.Relation, key, from.Relation, to.Shared+from.Shared, to.Cosine+from.Cosine)
		}
	}
	// Output:
	// item_cf: 1 of 1
	//   ann --had--> item:dune --together--> foundation: 2 in common, cosine 0.816
	// user_cf: 1 of 1
	//   ann --alike--> user:bob --had--> foundation: 2 in common, cosine 0.816
}
