// Command minimal lets the MARS team rank the candidates of one task, with the
// rule-based teacher, and prints what was said.
//
//	go run ./examples/minimal
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"slices"

	"github.com/mars-rec/mars/agents/roles"
	"github.com/mars-rec/mars/model/builtin"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/tasks/taskstest"
	"github.com/mars-rec/mars/tools/catalog"
	"github.com/mars-rec/mars/tools/cf"
	"github.com/mars-rec/mars/trajectories"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer) error {
	// A small library in memory, and a task in it. A data set that `mars import`
	// made is opened with datasets.Open(dir).
	source, task := taskstest.Library()

	team, err := orchestrator.New(orchestrator.Config{
		Source: source,
		Tools:  slices.Concat(cf.Tools(cf.Config{}), catalog.Tools(catalog.Config{})),
		Cast:   roles.New(roles.Config{}).Cast,
		Model:  orchestrator.Model{Name: "builtin", Model: builtin.New(builtin.Config{})},
		Seed:   42,
	})
	if err != nil {
		return err
	}
	recorder := &trajectories.Recorder{} // store.Open keeps runs on disk
	result, err := team.Run(ctx, task, recorder, nil)
	if err != nil {
		return err
	}
	for _, e := range recorder.Log() {
		if e.To != "" {
			fmt.Fprintf(w, "%-8s %-18s -> %-18s %s\n", e.ID, e.From, e.To, e.Kind)
		}
	}
	fmt.Fprintln(w, "ranking:", result.Ranking)
	fmt.Fprintln(w, "because:", result.Justification)
	return nil
}
