package export

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"

	"github.com/mars-rec/mars/internal/atomicfile"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/mask"
)

// ManifestFile is the file of an export directory that tells of the others.
const ManifestFile = "manifest.json"

// Manifest says how an export came about: with the same runs, gold and program
// the same bytes come again.
type Manifest struct {
	For   string `json:"for"`   // the exporter's name
	Split string `json:"split"` // always train
	As    Format `json:"as"`
	// Detail is how much the student is told; it is served with the same.
	Detail  trajectories.Detail `json:"detail,omitempty"`
	Files   []File              `json:"files"`  // the rows, in order
	Beside  []File              `json:"beside"` // ready to run: what trains on them, and what it needs
	Rows    int                 `json:"rows"`
	Longest int                 `json:"longest_row_bytes,omitempty"` // of JSON lines
	Schema  string              `json:"schema"`                      // hash of the columns and their types, as parquet tells them
	Filters []Count             `json:"filters"`
	Source  Source              `json:"source"`
	Prompt  string              `json:"prompt"`           // hash of the template of system and user message: serve the student with the same
	Tools   string              `json:"tools"`            // hash of the tools' schemas as they are printed
	Reward  *Judge              `json:"reward,omitempty"` // that reward.py computes, where it stands beside the rows
	// Template is the chat template that the rows are rendered with in training:
	// serve the student with the same.
	Template mask.Template `json:"template"`
	Tokens   *Tokens       `json:"tokens,omitempty"` // where a tokenizer counted them
}

// Judge names a reward, as scores are kept under it.
type Judge struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// File is a file of an export directory.
type File struct {
	Name   string `json:"name"`
	Rows   int    `json:"rows,omitempty"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Source is where the rows come from.
type Source struct {
	Store string                `json:"store"` // the run store's file name
	Runs  trajectories.Manifest `json:"runs"`  // what they were made with
	Gold  string                `json:"gold"`  // hash of the gold file
}

// Write exports groups into a directory, which it makes: the rows, in one file
// or in shards, what stands beside them, then the manifest. Each file is written
// under a temporary name, synced and renamed, so that a manifest stands beside
// complete rows or not at all. Shards of an earlier export are removed. One row
// is in memory at a time, of parquet one row group. Of the manifest, source is
// given, the rest is filled in.
func Write(ctx context.Context, dir, name string, cfg Config, groups iter.Seq2[Group, error], source Source, filters ...Filter) (Manifest, error) {
	m := Manifest{For: name, Split: "train", Detail: cfg.Linear.Detail, Source: source}
	m.Source.Runs.Setup = nil // paths of the machine that made the runs
	if cfg.ShardRows < 0 {
		return m, fmt.Errorf("export: shards of %d rows", cfg.ShardRows)
	}
	rows, who, err := open(name, cfg)
	if err != nil {
		return m, err
	}
	m.As, m.Schema = rows.as, digest([]byte(rows.schema.String()))
	if cfg.Template, err = cfg.template(); err != nil {
		return m, err
	}
	m.Template = cfg.Template
	if m.Tokens, filters, err = measured(cfg, filters); err != nil {
		return m, err
	}
	if m.Prompt, err = cfg.Linear.Detail.OpeningDigest(); err != nil {
		return m, err
	}
	m.Tools = digest([]byte(rows.tools))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return m, fmt.Errorf("export: %w", err)
	}
	if err := os.Remove(filepath.Join(dir, ManifestFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return m, fmt.Errorf("export: %w", err)
	}
	selected, counts := Select(ctx, groups, filters...)
	if err := m.writeRows(ctx, dir, rows, cfg.ShardRows, selected); err != nil {
		return m, err
	}
	if err := removeOther(dir, m.Files); err != nil {
		return m, err
	}
	m.Filters = counts
	if err := m.writeBeside(dir, who, rows.bench); err != nil {
		return m, err
	}
	_, err = replace(filepath.Join(dir, ManifestFile), func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(m)
	})
	return m, err
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
