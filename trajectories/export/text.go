package export

import (
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/filter"
)

// Text is the name of the export as plain text.
const Text = "text"

type textRow struct {
	Text       string   `json:"text" parquet:"text"`
	Trained    [][]int  `json:"trained" parquet:"trained,list"`
	Run        string   `json:"run" parquet:"run"`
	Candidates []string `json:"candidates" parquet:"candidates,list"`
}

// text writes the plain serialized form, Figure 3 of the paper: one chain of
// thought with its tags, without a chat template.
//
//	{"text":"You recommend items ...\n\nRank the candidates ...\n\n<plan>\n...</plan>\n
//	    <tool_call>{\"name\": \"item_cf\", \"arguments\": {...}}</tool_call>\n
//	    <tool_response>...</tool_response>\n...<recommend>[...]</recommend>\n",
//	 "trained":[[1820,2011],...],"run":"t1","candidates":[...]}
//
// Trained are the stretches that the student writes, in characters (code
// points), each from its start to its end without the end.
func text() consumer {
	return consumer{Text, []Format{JSONL, Parquet}, func(s *sheet) (any, error) {
		s.row = func(t *filter.Sample, g gold.Gold, _ int) (any, error) {
			messages, err := s.conversation(t, g)
			whole, trained := trajectories.Plain(messages)
			return textRow{whole, trained, t.Run.ID, t.Run.Task.Candidates}, err
		}
		return textRow{}, nil
	}, []string{"text.md"}}
}
