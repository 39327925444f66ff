package reward_test

import (
	"slices"
	"testing"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/trajectories/reward"
)

// FuzzConversation gives the rewards what a student and a tool could say: every
// part stays in its range, and the same words have the same score.
func FuzzConversation(f *testing.F) {
	about := caseFile(f)
	for _, a := range lines[attack](f, "attacks.jsonl") {
		if last := len(a.Messages) - 1; last >= 2 && len(a.Messages[last].Content) < 4000 {
			f.Add(a.Messages[0].Content, a.Messages[1].Content, a.Messages[last].Content)
		}
	}
	composed := everything(f)
	f.Fuzz(func(t *testing.T, plan, answer, rest string) {
		call := model.ToolCall{ID: "call_1", Name: "item_cf", Arguments: "{}"}
		messages := append(slices.Clone(about.Opening),
			model.Message{Role: model.Assistant, Content: plan, ToolCalls: []model.ToolCall{call}},
			model.Message{Role: model.ToolRole, Content: answer, ToolCallID: call.ID, Name: call.Name},
			model.Message{Role: model.Assistant, Content: rest})
		s, err := composed.Conversation(about.Task, messages, about.Form, about.Gold)
		if err != nil {
			t.Fatal(err)
		}
		for name, part := range s.Parts {
			well := part >= 0 && part <= 1
			switch name {
			case "format":
				well = part == 1 || part == -1
			case "rank":
				well = part >= 1 && part <= 5
			}
			if !well {
				t.Errorf("%s is %v", name, part)
			}
		}
		if s.Parts["format"] < 0 && s.Value != -1 {
			t.Errorf("malformed, its value is %v", s.Value)
		}
		share, loose := reward.Grounded(messages)
		if again, other := reward.Grounded(messages); again != share || !slices.Equal(loose, other) {
			t.Errorf("grounded is %v %q, then %v %q", share, loose, again, other)
		}
	})
}
