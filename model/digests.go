package model

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"slices"
	"sync"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/rawjson"
)

// Digests makes the digests of the requests of one agent, through all its runs:
// those that [Digest] makes. What requests have in common is written once, and
// hashed once where all before it is the same:
//
//	["model/1","gpt",{"messages":[system,user,assistant,tool],"tools":[...],"format":{...},"sampling":{...}}]
//	└─ opening: of all its runs ───────┘                     └─ shape: of all its runs ───┘
//	└─ conversation: what was said before ────┘
//
// It is safe for concurrent use.
type Digests struct {
	name string

	mu       sync.Mutex
	openings map[string]hash.Cloner // SHA-256 after a system prompt, by its content
	shapes   []shape
}

// mostKept bounds the openings of an agent that are kept, and the shapes: it has
// one or two of each.
const mostKept = 8

// shape is the part of a request that says what may be answered.
type shape struct {
	tools  []ToolSpec
	format *Format
	text   []byte
}

// NewDigests is for requests to the model of that name.
func NewDigests(name string) *Digests {
	return &Digests{name: name, openings: map[string]hash.Cloner{}}
}

// opening returns SHA-256 after the first message of a request.
func (d *Digests) opening(first Message) hash.Cloner {
	known := first.Role == System && first.equal(Message{Role: System, Content: first.Content})
	d.mu.Lock()
	h := d.openings[first.Content]
	d.mu.Unlock()
	if known && h != nil {
		return h
	}
	h = sha256.New().(hash.Cloner)
	write(h, func(w *rawjson.Writer) {
		w.Text("[")
		w.String(requestRule)
		w.Text(",")
		w.String(d.name)
		w.Text(`,{"messages":[`)
		first.WriteJSON(w)
	})
	d.mu.Lock()
	defer d.mu.Unlock()
	if known && len(d.openings) < mostKept {
		d.openings[first.Content] = h
	}
	return h
}

// shape returns the JSON of the tools and the format of a request; ok is false
// where there is none.
func (d *Digests) shape(req Request) (text []byte, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.shapes {
		if s.is(req) {
			return s.text, true
		}
	}
	ok = message.Write(req.writeShape, func(written []byte) { text = bytes.Clone(written) })
	if ok && len(d.shapes) < mostKept {
		s := shape{tools: slices.Clone(req.Tools), text: text}
		for i := range s.tools {
			s.tools[i].Parameters = bytes.Clone(s.tools[i].Parameters)
		}
		if req.Format != nil {
			s.format = &Format{req.Format.Name, bytes.Clone(req.Format.Schema)}
		}
		d.shapes = append(d.shapes, s)
	}
	return text, ok
}

// is reports whether the request has this shape.
func (s *shape) is(req Request) bool {
	if (s.format == nil) != (req.Format == nil) || s.format != nil && (s.format.Name != req.Format.Name || !bytes.Equal(s.format.Schema, req.Format.Schema)) {
		return false
	}
	return slices.EqualFunc(s.tools, req.Tools, func(a, b ToolSpec) bool {
		return a.Name == b.Name && a.Description == b.Description && bytes.Equal(a.Parameters, b.Parameters)
	})
}

// write hashes what is written, and reports whether it could be.
func write(h hash.Hash, text func(w *rawjson.Writer)) bool {
	return message.Write(text, func(written []byte) { h.Write(written) })
}
