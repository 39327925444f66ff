package export

import (
	"fmt"
	"strings"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories/filter"
)

// LLaMAFactory is the name of the export for LLaMA-Factory.
const LLaMAFactory = "llamafactory"

type sharegptRow struct {
	Conversations []sharegptTurn `json:"conversations" parquet:"conversations,list"`
	System        string         `json:"system" parquet:"system"`
	Tools         string         `json:"tools" parquet:"tools"`
	Run           string         `json:"run" parquet:"run"`
	Candidates    []string       `json:"candidates" parquet:"candidates,list"`
}

type sharegptTurn struct {
	From  string `json:"from" parquet:"from"`
	Value string `json:"value" parquet:"value"`
}

// llamaFactory writes the sharegpt form, for the converter of OpenAI's form
// drops what is said beside a call:
//
//	{"conversations":[{"from":"human","value":"..."},
//	  {"from":"function_call","value":"<plan>...</plan>\n<tool_call>[{\"name\": \"item_cf\", \"arguments\": {...}}]</tool_call>"},
//	  {"from":"observation","value":"..."},{"from":"gpt","value":"..."}],
//	 "system":"...","tools":"[...]","run":"t1","candidates":[...]}
//
// Turns alternate strictly, so the answers of several calls are one
// observation, parted as the template parts them.
func llamaFactory() consumer {
	return consumer{LLaMAFactory, []Format{JSONL, Parquet}, func(s *sheet) (any, error) {
		s.row = func(t *filter.Sample, g gold.Gold, _ int) (any, error) {
			messages, err := s.conversation(t, g)
			if err != nil {
				return nil, err
			}
			row := sharegptRow{System: messages[0].Content, Tools: s.tools, Run: t.Run.ID, Candidates: t.Run.Task.Candidates}
			row.Conversations = sharegpt(messages[1:])
			return row, lintTurns(row.Conversations)
		}
		return sharegptRow{}, nil
	}, []string{"dataset_info.json", "llamafactory.yaml"}}
}

// answersParted stands between the answers of several calls.
const answersParted = "\n</tool_response>\n<tool_response>\n"

func sharegpt(messages []model.Message) []sharegptTurn {
	var turns []sharegptTurn
	for i, m := range messages {
		switch {
		case m.Role == model.User:
			turns = append(turns, sharegptTurn{"human", m.Content})
		case m.Role == model.ToolRole && messages[i-1].Role == model.ToolRole:
			turns[len(turns)-1].Value += answersParted + m.Content
		case m.Role == model.ToolRole:
			turns = append(turns, sharegptTurn{"observation", m.Content})
		case len(m.ToolCalls) == 0:
			turns = append(turns, sharegptTurn{"gpt", m.Content})
		default:
			calls := make([]string, len(m.ToolCalls))
			for i, c := range m.ToolCalls {
				calls[i] = `{"name": "` + c.Name + `", "arguments": ` + c.Arguments + `}`
			}
			said := m.Content
			if said != "" {
				said += "\n"
			}
			turns = append(turns, sharegptTurn{"function_call", said + "<tool_call>[" + strings.Join(calls, ", ") + "]</tool_call>"})
		}
	}
	return turns
}

// lintTurns checks what LLaMA-Factory's converter skips a row for without an
// error: turns that do not alternate, or that end with a question.
func lintTurns(turns []sharegptTurn) error {
	for i, t := range turns {
		if asks := t.From == "human" || t.From == "observation"; asks != (i%2 == 0) {
			return fmt.Errorf("turn %d is from %s: the converter would skip the row", i, t.From)
		}
	}
	if len(turns)%2 != 0 {
		return fmt.Errorf("%d turns: the converter would skip the row", len(turns))
	}
	return nil
}
