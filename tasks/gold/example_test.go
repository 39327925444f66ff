package gold_test

import (
	"fmt"
	"log"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/tasks/gold"
)

// Three readers; the last thing that ann took is what her task asks for. Only
// moby and dracula can stand beside it: dune she has had, and walden nobody has
// had yet.
func ExampleLeaveLastOut() {
	events := []graph.Interaction{
		{User: "bob", Item: "emma", Time: 10}, {User: "bob", Item: "moby", Time: 20},
		{User: "cy", Item: "moby", Time: 11}, {User: "cy", Item: "dracula", Time: 21},
		{User: "ann", Item: "dune", Time: 30}, {User: "ann", Item: "emma", Time: 40},
		{User: "cy", Item: "walden", Time: 50},
	}
	g, err := graph.Build(func(yield func(graph.Interaction, error) bool) {
		for _, e := range events {
			if !yield(e, nil) {
				return
			}
		}
	})
	if err != nil {
		log.Fatal(err)
	}
	set, err := gold.LeaveLastOut("library", g, gold.Config{Candidates: 3, MinHistory: 1, Seed: 42})
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range set.Cases {
		fmt.Println(c.Task.ID, c.Task.AsOf.Unix(), c.Task.Candidates, c.Gold.Items)
	}
	// Output: classic-ann 40 [dracula emma moby] [emma]
}
