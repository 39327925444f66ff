package store

import (
	"context"
	"fmt"
	"math"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/trajectories"
)

// PutScores keeps scores of runs, each in place of an earlier one by the same
// version of the same scorer. When it returns nil they are durable.
func (s *Store) PutScores(ctx context.Context, scores ...trajectories.Score) error {
	if s.writer == nil {
		return errReadOnly
	}
	w := write{done: make(chan error, 1)}
	for _, score := range scores {
		if score.Scorer == "" || score.Version == "" || math.IsNaN(score.Value) || math.IsInf(score.Value, 0) {
			return fmt.Errorf("score of run %s: want a scorer, its version and a finite value: %q, %q, %v", score.Run, score.Scorer, score.Version, score.Value)
		}
		run, err := s.find(ctx, score.Run)
		if err != nil {
			return err
		}
		parts, err := message.Marshal(score.Parts)
		if err != nil {
			return fmt.Errorf("score of run %s: %w", score.Run, err)
		}
		w.scores = append(w.scores, scoreRow{run.number, score.Scorer, score.Version, score.Value, string(parts), score.Note})
		w.scored = append(w.scored, run.id)
	}
	if len(w.scores) == 0 {
		return nil
	}
	if err := s.writer.put(ctx, w); err != nil {
		return err
	}
	return wait(ctx, w.done)
}

// eachScore visits the scores of the runs with these numbers, in their order.
func eachScore(ctx context.Context, db querier, first, last int64, visit func(r scoreRow, hash string) error) error {
	rows, err := db.QueryContext(ctx, `SELECT run, scorer, version, value, parts, note, hash
		FROM score WHERE run BETWEEN ? AND ? ORDER BY run, scorer, version`, first, last)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var hash string
		var r scoreRow
		if err := rows.Scan(&r.run, &r.scorer, &r.version, &r.value, &r.parts, &r.note, &hash); err != nil {
			return err
		}
		if err := visit(r, hash); err != nil {
			return err
		}
	}
	return rows.Err()
}
