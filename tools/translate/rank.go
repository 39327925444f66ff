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
// as bytes. The level is the tenth of the way from the lowest score to the
// highest in which the score lies,
//
//	level = min(9, ⌊10·(score − lowest) / (highest − lowest)⌋)
//
// or 0 for all where all are equal. The order tells already who is before whom;
// the level tells by how much, which is what a sum of signals needs.
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
	for i, c := range ranked {
		e.Ranking[i] = phase.Strength{Label: c.label, Level: level(c.score, ranked[len(ranked)-1].score, ranked[0].score), Score: c.score}
	}
	return e
}

// level says in which tenth from lowest to highest a score lies, from 0.
func level(score, lowest, highest float64) int {
	if highest == lowest {
		return 0
	}
	return min(9, int(10*(score-lowest)/(highest-lowest)))
}

// Round rounds to 4 significant digits.
func Round(x float64) float64 {
	y, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 4, 64), 64)
	if err != nil || y == 0 { // no negative zero
		return 0
	}
	return y
}
