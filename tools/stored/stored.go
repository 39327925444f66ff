// Package stored answers tool calls from a file: the evidence of a data set as
// of one moment, put into sentences ahead of time, so that no graph walk and no
// wording is left for serving.
//
//	Precompute   calls ──tools, all processors──> evidence-20180101T000000Z.db
//	                                                header   snapshot, moment T, tools, counts
//	                                                keys     SHA-256(snapshot, T, tool, arguments, user, candidates) ─> value
//	                                                values   the bytes that the tool gave, compressed
//	Wrap         call ──key──> stored bytes
//	                  └─ not there ──> the tool itself, as of T: the same bytes
//
// # What may be answered
//
// Stored evidence is of one moment T. A task from before T is refused
// ([ErrLater]): the store knows its future. A task of T or later is answered as
// of T, whether the answer is stored or computed: evidence of one run is never
// of two moments.
//
// A result depends on the candidates, since it names them by their labels. A
// call that was stored for a list of candidates answers for that list, in that
// order, and no other. A call that was stored without candidates answers for
// every list of which its result names no item; for others the tool is called.
// A call that was stored without a user answers for every user: what is stored
// in that way must not depend on who asks (item_cf of an item does not).
package stored

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/mars-rec/mars/internal/selfsum"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/tasks"
)

// Version is the version of the file that this package writes and reads.
const Version = 1

// ErrLater is what a tool cannot be made with: stored evidence from after the
// task's moment.
var ErrLater = errors.New("stored evidence is of a moment after the task's")

// Identity says what evidence is of. Evidence of another identity is another
// evidence.
type Identity struct {
	Snapshot string    `json:"snapshot"` // fingerprint of the data set
	AsOf     time.Time `json:"as_of"`    // the moment, UTC, whole seconds
	Tools    string    `json:"tools"`    // what the tools are and how they word: [Digest]
}

// Header is what a file of evidence says of itself.
type Header struct {
	Version int `json:"version"`
	Identity
	Rewritten string         `json:"rewritten,omitempty"` // the model that wrote the sentences anew
	Calls     map[string]int `json:"calls"`               // stored calls, by tool
	Probes    []Probe        `json:"probes"`              // by which [Store.Check] knows the tools again
	Raw       int64          `json:"raw_bytes"`           // of all stored results, before compression
	Content   string         `json:"content"`             // SHA-256, in hex, of all keys and results
	// Dictionary is the SHA-256, in hex, of what results are compressed against.
	Dictionary string `json:"dictionary"`
	Sum        string `json:"sum"` // of the header itself; see selfsum
}

// Probe is a call with the hash of what the tool answered, before anything was
// rewritten.
type Probe struct {
	Task   tasks.Task      `json:"task"`
	Tool   string          `json:"tool"`
	Args   json.RawMessage `json:"args"`
	SHA256 string          `json:"sha256"`
}

// Name is the name of the file with the evidence of a moment.
func Name(asOf time.Time) string {
	return "evidence-" + asOf.UTC().Format("20060102T150405Z") + ".db"
}

// Store is an open file of evidence. It is safe for concurrent use.
type Store struct {
	path   string
	header Header
	db     *sql.DB
	find   *sql.Stmt
	values *zstd.Decoder
}

// Open opens a file of evidence. Evidence of other data, of other tools or of a
// newer version, and a file that is none, are refused with what to do. The
// moment is the file's own: want.AsOf is not looked at.
//
// Holds says why data of another fingerprint than want's do not answer as of a
// moment what want's answer, nil if they do: evidence of a data set to which
// something later was appended is good still. Without it other data are refused.
func Open(ctx context.Context, path string, want Identity, holds func(snapshot string, asOf time.Time) error) (_ *Store, err error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("stored evidence %s: %w: mars graph precompute makes it", path, fs.ErrNotExist)
	}
	db, err := sql.Open("sqlite", fileURI(path, "mode=ro", "immutable=1", "_pragma=query_only(1)"))
	if err != nil {
		return nil, fmt.Errorf("stored evidence: %w", err)
	}
	s := &Store{path: path, db: db}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	var header, dictionary []byte
	if err := db.QueryRowContext(ctx, `SELECT header, dictionary FROM about`).Scan(&header, &dictionary); err != nil {
		return nil, fmt.Errorf("%s is no stored evidence, or is damaged: %w: make it again with mars graph precompute", path, err)
	}
	if err := json.Unmarshal(header, &s.header); err != nil {
		return nil, fmt.Errorf("stored evidence %s: header: %w: make it again with mars graph precompute", path, err)
	}
	switch h := s.header; {
	case h.Version > Version:
		return nil, fmt.Errorf("stored evidence %s has version %d, this program reads %d: use a newer mars", path, h.Version, Version)
	case h.Version < Version:
		return nil, fmt.Errorf("stored evidence %s has version %d, this program reads %d: make it again with mars graph precompute", path, h.Version, Version)
	case errors.Is(selfsum.Check(header), selfsum.ErrChanged):
		return nil, fmt.Errorf("stored evidence %s: header: %w: make it again with mars graph precompute", path, selfsum.ErrChanged)
	case h.Snapshot != want.Snapshot && holds == nil:
		return nil, fmt.Errorf("stored evidence %s is of other data: make it again with mars graph precompute", path)
	case h.Snapshot != want.Snapshot:
		if err := holds(h.Snapshot, h.AsOf); err != nil {
			return nil, fmt.Errorf("stored evidence %s is of other data: %w: make it again with mars graph precompute", path, err)
		}
	}
	if h := s.header; h.Tools != want.Tools {
		return nil, fmt.Errorf("stored evidence %s was made with other tools: make it again with mars graph precompute", path)
	}
	if s.values, err = zstd.NewReader(nil, zstd.WithDecoderDictRaw(dictionaryID, dictionary), zstd.WithDecoderMaxMemory(maxValue)); err != nil {
		return nil, fmt.Errorf("stored evidence %s: %w", path, err)
	}
	s.find, err = db.PrepareContext(ctx, `SELECT body FROM keys JOIN bodies ON bodies.id = keys.body_id WHERE key = ?`)
	return s, err
}

// Header returns what the file says of itself.
func (s *Store) Header() Header { return s.header }

// Close releases the file.
func (s *Store) Close() error {
	if s.values != nil {
		s.values.Close()
	}
	return s.db.Close()
}

// maxValue bounds one stored result, in bytes.
const maxValue = 16 << 20

// dictionaryID numbers the one dictionary of a file.
const dictionaryID = 1

// lookup returns what is stored under a key.
func (s *Store) lookup(ctx context.Context, k key) (json.RawMessage, bool, error) {
	var body []byte
	err := s.find.QueryRowContext(ctx, k[:]).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("stored evidence %s: %w", s.path, err)
	}
	value, err := s.values.DecodeAll(body, nil)
	if err != nil {
		return nil, false, fmt.Errorf("stored evidence %s is damaged: %w: make it again with mars graph precompute", s.path, err)
	}
	return value, true, nil
}

// answer returns the stored result of a call for a task, if there is one that
// is byte for byte what the tool would answer as of the store's moment.
func (s *Store) answer(ctx context.Context, task tasks.Task, tool string, args json.RawMessage) (json.RawMessage, bool, error) {
	of := subject{task.User, task.Candidates}
	if len(task.Candidates) > 0 {
		value, ok, err := s.lookup(ctx, s.header.key(tool, args, of))
		if ok || err != nil {
			return value, ok, err
		}
		if labelled(task, args) {
			return nil, false, nil
		}
	}
	for _, user := range []string{task.User, ""} {
		value, ok, err := s.lookup(ctx, s.header.key(tool, args, subject{user, nil}))
		if err != nil || ok && !names(value, task.Candidates) {
			return value, ok, err
		}
		if user == "" {
			break
		}
	}
	return nil, false, nil
}

// labelled reports whether the call speaks of an item by a candidate's label.
func labelled(task tasks.Task, args json.RawMessage) bool {
	var a struct {
		Item string `json:"item"`
	}
	if json.Unmarshal(args, &a) != nil {
		return true // not known to be free of labels
	}
	_, ok := task.Item(a.Item)
	return ok
}

// names reports whether a result names one of the items. Tools name items under
// "item"; a quote inside of a text is escaped, so that no text looks like it.
func names(value json.RawMessage, items []string) bool {
	for _, id := range items {
		text, err := message.Marshal(phase.Clean(id))
		if err != nil || bytes.Contains(value, append([]byte(`"item":`), text...)) {
			return true
		}
	}
	return false
}

// subject is whom a call is made for.
type subject struct {
	user       string
	candidates []string
}

// key identifies a call.
type key [16]byte

// key hashes what a stored result depends on.
func (i Identity) key(tool string, args json.RawMessage, of subject) key {
	candidates := ""
	if len(of.candidates) > 0 {
		b, _ := message.Marshal(of.candidates) // strings always encode
		candidates = fmt.Sprintf("%x", sha256.Sum256(b))
	}
	b, _ := message.Marshal([]string{i.Snapshot, i.AsOf.UTC().Format(time.RFC3339), i.Tools, tool, string(args), of.user, candidates})
	sum := sha256.Sum256(b)
	return key(sum[:16])
}

// fileURI names a file for SQLite, whatever characters its path has.
func fileURI(path string, options ...string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: strings.Join(options, "&")}
	return u.String()
}
