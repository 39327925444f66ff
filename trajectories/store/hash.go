package store

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/mars-rec/mars/message/rawjson"
	"github.com/mars-rec/mars/trajectories"
)

// digest hashes fields, each preceded by its length, under the name of the
// rule by which they were chosen.
func digest(rule string, fields ...string) []byte {
	h := sha256.New()
	var size [8]byte
	put := func(field string) {
		binary.BigEndian.PutUint64(size[:], uint64(len(field)))
		h.Write(size[:])
		h.Write(rawjson.Bytes(field)) // not copied: it may be long
	}
	put(rule)
	for _, f := range fields {
		put(f)
	}
	return h.Sum(nil)
}

// short writes a hash as text.
func short(h []byte) string { return base64.RawStdEncoding.EncodeToString(h) }

func text(n int64) string { return strconv.FormatInt(n, 10) }

// factRow is a fact of a run at work as it is written; see [appendFact].
type factRow struct {
	run, seq int64
	message  []byte // see appendMessage
	hash     []byte
}

// maxFacts bounds the facts of a run.
const maxFacts = 1<<20 - 1

// place numbers what runs have, run by run.
func place(run, seq int64) int64 { return run*(maxFacts+1) + seq }

// chained is the hash of the fact behind the one whose hash is previous; the
// first of a run stands behind its id. It covers all of it.
func (r factRow) chained(previous []byte) []byte {
	return digest("fact/1", string(previous), text(r.run), text(r.seq), rawjson.Text(r.message))
}

// logRow is a row of the table log.
type logRow struct {
	run, size int64
	packed    []byte
}

// digest is what the row of the run, which has that id, says of the log.
func (r logRow) digest(id string) string {
	return short(digest("log/1", text(r.run), id, text(r.size), rawjson.Text(r.packed)))
}

// check reports whether the log is the one that the row of its run was written
// with.
func (r logRow) check(run runRow) error {
	if r.digest(run.id) != run.log {
		return fmt.Errorf("%w: its log is not as it was written", ErrDamaged)
	}
	return nil
}

// bodyRow is a row of the table body.
type bodyRow struct {
	number, size int64
	packed       []byte
}

func (r bodyRow) digest() []byte {
	return digest("body/1", text(r.number), text(r.size), rawjson.Text(r.packed))
}

// chainStart is what the first fact of a run is chained to.
func chainStart(id string) []byte { return digest("run/1", id) }

// runRow is a row of the table run.
type runRow struct {
	number                    int64
	id, task                  string
	status                    trajectories.Status
	attempts                  int
	cause, ranking, seal      string
	messages, calls, tools    int
	inputTokens, outputTokens int
	cachedTokens              int
	models                    string
	log                       string // hash of its row in log; "": it has none

	there bool // not a column: it is in the database, or on its way there
}

func (r runRow) digest() string {
	var room [160]byte
	counts := room[:0] // a list in JSON
	for i, n := range [...]int{r.attempts, r.messages, r.calls, r.tools, r.inputTokens, r.outputTokens, r.cachedTokens} {
		counts = strconv.AppendInt(append(counts, "[,,,,,,"[i]), int64(n), 10)
	}
	counts = append(counts, ']')
	return short(digest("state/2", text(r.number), r.id, r.task, string(r.status), r.cause, r.ranking, r.seal, r.models, r.log, string(counts)))
}

// scoreRow is a row of the table score.
type scoreRow struct {
	run             int64
	scorer, version string
	value           float64
	parts, note     string
}

// name is the scorer's, as the journal and lists have it.
func (r scoreRow) name() string { return r.scorer + "/" + r.version }

// score is the score of the row, whose run has that id.
func (r scoreRow) score(run string) (trajectories.Score, error) {
	score := trajectories.Score{Run: run, Scorer: r.scorer, Version: r.version, Value: r.value, Note: r.note}
	return score, json.Unmarshal([]byte(r.parts), &score.Parts)
}

func (r scoreRow) digest() string {
	return short(digest("score/1", text(r.run), r.scorer, r.version, fmt.Sprint(r.value), r.parts, r.note))
}

// event is what a commit did to one thing. The journal holds them, so that the
// state that every run must have can be told from the journal alone.
type event struct {
	Run    string `json:"run,omitempty"`    // id; empty: the store's meta data
	Rows   int64  `json:"rows,omitempty"`   // facts that the run has now as rows of their own, if other ones than before
	Chain  string `json:"chain,omitempty"`  // hash of the last of them
	Scorer string `json:"scorer,omitempty"` // name and version of a score of the run
	State  string `json:"state,omitempty"`  // hash of the run, the score or the meta data as it is now
}

// head is the hash of a commit and of all before it.
func head(previous string, number int64, events string) string {
	return short(digest("commit/1", previous, text(number), events))
}
