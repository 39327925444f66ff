package message

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/mars-rec/mars/message/rawjson"
)

// WritesJSON is an ability of a value that is written often: it writes the very
// bytes that encoding/json would, faster. What has no JSON it need not explain:
// the writer then fails, and encoding/json does.
type WritesJSON interface{ WriteJSON(w *rawjson.Writer) }

// ReadsJSON is an ability of a pointer to a [Body] that is read often: it reads
// the form that [Marshal] writes, to what encoding/json would make of it, and
// lets the reader fail on any other, which encoding/json then reads. Raw values
// may be parts of the text that is read.
type ReadsJSON interface{ ReadJSON(r *rawjson.Reader) }

// buffers are for texts while they are written. Nothing stays in them.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Marshal writes v as compact JSON, without the escapes for HTML that
// encoding/json adds by default and without a final newline. Everything that
// is logged is written by it, so that equal values have equal bytes.
func Marshal(v any) ([]byte, error) {
	buf := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(buf)
	buf.Reset()
	if written, ok := appendJSON(buf.AvailableBuffer(), v); ok {
		buf.Write(written) // keeps the larger buffer
		return bytes.Clone(written), nil
	}
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.Clone(bytes.TrimSuffix(buf.Bytes(), []byte("\n"))), nil
}

// appendJSON appends v if it writes itself.
func appendJSON(dst []byte, v any) ([]byte, bool) {
	own, ok := v.(WritesJSON)
	if !ok {
		return dst, false
	}
	w := rawjson.NewWriter(dst)
	own.WriteJSON(w)
	return w.Done()
}

// Decode returns the body of e as a B; the kind must be B's. Raw values in it
// may be parts of the body of e.
func Decode[B Body](e Envelope) (B, error) {
	var b B
	if e.Kind != b.Kind() {
		return b, fmt.Errorf("message %s: kind is %q, want %q", e.ID, e.Kind, b.Kind())
	}
	if own, ok := any(&b).(ReadsJSON); ok {
		r := rawjson.NewReader(e.Body)
		if own.ReadJSON(r); r.Done() {
			return b, nil
		}
		b = *new(B)
	}
	if err := json.Unmarshal(e.Body, &b); err != nil {
		return b, fmt.Errorf("message %s: %s: %w", e.ID, e.Kind, err)
	}
	return b, nil
}

// Canonical returns the bytes that are compared and sealed: the envelope as
// compact JSON without its Meta, keys in the order of the struct.
func (e Envelope) Canonical() []byte { return e.AppendCanonical(nil) }

// AppendCanonical appends the canonical bytes to dst.
func (e Envelope) AppendCanonical(dst []byte) []byte {
	w := rawjson.NewWriter(dst)
	w.Text("{")
	w.Key("id")
	w.String(string(e.ID))
	w.Key("from")
	w.String(string(e.From))
	w.Field("to", string(e.To))
	w.Key("kind")
	w.String(string(e.Kind))
	w.Key("body")
	w.Value(e.Body)
	if len(e.Refs) > 0 {
		w.Key("refs")
		rawjson.WriteStrings(w, e.Refs)
	}
	w.Text("}")
	if written, ok := w.Done(); ok {
		return written
	}
	e.Meta = Meta{}
	b, err := Marshal(e)
	if err != nil { // only a Body that is not JSON can do this
		return fmt.Appendf(dst, "%s invalid body: %v", e.ID, err)
	}
	return append(dst, b...)
}
