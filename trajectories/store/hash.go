package store

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/rawjson"
	"github.com/mars-rec/mars/trajectories"
)

// digest hashes fields, each preceded by its length, under the name of the
// rule by which they were chosen.
func digest(rule string, fields ...string) []byte {
	sum := sha256.Sum256(hashed(rule, fields...))
	return sum[:]
}

// hashed is what is hashed of fields.
func hashed(rule string, fields ...string) []byte {
	b := append(length(make([]byte, 0, 1<<10), rule), rule...)
	for _, f := range fields {
		b = append(length(b, f), f...)
	}
	return b
}

// length appends the length of a field.
func length(dst []byte, field string) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(len(field)))
}

// short writes a hash as text.
func short(h []byte) string { return base64.RawStdEncoding.EncodeToString(h) }

func text(n int64) string { return strconv.FormatInt(n, 10) }

// envelopeRow is a row of the table envelope.
type envelopeRow struct {
	run                               int64
	seq                               int64
	id, kind, sender, recipient, refs string
	meta, body                        string
	fact                              bool
	hash                              []byte
}

// newRow makes the row of e without its place in the chain.
func newRow(run int64, e message.Envelope) (envelopeRow, error) {
	row := envelopeRow{run: run, id: string(e.ID), kind: string(e.Kind), sender: string(e.From), recipient: string(e.To), body: string(e.Body), refs: "[]", fact: e.Fact()}
	if len(e.Refs) > 0 {
		b, err := message.Marshal(e.Refs)
		if err != nil {
			return row, err
		}
		row.refs = string(b)
	}
	b, err := message.Marshal(e.Meta)
	row.meta = string(b)
	return row, err
}

// envelope is the message of the row, whose body was checked when it was
// appended and has been hashed since.
func (r envelopeRow) envelope() (message.Envelope, error) {
	e := message.Envelope{ID: message.ID(r.id), From: message.Address(r.sender), To: message.Address(r.recipient), Kind: message.Kind(r.kind), Body: rawjson.Bytes(r.body)}
	if r.refs != "[]" {
		in := rawjson.NewReader([]byte(r.refs))
		if e.Refs = rawjson.ReadStrings[message.ID](in); !in.Done() {
			e.Refs = nil
			if err := json.Unmarshal([]byte(r.refs), &e.Refs); err != nil {
				return e, err
			}
		}
	}
	err := message.Unmarshal([]byte(r.meta), &e.Meta)
	return e.Trusted(), err
}

// chained is the hash of the row behind the one whose hash is previous; the
// first row of a run stands behind its id. It covers every column.
func (r envelopeRow) chained(previous []byte) []byte {
	h := sha256.New()
	h.Write(length(hashed("envelope/1", string(previous), text(r.run), text(r.seq), r.id, r.kind, r.sender, r.recipient, r.refs, r.meta, strconv.FormatBool(r.fact)), r.body))
	h.Write(rawjson.Bytes(r.body)) // not copied: it is long
	return h.Sum(nil)
}

// chainStart is what the first envelope of a run is chained to.
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

	now int // messages that are there, when read; not a column
}

func (r runRow) digest() string {
	b, err := message.Marshal([]any{r.attempts, r.messages, r.calls, r.tools, r.inputTokens, r.outputTokens, r.cachedTokens})
	if err != nil { // numbers always have JSON
		b = []byte(err.Error())
	}
	return short(digest("state/1", text(r.number), r.id, r.task, string(r.status), r.cause, r.ranking, r.seal, r.models, string(b)))
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
	Rows   int64  `json:"rows,omitempty"`   // envelopes that the run has now, if it has other ones than before
	Chain  string `json:"chain,omitempty"`  // hash of the last of them
	Scorer string `json:"scorer,omitempty"` // name and version of a score of the run
	State  string `json:"state,omitempty"`  // hash of the run, the score or the meta data as it is now
}

// head is the hash of a commit and of all before it.
func head(previous string, number int64, events string) string {
	return short(digest("commit/1", previous, text(number), events))
}
