package store

import (
	"sync"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/rawjson"
)

// maxRoom is the largest room for a log that is kept for another run, in bytes.
const maxRoom = 4 << 20

// room is memory that runs have used and others will. Nothing stays in it.
type room struct {
	logs     sync.Pool // of *messages
	packings sync.Pool // of *packing
}

// messages are room for the log of a run.
type messages struct {
	log  []message.Envelope
	seqs []int64
}

// packing is room for a log that is written and compressed.
type packing struct {
	text, packed []byte
	meta         *rawjson.Writer
}

func (r *room) log() ([]message.Envelope, []int64) {
	if m, ok := r.logs.Get().(*messages); ok {
		return m.log, m.seqs
	}
	return nil, nil
}

func (r *room) putLog(log []message.Envelope, seqs []int64) {
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
	if cap(p.text) <= maxRoom {
		r.packings.Put(p)
	}
}
