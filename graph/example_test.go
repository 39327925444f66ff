package graph_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/mars-rec/mars/graph"
)

// A log is built and asked as of a moment: what ann does at second 9 is not yet
// known then.
func Example() {
	g, err := graph.Build(rows([]graph.Interaction{
		{User: "ann", Item: "dune", Time: 1}, {User: "ann", Item: "emma", Time: 2},
		{User: "bob", Item: "dune", Time: 3}, {User: "bob", Item: "emma", Time: 4},
		{User: "cat", Item: "dune", Time: 5}, {User: "ann", Item: "ulysses", Time: 9},
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	cut := g.At(time.Unix(9, 0))
	dune, _ := cut.Item("dune")
	for _, n := range cut.ItemCF(dune, graph.Query{}) {
		fmt.Printf("%s: %d of %d share it, cosine %.2f\n", cut.ItemID(n.Item), n.Shared, cut.ItemDegree(dune), n.Cosine)
	}
	// Output: emma: 2 of 3 share it, cosine 0.82
}

// Interactions are appended to a snapshot while it is asked, and folded in.
func ExampleLive() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "graph.bin")
	g, err := graph.Build(rows([]graph.Interaction{{User: "ann", Item: "dune", Time: 1}}))
	if err == nil {
		err = g.Save(path)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	live, err := graph.OpenLive(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer live.Close()
	if err := live.Append([]graph.Interaction{{User: "bob", Item: "dune", Time: 2}}); err != nil {
		fmt.Println(err)
	}
	if err := live.Compact(graph.BuildConfig{}); err != nil {
		fmt.Println(err)
	}
	now := live.Graph()
	cut := now.At(now.End())
	var who []string
	for u := range cut.AllUsers() {
		who = append(who, cut.UserID(u))
	}
	fmt.Println(slices.Sorted(slices.Values(who)))
	// Output: [ann bob]
}
