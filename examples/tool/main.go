// Command tool gives the team a tool of one's own: the candidates by the same
// author as the last item. The profile analyst may call it, and what it ranks
// becomes evidence like any other.
//
//	go run ./examples/tool
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"strings"

	"github.com/mars-rec/mars/agents/roles"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model/builtin"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/taskstest"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/tools/catalog"
	"github.com/mars-rec/mars/tools/cf"
	"github.com/mars-rec/mars/tools/translate"
	"github.com/mars-rec/mars/trajectories"
)

// The answer of the tool: sentences, and the candidates ranked.
type answer struct {
	Evidence []string         `json:"evidence"`
	Rankings []phase.Evidence `json:"rankings"`
}

// sameAuthor ranks the candidates by the authors that they share with the
// user's last item. The view is already cut at the moment of the task.
func sameAuthor(ctx context.Context, view tasks.View, _ struct{}) (answer, error) {
	cut, task := view.Cut(), view.Task()
	user, ok := cut.User(task.User)
	if !ok || cut.UserDegree(user) == 0 {
		return answer{}, tools.Inputf("user %s has no history", task.User)
	}
	history := cut.History(user)
	last, err := view.Item(ctx, cut.ItemID(history[len(history)-1].Item))
	if err != nil {
		return answer{}, err
	}
	scores := make([]float64, len(task.Candidates))
	for i, id := range task.Candidates {
		item, err := view.Item(ctx, id)
		if err != nil {
			return answer{}, err
		}
		for _, creator := range item.Creators {
			if slices.Contains(last.Creators, creator) {
				scores[i]++
			}
		}
	}
	return answer{
		Evidence: []string{fmt.Sprintf("The last item, %q, is by %s.", last.Title, strings.Join(last.Creators, " and "))},
		Rankings: []phase.Evidence{translate.Rank(task, "same_author", "same_author", scores)},
	}, nil
}

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer) error {
	source, task := taskstest.Library()
	mine := tools.Define("same_author", "Ranks the candidates by the authors that they share with the user's last item.", sameAuthor)
	team, err := orchestrator.DefaultTeam().Change(strings.NewReader(`
roles:
  analyst/author: {kind: analyst, after: [planner], tools: [same_author]}
`))
	if err != nil {
		return err
	}
	o, err := orchestrator.New(orchestrator.Config{
		Team:   team,
		Source: source,
		Tools:  slices.Concat(cf.Tools(cf.Config{}), catalog.Tools(catalog.Config{}), []tools.Named{mine}),
		Cast:   roles.New(roles.Config{}).Cast,
		Model:  orchestrator.Model{Name: "builtin", Model: builtin.New(builtin.Config{})},
	})
	if err != nil {
		return err
	}
	recorder := &trajectories.Recorder{}
	if _, err := o.Run(ctx, task, recorder, nil); err != nil {
		return err
	}
	for _, e := range recorder.Log() {
		if e.From == "analyst/author" && e.To == orchestrator.TeamAddress {
			analysis, err := message.Decode[phase.Analysis](e)
			if err != nil {
				return err
			}
			fmt.Fprintln(w, strings.Join(analysis.Claims, " "))
			fmt.Fprint(w, phase.WriteEvidence(analysis.Evidence))
		}
	}
	return nil
}
