package datasets

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/mars-rec/mars/internal/selfsum"
	"github.com/mars-rec/mars/tasks/datasets/formats"
)

// Version is the newest version of the data set directory that this package
// writes and reads: that of data sets to which something was appended. One as
// it was imported has version 1.
const Version = 2

const versionImported = 1

// Names of the files of a data set directory.
const (
	manifestFile = "manifest.json"
	graphFile    = "graph.bin"
	catalogFile  = "catalog.db"
)

// Reasons for which the import drops an interaction that a reader handed on.
const (
	UnknownItem   formats.Reason = "unknown item"   // the source describes items, but not this one
	DuplicatePair formats.Reason = "duplicate pair" // the user has an earlier event with the item
)

// Manifest says where a data set comes from, what was dropped on the way, and
// what its files must be. The same source imported with the same recipe by the
// same program makes the same bytes: there is no clock and no path in it.
//
// Tool, Recipe, Source and Notes are those of the import; what was appended
// since has its own, in Appends. All else is of the data set as it is.
type Manifest struct {
	Version int            `json:"version"`
	Name    string         `json:"name"` // what tasks call the data set
	Tool    string         `json:"tool"` // version of the program that imported it
	Recipe  Recipe         `json:"recipe"`
	Source  []formats.File `json:"source"`
	Counts  Counts         `json:"counts"`
	First   time.Time      `json:"first"` // time of the first and the last interaction
	Last    time.Time      `json:"last"`
	Ratings Ratings        `json:"ratings"`
	Notes   []string       `json:"notes"` // what a person should know before using it
	Graph   Stored         `json:"graph"`
	Catalog Stored         `json:"catalog"`

	Delta   *Delta     `json:"delta,omitempty"`   // what was appended since the last Compact; nil: nothing
	Appends []Appended `json:"appends,omitempty"` // all that was ever appended, in order

	// Sum is the file's own, see package selfsum; "" in memory, and in the files of
	// earlier programs.
	Sum string `json:"sum"`
}

// Delta is the two files of what is not in the others yet.
type Delta struct {
	Graph   Stored `json:"graph"`
	Catalog Stored `json:"catalog"`
}

// Recipe is what the import was told.
type Recipe struct {
	Format     string            `json:"format"`
	Columns    map[string]string `json:"columns,omitempty"`
	TimeLayout string            `json:"time_layout,omitempty"`
}

// Counts of a data set. Rows is the sum of Interactions and everything in
// Dropped.
type Counts struct {
	Rows         int                    `json:"rows"` // rows of interactions read
	Interactions int                    `json:"interactions"`
	Dropped      map[formats.Reason]int `json:"dropped"` // every reason, also those with 0

	Users       int `json:"users"`        // with at least one interaction
	UserRecords int `json:"user_records"` // users that the source describes

	Items       int `json:"items"`          // in the catalog
	ItemRecords int `json:"item_records"`   // items that the source describes; of what was appended, those that were new
	IdleItems   int `json:"idle_items"`     // in the catalog, without any interaction
	LeftOut     int `json:"items_left_out"` // described by the import, without any interaction then, not in its catalog

	Reviews int `json:"reviews"` // interactions with a text
}

// Ratings is how interactions were rated, in the source's own scale.
type Ratings struct {
	Share float64 `json:"share"` // of interactions that have a rating
	Min   float32 `json:"min"`   // 0 where there is none
	Max   float32 `json:"max"`
}

// Stored is what a file of the data set must be.
type Stored struct {
	File   string `json:"file,omitempty"` // its name; "": the one that the import gives
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // of all of it
	Head   string `json:"head"`   // SHA-256 of its first 64 KiB, checked whenever the data set is opened

	// Content is the SHA-256 of the rows as JSON in the order of their keys: it
	// is the same whatever version of SQLite wrote the file. Empty for the graph,
	// whose bytes are its content.
	Content string `json:"content,omitempty"`
}

// headBytes is how much of a file is hashed when a data set is opened.
const headBytes = 64 << 10

// Fingerprint identifies what the data set says, whoever wrote the files: the
// SHA-256, in hex, of the hashes of the graph and of the catalog's content; once
// something was appended, of what it was before and of that. Compaction does not
// change it.
func (m Manifest) Fingerprint() string {
	if n := len(m.Appends); n > 0 {
		return m.Appends[n-1].after()
	}
	sum := sha256.Sum256([]byte(m.Graph.SHA256 + "\n" + m.Catalog.Content + "\n"))
	return hex.EncodeToString(sum[:])
}

// encode returns the manifest as it is written.
func (m Manifest) encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(m); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	return selfsum.Fill(b.Bytes()), nil
}

// maxManifest bounds the file that is read.
const maxManifest = 16 << 20

// readManifest reads the manifest of a data set directory.
func readManifest(dir string) (Manifest, error) {
	b, err := readManifestFile(dir)
	if err != nil {
		return Manifest{}, err
	}
	return decodeManifest(dir, b)
}

func readManifestFile(dir string) ([]byte, error) {
	path := filepath.Join(dir, manifestFile)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(dir); err != nil {
			return nil, fmt.Errorf("data set %s: %w", dir, fs.ErrNotExist)
		}
		return nil, fmt.Errorf("%s is not a data set: it has no %s: %w", dir, manifestFile, fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("data set: %w", err)
	}
	if info.Size() > maxManifest {
		return nil, fmt.Errorf("data set %s: %s has %d bytes: that is no manifest", dir, manifestFile, info.Size())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("data set: %w", err)
	}
	return b, nil
}

// decodeManifest reads the manifest of the data set at dir.
func decodeManifest(dir string, b []byte) (Manifest, error) {
	var probe struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(b, &probe); err != nil {
		return Manifest{}, damaged(dir, "%s is not readable: %v", manifestFile, err)
	}
	switch {
	case probe.Version > Version:
		return Manifest{}, fmt.Errorf("data set %s has version %d, this program reads %d: use a newer mars", dir, probe.Version, Version)
	case probe.Version < versionImported:
		return Manifest{}, fmt.Errorf("data set %s has version %d, this program reads %d: import it again", dir, probe.Version, Version)
	}
	var m Manifest
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil {
		return Manifest{}, damaged(dir, "%s is not readable: %v", manifestFile, err)
	}
	if err := selfsum.Check(b); m.Sum != "" && err != nil {
		return Manifest{}, damaged(dir, "%s: %v", manifestFile, err)
	}
	m.Sum = ""
	return m, nil
}

// damaged says what is wrong with a data set and what to do.
func damaged(dir, format string, args ...any) error {
	return fmt.Errorf("data set %s is damaged: %s: import it again with --force", dir, fmt.Sprintf(format, args...))
}
