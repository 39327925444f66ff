package store

import (
	"sync"
	"sync/atomic"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/rawjson"
)

// maxRoom is the largest room that is kept for another run, in bytes.
const maxRoom = 4 << 20

// room is memory that runs have used and others will. Nothing stays in it.
type room struct {
	length   atomic.Int64 // of the log that was last given back, in messages
	logs     sync.Pool    // of *messages
	packings sync.Pool    // of *packing
	blocks   sync.Pool    // of *[]byte
}

// messages are room for the log of a run.
type messages struct {
	log  []message.Envelope
	seqs []int64
}

// packing is room for a log that is written.
type packing struct {
	text  []byte
	block []byte // the text, compressed
	meta  *rawjson.Writer
}

// log is room for the log of a run that is likely to be as long as the one before.
func (r *room) log() ([]message.Envelope, []int64) {
	if m, ok := r.logs.Get().(*messages); ok {
		return m.log, m.seqs
	}
	n := min(r.length.Load(), 1024)
	return make([]message.Envelope, 0, n), make([]int64, 0, n)
}

func (r *room) putLog(log []message.Envelope, seqs []int64) {
	r.length.Store(int64(len(log)))
	clear(log)
	r.logs.Put(&messages{log[:0], seqs[:0]})
}

func (r *room) packing() *packing {
	if p, ok := r.packings.Get().(*packing); ok {
		return p
	}
	return &packing{meta: rawjson.NewWriter(nil)}
}

func (r *room) putPacking(p *packing) {
	if max(cap(p.text), cap(p.block)) <= maxRoom {
		r.packings.Put(p)
	}
}

// packed is room for a log that is compressed and waits to be written.
func (r *room) packed() []byte {
	if b, ok := r.blocks.Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return nil
}

func (r *room) putPacked(b []byte) {
	if cap(b) <= maxRoom {
		r.blocks.Put(&b)
	}
}
