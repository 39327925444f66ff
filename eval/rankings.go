package eval

import (
	"fmt"

	"github.com/mars-rec/mars/tasks"
)

// Line is a line of a ranking file: what some program answered to a task, and
// what it cost if the program tells. A line without ranking says that the task
// failed, which is a miss.
//
//	{"id":"classic-7","ranking":["318","2"],"seconds":1.2,"calls":1}
type Line struct {
	ID      string   `json:"id"` // of the task
	Ranking []string `json:"ranking"`
	Expense
}

// Check reports what is wrong with the line, if anything. A ranking may be any
// list: what is wrong with it is measured.
func (l Line) Check() error {
	switch {
	case l.ID == "":
		return fmt.Errorf("a ranking without the id of its task")
	case negative(l.Seconds) || negative(l.Calls) || negative(l.InputTokens) || negative(l.OutputTokens) || negative(l.Cost):
		return fmt.Errorf("%s: a cost is negative", l.ID)
	}
	return nil
}

func negative[N int | float64](n *N) bool { return n != nil && *n < 0 }

// ReadRankings reads a ranking file: lines, as [tasks.ReadLines] has them, by
// task id.
func ReadRankings(path string) (map[string]Answer, error) {
	lines, err := tasks.ReadLines(path, func(l Line) string { return l.ID })
	if err != nil {
		return nil, fmt.Errorf("rankings: %w", err)
	}
	answers := make(map[string]Answer, len(lines))
	for _, l := range lines {
		a := Answer{Ranking: l.Ranking}
		if l.Expense != (Expense{}) {
			a.Expense = &l.Expense
		}
		answers[l.ID] = a
	}
	return answers, nil
}
