package export

import (
	"encoding/json"

	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories/filter"
)

// OpenAI is the name of the export in the form of OpenAI's fine-tuning files.
const OpenAI = "openai"

// openAIRow has the tools as objects, as the service wants them: it reads JSON
// lines, not columns, and fills nothing in.
type openAIRow struct {
	Messages []chatMessage   `json:"messages" parquet:"messages,list"`
	Tools    json.RawMessage `json:"tools" parquet:"tools"`
}

// openAI writes what OpenAI's fine-tuning takes, which knows no other columns:
// each call has an id, and each answer names it. The files of the manifest tell
// which run a row is of.
func openAI() consumer {
	return consumer{OpenAI, []Format{JSONL}, func(s *sheet) (any, error) {
		s.row = func(t *filter.Sample, g gold.Gold, _ int) (any, error) {
			messages, err := s.conversation(t, g)
			out := chatMessages(messages, true)
			for i := range out {
				out[i].Name = "" // an answer has the id only
			}
			return openAIRow{out, json.RawMessage(s.tools)}, err
		}
		return openAIRow{}, nil
	}, []string{"openai.md"}}
}
