package catalog

import (
	"context"
	"fmt"

	"github.com/mars-rec/mars/graph/rank"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tools/translate"
)

// PopularityResult is the result of popularity: the part of [StatsResult] that
// is about users alone.
type PopularityResult struct {
	Evidence []string         `json:"evidence"`
	Days     int              `json:"recent_days"` // what counts as recent
	Rankings []phase.Evidence `json:"rankings"`
}

func (c Config) popularity(ctx context.Context, view tasks.View, _ struct{}) (PopularityResult, error) {
	task, cut := view.Task(), view.Cut()
	if _, err := translate.Candidates(view, "popularity"); err != nil {
		return PopularityResult{}, err
	}
	stats := StatsResult{Days: recentDays}
	for _, id := range task.Candidates {
		name, err := translate.Name(ctx, view, id)
		if err != nil {
			return PopularityResult{}, err
		}
		stats.Items = append(stats.Items, newStanding(cut, name))
	}
	stats.known()
	if len(stats.Evidence) == 0 {
		stats.Evidence = []string{fmt.Sprintf("None of the %s has any user so far.", translate.Plural(len(task.Candidates), "candidate"))}
	}
	r := PopularityResult{Evidence: stats.Evidence, Days: stats.Days}
	for _, signal := range []string{rank.Popularity, rank.PopularityRecent} {
		scores, err := rank.Score(signal, cut, task.User, task.Candidates, nil)
		if err != nil {
			return PopularityResult{}, fmt.Errorf("popularity: %w", err)
		}
		r.Rankings = append(r.Rankings, translate.Rank(task, "popularity", signal, scores))
	}
	return r, nil
}
