package export

import (
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories/filter"
)

// Swift is the name of the export for ms-swift.
const Swift = "swift"

// swift reads OpenAI's messages, with which it lays the answers of several
// calls out in the order of the calls' ids.
func swift() consumer {
	return consumer{Swift, []Format{JSONL, Parquet}, func(s *sheet) (any, error) {
		s.row = func(t *filter.Sample, g gold.Gold, _ int) (any, error) {
			messages, err := s.conversation(t, g)
			return s.chat(t, messages, true), err
		}
		return chatRow{}, nil
	}, []string{"swift.yaml"}}
}
