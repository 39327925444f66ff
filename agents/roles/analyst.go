package roles

import (
	"context"
	"fmt"
	"slices"

	"github.com/mars-rec/mars/agents"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tools"
)

// The bounds of an analyst's turn where its seat sets none.
const (
	defaultSteps = 4  // model calls
	defaultCalls = 12 // tool calls
)

// analyst works on one subtask with its tools.
type analyst struct{ role }

// Handle implements [agents.Agent].
func (a analyst) Handle(ctx context.Context, t *agents.Turn) (message.Body, error) {
	brief, err := a.brief(t)
	if err != nil {
		return nil, err
	}
	extra := ""
	if a.seat.Role() == "historical" {
		if extra, err = a.book.history(ctx, t, a.view); err != nil {
			return nil, err
		}
	}
	question, err := a.question(ctx, brief, extra)
	if err != nil {
		return nil, err
	}
	conversation, err := a.open(ctx, t, question)
	if err != nil {
		return nil, err
	}
	analysis, evidence, err := a.loop(ctx, t, conversation)
	if err != nil {
		return nil, err
	}
	for _, before := range brief.Analyses { // sent back: what was measured the first time still holds
		if before.Role == a.seat.Role() {
			evidence = mergeEvidence(before.Evidence, evidence)
		}
	}
	analysis.Evidence = evidence
	return analysis, nil
}

// loop lets the model call tools until it answers. At the last step no tool is
// offered, so that it has to.
func (a analyst) loop(ctx context.Context, t *agents.Turn, conversation []model.Message) (phase.Analysis, []phase.Evidence, error) {
	var evidence []phase.Evidence
	steps, calls := orDefault(a.seat.Steps, defaultSteps), orDefault(a.seat.Calls, defaultCalls)
	specs, err := t.Tools().Specs()
	if err != nil {
		return phase.Analysis{}, nil, err
	}
	role, labels := a.seat.Role(), a.view.Task().Labels()
	shape := a.book.shapes.analysis(role)
	read := func(text string) (phase.Analysis, error) {
		analysis, _, err := phase.ParseAnalysis(text, role, labels)
		return analysis, err
	}
	for step := 1; ; step++ {
		req := model.Request{Messages: conversation, Format: shape}
		if step < steps && calls > 0 {
			req.Tools = specs
		}
		out, err := t.Generate(ctx, req)
		if err != nil {
			return phase.Analysis{}, nil, err
		}
		if len(out.Message.ToolCalls) == 0 || len(req.Tools) == 0 {
			analysis, err := repair(ctx, t, conversation, out, shape, read)
			return analysis, evidence, err
		}
		conversation = append(conversation, out.Message)
		for _, call := range out.Message.ToolCalls {
			if calls == 0 {
				return phase.Analysis{}, nil, fmt.Errorf("%s: reply %s wants more tool calls than the %d that are left of %d",
					t.Self, out.Message.Ref, calls, orDefault(a.seat.Calls, defaultCalls))
			}
			calls--
			answer, result, err := t.Call(ctx, call, out.Message.Ref)
			if err != nil {
				return phase.Analysis{}, nil, err
			}
			conversation = append(conversation, answer)
			evidence = mergeEvidence(evidence, rankings(result))
		}
	}
}

// rankings returns what a tool's result says of the candidates.
func rankings(r tools.Result) []phase.Evidence {
	var value phase.Rankings
	if r.Error != "" || message.Reread(r.Value, &value) != nil {
		return nil // a tool of another kind: it ranks nothing
	}
	for i := range value.Rankings {
		value.Rankings[i].Call = r.Call
	}
	return value.Rankings
}

// mergeEvidence adds evidence; what is newer of the same signal replaces the
// older in its place.
func mergeEvidence(old, more []phase.Evidence) []phase.Evidence {
	merged := slices.Clone(old)
	for _, e := range more {
		if i := slices.IndexFunc(merged, func(o phase.Evidence) bool { return o.Signal == e.Signal }); i >= 0 {
			merged[i] = e
		} else {
			merged = append(merged, e)
		}
	}
	return merged
}

func orDefault(n, d int) int {
	if n == 0 {
		return d
	}
	return n
}
