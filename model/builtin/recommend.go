package builtin

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mars-rec/mars/graph/rank"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
)

// recommend ranks the candidates by the fused score of the evidence. Ties go by
// the order of the popularity ranking, then by label.
func (m *Model) recommend(req model.Request, s *schema, text string) (phase.Recommend, error) {
	labels, err := s.need("candidates", "ranking", "[]")
	if err != nil {
		return phase.Recommend{}, err
	}
	if err := m.moment(text); err != nil {
		return phase.Recommend{}, err
	}
	found := latest(text)
	signals := map[string][]float64{}
	if wide, ok := widest(found); ok && m.weights.Before.IsZero() { // fitted weights are for the signal that they were fitted on
		found[rank.UserCF] = wide
	}
	weights := m.drawn(req, found)
	for _, name := range weights.Signals() {
		if e, ok := found[name]; ok {
			signals[name] = scores(e, labels)
		}
	}
	fused := make([]float64, len(labels))
	if len(signals) > 0 {
		fused = weights.Fuse(signals)
	}
	popular := places(found[rank.Popularity], labels)
	order := make([]int, len(labels))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(fused[b], fused[a]), cmp.Compare(popular[a], popular[b]), cmp.Compare(labels[a], labels[b]))
	})
	r := phase.Recommend{Ranking: make([]string, len(labels))}
	for place, i := range order {
		r.Ranking[place] = labels[i]
	}
	r.Justification = justify(weights, found, signals, labels, order)
	if t := temperature(req); t > 0 {
		r.Justification += fmt.Sprintf(" The weights were drawn at temperature %g.", t)
	}
	return r, nil
}

// widest returns User-CF among the most users, where a wider circle than the
// usual was asked.
func widest(found map[string]phase.Evidence) (phase.Evidence, bool) {
	most := 0
	for signal := range found {
		if digits, ok := strings.CutPrefix(signal, rank.UserCF+"_"); ok {
			if n, err := strconv.Atoi(digits); err == nil {
				most = max(most, n)
			}
		}
	}
	wide, ok := found[rank.CircleSignal(most)]
	return wide, ok && most > 0
}

// moment refuses a task that is earlier than what the weights were fitted on.
func (m *Model) moment(text string) error {
	if m.weights.Before.IsZero() {
		return nil
	}
	for line := range strings.Lines(text) {
		moment, ok := strings.CutPrefix(strings.TrimSpace(line), "As of: ")
		if !ok {
			continue
		}
		at, err := time.Parse(time.RFC3339, moment)
		if err != nil {
			return fmt.Errorf("the moment of the task: %w", err)
		}
		return m.weights.CheckTask(at)
	}
	return fmt.Errorf("the question does not say the moment of the task (As of: ...), and the weights were fitted on interactions before %s",
		m.weights.Before.Format(time.RFC3339))
}

// scores puts a signal's scores into the order of the labels; a label that the
// signal does not name has 0.
func scores(e phase.Evidence, labels []string) []float64 {
	out := make([]float64, len(labels))
	for _, s := range e.Ranking {
		if i := slices.Index(labels, s.Label); i >= 0 {
			out[i] = s.Score
		}
	}
	return out
}

// places returns the place of each label in a ranking, from 1; that after the
// last for a label that is not there.
func places(e phase.Evidence, labels []string) []int {
	out := make([]int, len(labels))
	for i, label := range labels {
		out[i] = slices.IndexFunc(e.Ranking, func(s phase.Strength) bool { return s.Label == label }) + 1
		if out[i] == 0 {
			out[i] = len(e.Ranking) + 1
		}
	}
	return out
}

// justify names, for the first candidates, the signals that add most to their
// scores.
func justify(weights rank.Weights, found map[string]phase.Evidence, signals map[string][]float64, labels []string, order []int) string {
	if len(signals) == 0 {
		return "There is no evidence on the candidates: they stand as they were listed."
	}
	var names []string
	for _, name := range weights.Signals() {
		if signals[name] != nil {
			names = append(names, name)
		}
	}
	adds := adds(weights, names, signals)
	var b strings.Builder
	for place, i := range order[:min(len(order), maxTop)] {
		slices.SortStableFunc(names, func(x, y string) int { return cmp.Compare(adds[y][i], adds[x][i]) })
		var cited []string
		for _, name := range names[:min(len(names), 2)] {
			if adds[name][i] > 0 && signals[name][i] != 0 {
				cited = append(cited, cite(name, places(found[name], labels[i:i+1])[0], len(labels), signals[name][i]))
			}
		}
		if len(cited) == 0 {
			cited = []string{"no signal speaks for it above the others"}
		}
		fmt.Fprintf(&b, "%d. %s: %s. ", place+1, labels[i], strings.Join(cited, ", "))
	}
	rule := "fitted weights"
	if weights.Before.IsZero() {
		rule = "the built-in weights"
	}
	slices.Sort(names)
	fmt.Fprintf(&b, "Ranked by the rule-based teacher: %s fused with %s.", strings.Join(names, ", "), rule)
	return b.String()
}

// cite names a signal that speaks for a candidate. A signal with a negative
// weight speaks for those that stand low in it.
func cite(signal string, place, of int, score float64) string {
	only := ""
	if 2*place > of {
		only = "only "
	}
	return fmt.Sprintf("%snumber %d by %s (%s)", only, place, signal, strconv.FormatFloat(score, 'g', 4, 64))
}

// adds returns what each signal adds to each candidate's score, above what it
// adds to all of them: the score with it less the score without it.
func adds(weights rank.Weights, names []string, signals map[string][]float64) map[string][]float64 {
	whole := weights.Fuse(signals)
	adds := map[string][]float64{}
	for _, name := range names {
		without := weights
		without.Features = slices.DeleteFunc(slices.Clone(without.Features), func(f rank.Feature) bool { return f.Signal == name })
		parts := without.Fuse(signals)
		mean := 0.0
		for k := range parts {
			parts[k] = whole[k] - parts[k]
			mean += parts[k] / float64(len(parts))
		}
		for k := range parts {
			parts[k] -= mean
		}
		adds[name] = parts
	}
	return adds
}
