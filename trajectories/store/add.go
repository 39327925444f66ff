package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/trajectories"
)

// Add makes runs for tasks that have none, as pending ones, in the order
// given. A task whose id is taken by another task is an error, and then no run
// is made. When it returns nil they are durable; after another error some of
// them may be.
func (s *Store) Add(ctx context.Context, list ...tasks.Task) error {
	runs := make([]Planned, len(list))
	for i, task := range list {
		runs[i] = Planned{task.ID, task}
	}
	return s.AddAs(ctx, runs...)
}

// Planned is a run that is to be made: one of those of its task.
type Planned struct {
	ID   string
	Task tasks.Task
}

// AddAs is like [Store.Add] for tasks of which there are several runs.
func (s *Store) AddAs(ctx context.Context, list ...Planned) error {
	if s.writer == nil {
		return errReadOnly
	}
	s.mu.Lock()
	defer s.mu.Unlock() // until it is durable, so that nobody misses it
	known, err := s.known(ctx, list)
	if err != nil {
		return err
	}
	var added []runRow
	for _, run := range list {
		row, err := pending(s.next+int64(len(added)), run.ID, run.Task)
		if err != nil {
			return err
		}
		if other, again := known[run.ID]; !again {
			known[run.ID] = row.task
			added = append(added, row)
		} else if other != row.task {
			return otherTask(run.ID)
		}
	}
	var done chan error
	for rows := range slices.Chunk(added, maxRows) {
		done = make(chan error, 1)
		if err := s.writer.put(ctx, write{runs: rows, done: done}); err != nil {
			return err
		}
		s.next += int64(len(rows))
	}
	if done == nil {
		return nil
	}
	return wait(ctx, done) // what was queued before has succeeded if the last has
}

// known returns the tasks of the runs that are there already, as they are
// stored, by the run's id.
func (s *Store) known(ctx context.Context, list []Planned) (map[string]string, error) {
	known := map[string]string{}
	for part := range slices.Chunk(list, page) {
		ids := make([]string, len(part))
		for i, run := range part {
			ids[i] = run.ID
			if r := s.live[run.ID]; r != nil { // its row may still be queued
				known[run.ID] = r.row.task
			}
		}
		asked, err := message.Marshal(ids)
		if err != nil {
			return nil, err
		}
		rows, err := readRuns(ctx, s.readers, `WHERE id IN (SELECT value FROM json_each(?))`, string(asked))
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			known[row.id] = row.task
		}
	}
	return known, nil
}

// pending makes the row of a run that nobody has begun.
func pending(number int64, id string, task tasks.Task) (runRow, error) {
	if id == "" {
		return runRow{}, errors.New("a run needs an id")
	}
	if err := task.Check(); err != nil {
		return runRow{}, err
	}
	text, err := message.Marshal(task)
	return runRow{number: number, id: id, task: string(text), status: trajectories.Pending, ranking: "[]", models: "[]"}, err
}

func otherTask(id string) error { return fmt.Errorf("another task has the id %s", id) }
