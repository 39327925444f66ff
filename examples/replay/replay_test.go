// Package replay shows a recorded run as a test: what the team said once is
// said again from the record, without a model and without a tool, and a prompt
// that has changed is named by its path.
package replay_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/mars-rec/mars/agents/roles"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/builtin"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/tasks/taskstest"
	"github.com/mars-rec/mars/tools/catalog"
	"github.com/mars-rec/mars/tools/cf"
	"github.com/mars-rec/mars/trajectories"
)

// team wires the MARS team to a model under its prompts.
func team(t *testing.T, m model.Model, book *roles.Book) *orchestrator.Orchestrator {
	source, _ := taskstest.Library()
	o, err := orchestrator.New(orchestrator.Config{
		Source: source,
		Tools:  slices.Concat(cf.Tools(cf.Config{}), catalog.Tools(catalog.Config{})),
		Cast:   book.Cast,
		Model:  orchestrator.Model{Name: "teacher", Model: m},
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestReplay(t *testing.T) {
	_, task := taskstest.Library()
	recorder := &trajectories.Recorder{}
	if _, err := team(t, builtin.New(builtin.Config{}), roles.New(roles.Config{})).Run(t.Context(), task, recorder, nil); err != nil {
		t.Fatal(err)
	}
	recorded := recorder.Trajectory(trajectories.Run{ID: task.ID, Task: task})

	// The same team again, from the record: the model is never called.
	again := &trajectories.Recorder{}
	if _, err := team(t, nobody{t}, roles.New(roles.Config{})).Run(t.Context(), task, again, trajectories.Replay(recorded)); err != nil {
		t.Fatal(err)
	}
	if d, differs := trajectories.Diff(recorded, again.Trajectory(recorded.Run)); differs {
		t.Errorf("the replay differs: %s", d)
	}

	// Another prompt for the ranker: the replay stops where it is read.
	changed := roles.New(roles.Config{Prompts: fstest.MapFS{"ranker.md": {Data: []byte("Rank as you like.")}}})
	_, err := team(t, nobody{t}, changed).Run(t.Context(), task, &trajectories.Recorder{}, trajectories.Replay(recorded))
	if !errors.Is(err, trajectories.ErrDiverged) || !strings.Contains(err.Error(), "ranker") {
		t.Errorf("error is %v, want a divergence at the ranker", err)
	}
}
