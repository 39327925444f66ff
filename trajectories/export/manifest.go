package export

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"slices"

	"github.com/mars-rec/mars/internal/atomicfile"
	"github.com/mars-rec/mars/internal/selfsum"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/filter"
	"github.com/mars-rec/mars/trajectories/mask"
)

// ManifestFile is the file of an export directory that tells of the others.
const ManifestFile = "manifest.json"

// Manifest says how an export came about: with the same runs, gold and program
// the same bytes come again.
type Manifest struct {
	For string `json:"for"` // the exporter's name
	As  Format `json:"as"`
	// Detail is how much the student is told; it is served with the same.
	Detail trajectories.Detail `json:"detail,omitempty"`
	// Parallel says that calls of members who worked at once are parallel calls.
	Parallel bool   `json:"parallel_calls,omitempty"`
	Splits   []Side `json:"splits"` // train first
	Files    []File `json:"files"`  // the rows, in order
	Beside   []File `json:"beside"` // ready to run: what trains on them, and what it needs
	Rows     int    `json:"rows"`
	Longest  int    `json:"longest_row_bytes,omitempty"` // of JSON lines
	Schema   string `json:"schema"`                      // hash of the columns and their types, as parquet tells them
	// Policy says which runs are wanted, and Filters what that came to: each of
	// the filters, in order, with its counts by reason.
	Policy       *filter.Policy `json:"policy,omitempty"`
	Filters      []filter.Count `json:"filters"`
	Mix          *filter.Drawn  `json:"mix,omitempty"` // of easy, medium and hard tasks, if one was asked for
	Permutations int            `json:"permutations,omitempty"`
	Seed         int64          `json:"seed"` // of splits and permutations
	Source       Source         `json:"source"`
	Prompt       string         `json:"prompt"`           // hash of the template of system and user message: serve the student with the same
	Tools        string         `json:"tools"`            // hash of the tools' schemas as they are printed
	Reward       *Judge         `json:"reward,omitempty"` // that reward.py computes, where it stands beside the rows
	// Template is the chat template that the rows are rendered with in training:
	// serve the student with the same.
	Template mask.Template `json:"template"`
	Tokens   *Tokens       `json:"tokens,omitempty"` // where a tokenizer counted them
	Sum      string        `json:"sum"`              // the file's own, see package selfsum; "" in memory
}

// Judge names a reward, as scores are kept under it.
type Judge struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// File is a file of an export directory.
type File struct {
	Name   string `json:"name"`
	Split  string `json:"split,omitempty"` // of rows
	Rows   int    `json:"rows,omitempty"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Source is where the rows come from.
type Source struct {
	Stores []StoreSource `json:"stores"`
	Gold   string        `json:"gold"` // hash of the gold file
	// Selection is the hash of the selection's list of accepted runs, where the
	// rows are of one; Outcomes are the file names of the run stores that tell
	// how hard a task is.
	Selection string   `json:"selection,omitempty"`
	Outcomes  []string `json:"outcomes,omitempty"`
}

// StoreSource is a run store that rows come from.
type StoreSource struct {
	Store string                `json:"store"` // its file name
	Runs  trajectories.Manifest `json:"runs"`  // what they were made with
}

// Chosen is the runs to be written, and how they were chosen.
type Chosen struct {
	Groups iter.Seq2[Group, error]
	Policy *filter.Policy
	Mix    *filter.Drawn
	// Filters are the counts of what chose them, complete when the groups have
	// been read; nil: nothing did.
	Filters func() []filter.Count
}

// ErrNoRows says that no run was chosen, or none was left: nothing was written.
var ErrNoRows = errors.New("there is no row to write")

// Write exports runs into a directory, which it makes: the rows of each split,
// in one file or in shards, what stands beside them, and the manifest. They take
// the place of an earlier export's when all are written and synced, so that one
// that fails leaves the earlier one whole; what no export wrote is not touched,
// and in the way an [InTheWayError]. Without a row it is [ErrNoRows]. Of each split [Config.AtOnce] rows are in memory at a time, of parquet
// one row group.
func Write(ctx context.Context, dir, name string, cfg Config, chosen Chosen, source Source) (_ Manifest, err error) {
	m := Manifest{For: name, Detail: cfg.Linear.Detail, Parallel: cfg.Linear.Parallel, Policy: chosen.Policy, Mix: chosen.Mix, Permutations: cfg.Permutations, Seed: cfg.Seed, Source: source}
	m.Source.Stores = slices.Clone(source.Stores)
	for i := range m.Source.Stores {
		m.Source.Stores[i].Runs.Setup = nil // paths of the machine that made the runs
	}
	if cfg.ShardRows < 0 || cfg.Permutations < 0 {
		return m, fmt.Errorf("export: shards of %d rows, %d permutations", cfg.ShardRows, cfg.Permutations)
	}
	if cfg.Template, err = cfg.template(); err != nil {
		return m, err
	}
	m.Template = cfg.Template
	if m.Tokens, err = cfg.tokens(); err != nil {
		return m, err
	}
	sides, who, err := sides(name, cfg)
	if err != nil {
		return m, err
	}
	rows := sides[0].sheet
	m.As, m.Schema = rows.as, digest([]byte(rows.schema.String()))
	if m.Prompt, err = cfg.Linear.Detail.OpeningDigest(); err != nil {
		return m, err
	}
	m.Tools = digest([]byte(rows.tools))
	place, err := claim(dir, who.beside, cfg.Force)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, place.leave()) }()
	for _, side := range sides {
		side.dir = place.stage
	}
	if err := part(ctx, cfg.Splits, sides, chosen.Groups); err != nil {
		return m, err
	}
	if m.sum(sides, chosen); m.Rows == 0 {
		return m, ErrNoRows
	}
	if err := m.writeBeside(place, who, rows.bench); err != nil {
		return m, err
	}
	_, err = replace(filepath.Join(place.stage, ManifestFile), func(w io.Writer) error {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(m); err != nil {
			return err
		}
		_, err := w.Write(selfsum.Fill(b.Bytes()))
		return err
	})
	if err != nil {
		return m, err
	}
	if err := place.settle(); err != nil {
		return m, fmt.Errorf("export: %w", err)
	}
	return m, nil
}

// sides makes the writers of the splits.
func sides(name string, cfg Config) ([]*side, consumer, error) {
	shares := cfg.Splits.Shares
	if len(shares) == 0 {
		shares = []filter.Share{{Name: filter.Train, Share: 1}}
	}
	all := make([]*side, len(shares))
	var who consumer
	for i, share := range shares {
		rows, c, err := open(name, cfg)
		if err != nil {
			return nil, c, err
		}
		if rows.task && cfg.Permutations > 0 {
			return nil, c, fmt.Errorf("%s: a row is a task, which the environment serves in its own order: it has no permutations", name)
		}
		rows.split, who = share.Name, c
		all[i] = &side{Side: Side{Split: share.Name, Share: share.Share}, sheet: rows, cfg: cfg,
			length: filter.Count{Filter: "length", Dropped: map[string]int{}}, users: map[uint64]bool{}}
	}
	return all, who, nil
}

// sum takes together what the sides have written.
func (m *Manifest) sum(sides []*side, chosen Chosen) {
	m.Filters = []filter.Count{}
	if chosen.Filters != nil {
		m.Filters = append(m.Filters, chosen.Filters()...)
	}
	length := filter.Count{Filter: "length", Dropped: map[string]int{}}
	for _, w := range sides {
		m.Splits = append(m.Splits, w.Side)
		m.Files = append(m.Files, w.files...)
		m.Rows += w.Rows
		m.Longest = max(m.Longest, w.longest)
		length.In, length.Kept = length.In+w.length.In, length.Kept+w.length.Kept
		for reason, n := range w.length.Dropped {
			length.Dropped[reason] += n
		}
		if m.Tokens != nil {
			m.Tokens.All += w.tokens.All
			m.Tokens.Trained += w.tokens.Trained
			m.Tokens.Longest = max(m.Tokens.Longest, w.tokens.Longest)
		}
	}
	// Runs may have been measured already, and only their permutations not.
	measured := slices.ContainsFunc(m.Filters, func(c filter.Count) bool { return c.Filter == length.Filter })
	if m.Tokens != nil && (!measured || length.Kept < length.In) {
		m.Filters = append(m.Filters, length)
	}
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// replace puts a file in place, whole or not at all, and says what it is.
func replace(path string, write func(io.Writer) error) (File, error) {
	hash, size := sha256.New(), &sizer{}
	err := atomicfile.Write(path, func(f io.Writer) error { return write(io.MultiWriter(f, hash, size)) })
	if err != nil {
		return File{}, fmt.Errorf("export: %w", err)
	}
	return File{Name: filepath.Base(path), Bytes: size.n, SHA256: hex.EncodeToString(hash.Sum(nil))}, nil
}

type sizer struct{ n int64 }

func (s *sizer) Write(b []byte) (int, error) {
	s.n += int64(len(b))
	return len(b), nil
}
