package export

import (
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories/filter"
)

// TRLGRPO is the name of the export for GRPO with TRL.
const TRLGRPO = "trl-grpo"

// grpoRow is a prompt; the student finds the rest. Which item is right is
// in GroundTruth and nowhere else.
type grpoRow struct {
	Prompt      []promptMessage `json:"prompt" parquet:"prompt,list"`
	UserID      string          `json:"user_id" parquet:"user_id"`
	GroundTruth []string        `json:"ground_truth" parquet:"ground_truth,list"`
	TaskIndex   int             `json:"task_index" parquet:"task_index"` // of the row, from 0
	TaskID      string          `json:"task_id" parquet:"task_id"`
	Candidates  []string        `json:"candidates" parquet:"candidates,list"`
}

type promptMessage struct {
	Role    string `json:"role" parquet:"role"`
	Content string `json:"content" parquet:"content"`
}

// trlGRPO writes one row for each task:
//
//	{"prompt":[{"role":"system","content":"..."},{"role":"user","content":"..."}],
//	 "user_id":"u7","ground_truth":["i123"],"task_index":0,
//	 "task_id":"classic-u7","candidates":["i7","i3",...]}
//
// Reward functions get each column but the prompt as a keyword list.
func trlGRPO() consumer {
	return consumer{TRLGRPO, []Format{JSONL, Parquet}, func(s *sheet) (any, error) {
		s.task = true
		s.row = func(t *filter.Sample, g gold.Gold, n int) (any, error) {
			prompt, err := s.prompt(t, g)
			task := t.Run.Task
			return grpoRow{prompt, task.User, g.Items, n, task.ID, task.Candidates}, err
		}
		return grpoRow{}, nil
	}, []string{"grpo.yaml", "grpo.py", "tools.json", rewardFile}}
}

// prompt returns the messages that a run begins with, once it has been checked
// that they tell the candidates and nothing else.
func (b *bench) prompt(t *filter.Sample, g gold.Gold) ([]promptMessage, error) {
	messages, err := b.conversation(t, g)
	if err != nil {
		return nil, err
	}
	prompt := make([]promptMessage, 2)
	for i := range prompt {
		prompt[i] = promptMessage{string(messages[i].Role), messages[i].Content}
	}
	return prompt, nil
}
