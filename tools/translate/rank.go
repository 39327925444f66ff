package translate

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/tasks"
)

// Rank makes evidence of a signal's scores, one for each candidate of the task,
// in order.
//
// Scores are rounded to 4 significant digits first, so that what is told is
// what is ranked. The order is by score, descending, then by item id, ascending
// as bytes. The level is the decile among the n candidates,
//
//	level = ⌊10·below / n⌋
//
// where below counts the candidates with a lower score: equal scores have equal
// levels, and the lowest is always 0.
func Rank(task tasks.Task, tool, signal string, scores []float64) phase.Evidence {
	type candidate struct {
		item  string
		label string
		score float64
	}
	ranked := make([]candidate, len(task.Candidates))
	for i, item := range task.Candidates {
		ranked[i] = candidate{item, tasks.Label(i), Round(scores[i])}
	}
	slices.SortFunc(ranked, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.item, b.item))
	})
	e := phase.Evidence{Tool: tool, Signal: signal, Ranking: make([]phase.Strength, len(ranked))}
	n, below := len(ranked), 0
	for i := n - 1; i >= 0; i-- {
		if i < n-1 && ranked[i].score != ranked[i+1].score {
			below = n - 1 - i
		}
		e.Ranking[i] = phase.Strength{Label: ranked[i].label, Level: 10 * below / n, Score: ranked[i].score}
	}
	return e
}

// Round rounds to 4 significant digits.
func Round(x float64) float64 {
	y, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 4, 64), 64)
	if err != nil || y == 0 { // no negative zero
		return 0
	}
	return y
}
