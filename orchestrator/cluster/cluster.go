// Package cluster lets a batch be made by many machines.
//
// One coordinator has the tasks and the ledger; any number of workers have the
// data, the team and the models. Between them is a NATS server with JetStream:
//
//	coordinator                    NATS                        worker
//	  begin in the ledger
//	  offer the run ──────────> work queue (JetStream) ──────> pull
//	                            begin: may I?           <─────
//	  hold it for the worker ─> what is known           ─────>
//	                            recall: a known fact?   <─────  a resumed run
//	                            append: a new fact      <─────  each, at once
//	  append to the ledger ───> it is there             ─────>  go on
//	                            reserve: may I call?    <─────  each call of a model
//	  from the budget, the rate > go, wait, or no       ─────>  call; what it cost is
//	                                                            told with the next words
//	                            end: result or cause    <─────  and all the rest
//	  seal in the ledger ─────> it is done              ─────>  acknowledge
//	                            (the work queue forgets the run)
//
// # Who knows what
//
// The ledger is the truth. The work queue carries offers and nothing else: when
// the server loses it, or delivers an offer twice, late or never, no run is lost
// and none is made twice, because a worker works on a run only while the
// coordinator holds it for that worker, and the coordinator offers anew what
// nobody works on and the queue does not have. There is one message a run in the
// queue, under a subject of the run's own, so an offer cannot pile up.
//
// A hold lasts for a lease, which whatever the worker says renews. A worker that
// dies loses the hold when the lease is over; the queue hands the run to another,
// which is given every fact that the ledger has. What a worker says for a run
// that is no longer its own is refused, so a run has one committed result,
// whoever comes back from wherever.
//
// # What is repeated
//
// Every call from a worker may be repeated and come late. Begin and end are
// idempotent by the hold, an append by the run and the path ID of each message:
// the ledger takes the same bytes again without effect. So a worker repeats a
// call until it is answered, through restarts of the server and of the
// coordinator. A coordinator that starts anew knows no holds; the worker that had
// one begins again, and sends again what it had said.
//
// # Who pays
//
// The budget and the rate are the coordinator's, and a worker knows neither caps
// nor prices. Before each call of a model it asks, and the coordinator reserves the
// most that the call can come to, under an id of the run, the worker's try at it,
// the path ID and the attempt: asked twice it is one reservation. What the call came
// to is settled once, under the same id. Calls that were reserved and are not
// settled when their worker has lost the run, or is silent for a lease, count in
// full, as do those in flight when the coordinator dies: its journal knows of them.
// A worker that comes back tells what its calls came to, and that then counts, once.
// So nothing that may have been paid is missing from the account, and the caps hold
// whatever dies. Where the coordinator cannot be asked no call is made.
//
// # What it costs
//
// A fact waits for its way to the coordinator and back, and for the ledger to
// take it, which is durable or not as the ledger makes it. The other messages of
// a run, which follow from the facts, go together when it ends. A call of a model
// waits for one more such way, before it is made.
package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/tasks"
)

// DefaultName is the name of a batch on its server, where no other is given.
const DefaultName = "mars"

// offer is a message of the work queue.
type offer struct {
	Run  string     `json:"run"`
	Task tasks.Task `json:"task"`
}

// op is what a worker calls the coordinator for.
type op string

const (
	opJoin    op = "join"    // what are runs made with?
	opBegin   op = "begin"   // may I make this run?
	opBeat    op = "beat"    // I still do
	opRecall  op = "recall"  // is this fact known?
	opAppend  op = "append"  // this was said
	opEnd     op = "end"     // it came to this
	opRelease op = "release" // I stop, let another go on
	opReserve op = "reserve" // may I call a model?
)

// call is what a worker says to the coordinator.
type call struct {
	Op   op     `json:"op"`
	Made string `json:"made,omitempty"` // digest of the manifest that the worker works with
	Run  string `json:"run,omitempty"`
	Hold string `json:"hold,omitempty"` // the worker's own name for its try at the run

	ID     message.ID           `json:"id,omitempty"`     // recall
	Digest string               `json:"digest,omitempty"` // recall
	Log    []message.Envelope   `json:"log,omitempty"`    // append
	Result *orchestrator.Result `json:"result,omitempty"` // end
	Cause  string               `json:"cause,omitempty"`  // end, of a failure
	Wish   *wish                `json:"wish,omitempty"`   // reserve
	Paid   []due                `json:"paid,omitempty"`   // any: what calls came to
}

// state is how the coordinator stands to a call.
type state string

const (
	stateOK      state = "ok"
	stateBusy    state = "busy"    // another worker has the run
	stateTaken   state = "taken"   // the run is no longer this worker's
	stateUnheld  state = "unheld"  // nobody has the run: begin again
	stateUnknown state = "unknown" // the run is not, or not yet, to be made
	stateDone    state = "done"
	stateOther   state = "other"   // the worker works with another manifest
	stateRefused state = "refused" // Text says why
	stateWait    state = "wait"    // there is no room for the call yet: ask again
	stateOver    state = "over"    // what was reserved is given up: take another
	stateBroke   state = "broke"   // the call does not fit into the budget; Text says which
)

// answer is what the coordinator says to a call.
type answer struct {
	State    state             `json:"state"`
	Text     string            `json:"text,omitempty"`
	Manifest json.RawMessage   `json:"manifest,omitempty"` // join
	Lease    time.Duration     `json:"lease,omitempty"`    // join
	Timeout  time.Duration     `json:"timeout,omitempty"`  // join: of one run
	Replies  bool              `json:"replies,omitempty"`  // join: there is a shelf of replies
	Known    bool              `json:"known,omitempty"`    // begin: there are facts to recall
	Fact     *message.Envelope `json:"fact,omitempty"`     // recall
	Wait     time.Duration     `json:"wait,omitempty"`     // reserve: how long the answer took

	sent time.Time // when the worker asked
}

// names are the subjects and names of a batch on its server.
type names struct{ batch, prefix, stream string }

func namesOf(batch string) names {
	if batch == "" {
		batch = DefaultName
	}
	return names{batch: batch, prefix: "mars.cluster." + batch, stream: "MARS_" + batch}
}

// CheckName reports whether a batch can go by the name: letters, digits, - and _.
func CheckName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '-' && r != '_'
	})
}

func (n names) calls() string  { return n.prefix + ".call" }
func (n names) over() string   { return n.prefix + ".over" }
func (n names) offers() string { return n.prefix + ".offer.*" }

// offer is the subject of a run's offer. Ids have characters that subjects
// cannot have, so it goes by a hash.
func (n names) offer(run string) string {
	h := sha256.Sum256([]byte(run))
	return n.prefix + ".offer." + hex.EncodeToString(h[:16])
}

// consumer is the name under which all workers pull.
const consumer = "workers"

func digest(manifest []byte) string {
	h := sha256.Sum256(manifest)
	return hex.EncodeToString(h[:])
}
