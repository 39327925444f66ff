package export

import (
	"strings"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories/filter"
	"github.com/mars-rec/mars/trajectories/mask"
)

// TRLSFT is the name of the export for supervised fine-tuning with TRL.
const TRLSFT = "trl-sft"

// trlSFT writes rows as TRL's SFTTrainer reads them:
//
//	{"messages":[{"role":"system","content":"..."},{"role":"user","content":"..."},
//	  {"role":"assistant","content":"<plan>...</plan>","tool_calls":[{"type":"function",
//	    "function":{"name":"item_cf","arguments":"{\"window\": \"all\"}"}}]},
//	  {"role":"tool","name":"item_cf","content":"..."}, ...],
//	 "tools":"[{\"type\": \"function\", \"function\": {...}}]",
//	 "run":"t1","candidates":["i7","i3",...]}
//
// Arguments and tools are strings of JSON: as objects, Arrow would fill their
// missing keys with nulls, which chat templates then print. The item of label
// c01 is the first of candidates. TRL passes over the last two columns.
func trlSFT() consumer {
	return consumer{TRLSFT, []Format{JSONL, Parquet}, plainChat, []string{"sft.yaml"}}
}

// plainChat makes rows of messages without the ids of calls.
func plainChat(s *sheet) (any, error) {
	s.row = func(t *filter.Sample, g gold.Gold, _ int) (any, error) {
		messages, err := s.conversation(t, g)
		return s.chat(t, messages, false), err
	}
	return chatRow{}, nil
}

// ToolsJSON writes tool specs as chat templates print them: a list of OpenAI
// functions, with the spacing of json.dumps. Training and serving use the same.
func ToolsJSON(specs []model.ToolSpec) (string, error) {
	all := make([]string, len(specs))
	for i, s := range specs {
		var err error
		if all[i], err = mask.ToolJSON(s); err != nil {
			return "", err
		}
	}
	return "[" + strings.Join(all, ", ") + "]", nil
}
