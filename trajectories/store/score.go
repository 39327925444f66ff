package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/trajectories"
)

// PutScores keeps scores of runs, each in place of an earlier one by the same
// version of the same scorer. When it returns nil they are durable.
func (s *Store) PutScores(ctx context.Context, scores ...trajectories.Score) error {
	if s.writer == nil {
		return errors.New("the store is open for reading only")
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

// Scores yields the scores of all runs in the order of their tasks, those of
// one run by scorer and version.
func (s *Store) Scores(ctx context.Context) iter.Seq2[trajectories.Score, error] {
	return func(yield func(trajectories.Score, error) bool) {
		for sum, err := range s.Runs(ctx) {
			if err != nil {
				yield(trajectories.Score{}, err)
				return
			}
			scores, err := s.ScoresOf(ctx, sum.ID)
			if err != nil {
				yield(trajectories.Score{}, err)
				return
			}
			for _, score := range scores {
				if !yield(score, nil) {
					return
				}
			}
		}
	}
}

// ScoresOf returns the scores of one run by scorer and version.
func (s *Store) ScoresOf(ctx context.Context, run string) ([]trajectories.Score, error) {
	var out []trajectories.Score
	err := eachScore(ctx, s.readers, run, func(id string, r scoreRow, hash string) error {
		if r.digest() != hash {
			return fmt.Errorf("score %s of run %s: %w", r.scorer, id, ErrDamaged)
		}
		score := trajectories.Score{Run: id, Scorer: r.scorer, Version: r.version, Value: r.value, Note: r.note}
		if err := json.Unmarshal([]byte(r.parts), &score.Parts); err != nil {
			return fmt.Errorf("score %s of run %s: %w", r.scorer, id, err)
		}
		out = append(out, score)
		return nil
	})
	return out, err
}

// eachScore visits the scores of a run.
func eachScore(ctx context.Context, db querier, run string, visit func(run string, r scoreRow, hash string) error) error {
	rows, err := db.QueryContext(ctx, `SELECT run.id, score.run, scorer, version, value, parts, note, score.hash
		FROM score JOIN run ON run.number = score.run WHERE run.id = ? ORDER BY scorer, version`, run)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id, hash string
		var r scoreRow
		if err := rows.Scan(&id, &r.run, &r.scorer, &r.version, &r.value, &r.parts, &r.note, &hash); err != nil {
			return err
		}
		if err := visit(id, r, hash); err != nil {
			return err
		}
	}
	return rows.Err()
}
