// Command agent seats an agent of one's own: a ranker that needs no model and
// ranks by the number of signals in which a candidate is among the best.
//
//	go run ./examples/agent
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"slices"

	"github.com/mars-rec/mars/agents"
	"github.com/mars-rec/mars/agents/roles"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model/builtin"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/taskstest"
	"github.com/mars-rec/mars/tools/catalog"
	"github.com/mars-rec/mars/tools/cf"
	"github.com/mars-rec/mars/trajectories"
)

// votes is the agent: it answers a brief with a recommendation.
type votes struct{ view tasks.View }

// Handle gives a candidate a vote for each signal that puts it on the highest
// levels. Ties keep the order of the labels.
func (v votes) Handle(_ context.Context, t *agents.Turn) (message.Body, error) {
	brief, err := message.Decode[phase.Brief](t.In)
	if err != nil {
		return nil, err
	}
	count := map[string]int{}
	for _, analysis := range brief.Analyses {
		for _, evidence := range analysis.Evidence {
			for _, s := range evidence.Ranking {
				if s.Level >= 7 {
					count[s.Label]++
				}
			}
		}
	}
	labels := v.view.Task().Labels()
	slices.SortStableFunc(labels, func(a, b string) int { return cmp.Compare(count[b], count[a]) })
	return phase.Recommend{Ranking: labels, Justification: fmt.Sprintf("%s has %d votes.", labels[0], count[labels[0]])}, nil
}

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer) error {
	source, task := taskstest.Library()
	book := roles.New(roles.Config{})
	team, err := orchestrator.New(orchestrator.Config{
		Source: source,
		Tools:  slices.Concat(cf.Tools(cf.Config{}), catalog.Tools(catalog.Config{})),
		Model:  orchestrator.Model{Name: "builtin", Model: builtin.New(builtin.Config{})},
		Cast: func(seat agents.Seat, view tasks.View) (agents.Agent, error) {
			if seat.Kind == "ranker" {
				return votes{view}, nil
			}
			return book.Cast(seat, view)
		},
	})
	if err != nil {
		return err
	}
	result, err := team.Run(ctx, task, &trajectories.Recorder{}, nil)
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "ranking:", result.Ranking)
	fmt.Fprintln(w, "because:", result.Justification)
	return nil
}
