package filter

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Selection is a selection directory, read back.
type Selection struct {
	Summary
	runs map[accepted]bool
}

// accepted says which run is meant.
type accepted struct{ run, seal string }

// ReadSelection reads what [Summary.Write] has written.
func ReadSelection(dir string) (*Selection, error) {
	s := &Selection{runs: map[accepted]bool{}}
	text, err := os.ReadFile(filepath.Join(dir, SummaryFile))
	if err != nil {
		return nil, fmt.Errorf("selection %s: %w", dir, err)
	}
	if err := json.Unmarshal(text, &s.Summary); err != nil {
		return nil, fmt.Errorf("selection %s: %s: %w", dir, SummaryFile, err)
	}
	path := filepath.Join(dir, AcceptedFile)
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("selection %s: %w", dir, err)
	}
	defer f.Close() // it was only read
	in := bufio.NewScanner(f)
	n := 0
	for in.Scan() {
		n++
		var a Accepted
		if err := json.Unmarshal(in.Bytes(), &a); err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", path, n, err)
		}
		if a.Run == "" || a.Seal == "" {
			return nil, fmt.Errorf("%s: line %d names no run and its seal", path, n)
		}
		s.runs[accepted{a.Run, a.Seal}] = true
	}
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("%s: after line %d: %w", path, n, err)
	}
	if n != s.Accepted {
		return nil, fmt.Errorf("%s has %d lines, and %s tells of %d: it is not whole", path, n, SummaryFile, s.Accepted)
	}
	return s, nil
}

// Filter keeps the runs of the selection. One that lies in two stores is kept
// once.
func (s *Selection) Filter() Filter { return selected{s} }

type selected struct{ *Selection }

// Name implements [Filter].
func (s selected) Name() string { return "selected" }

// Sift implements [Filter].
func (s selected) Sift(_ context.Context, g Group) ([]Drop, error) {
	drops := make([]Drop, len(g.Runs))
	seen := map[accepted]bool{}
	for i, run := range g.Runs {
		switch which := (accepted{run.Run.ID, run.Run.Seal}); {
		case !s.runs[which]:
			drops[i].Reason = "it is not in the selection"
		case seen[which]:
			drops[i].Reason = "it is in another store too"
		default:
			seen[which] = true
		}
	}
	return drops, nil
}
