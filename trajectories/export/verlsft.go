package export

import (
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories/filter"
)

// VerlSFT is the name of the export for supervised fine-tuning with verl.
const VerlSFT = "verl-sft"

type verlSFTRow struct {
	chatRow
	EnableThinking bool `json:"enable_thinking" parquet:"enable_thinking"`
}

// verlSFT writes the rows of TRL with the column enable_thinking. The tools are
// a string, as columns of objects would print nulls; the data set class that
// stands beside the rows reads it.
func verlSFT() consumer {
	return consumer{VerlSFT, []Format{Parquet}, func(s *sheet) (any, error) {
		s.row = func(t *filter.Sample, g gold.Gold, _ int) (any, error) {
			messages, err := s.conversation(t, g)
			return verlSFTRow{chatRow: s.chat(t, messages, false)}, err
		}
		return verlSFTRow{}, nil
	}, []string{"sft.sh", "mars_sft.py"}}
}
