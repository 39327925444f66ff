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

// ReadsJSON is an ability of a pointer to a value that is read often: it reads
// the form that [Marshal] writes, to what encoding/json would make of it, and
// lets the reader fail on any other, which encoding/json then reads. Raw values
// may be parts of the text that is read.
type ReadsJSON interface{ ReadJSON(r *rawjson.Reader) }

// writers are for texts while they are written. Nothing stays in them.
var writers = sync.Pool{New: func() any { return rawjson.NewWriter(nil) }}

// Marshal writes v as compact JSON, without the escapes for HTML that
// encoding/json adds by default and without a final newline. Everything that
// is logged is written by it, so that equal values have equal bytes.
func Marshal(v any) ([]byte, error) { return MarshalLike(v, nil) }

// MarshalLike is [Marshal] of a value that is likely written as text: if it is,
// text is what it returns, and no copy.
func MarshalLike(v any, text []byte) ([]byte, error) {
	var b []byte
	if own, ok := v.(WritesJSON); ok && Write(own.WriteJSON, func(written []byte) {
		if b = text; !bytes.Equal(written, text) {
			b = bytes.Clone(written)
		}
	}) {
		return b, nil
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// Write hands what write writes to use, which must not keep it; false says that
// it could not be written, and was not used.
func Write(write func(w *rawjson.Writer), use func(text []byte)) bool {
	w := writers.Get().(*rawjson.Writer)
	w.Reset()
	write(w)
	text, ok := w.Done()
	if ok {
		use(text)
	}
	writers.Put(w)
	return ok
}

// Unmarshal reads what [Marshal] has written of the value that v points to, or
// any other JSON, as encoding/json does. V points to a zero value; raw values in
// it may be parts of text.
func Unmarshal[T any](text []byte, v *T) error {
	return unmarshal(rawjson.NewReader(text), text, v)
}

// Reread is [Unmarshal] for a value that is a part of what Marshal has written,
// as a raw value in the body of a message: that it is JSON is not checked again.
func Reread[T any](text []byte, v *T) error {
	return unmarshal(rawjson.NewTrusting(text), text, v)
}

func unmarshal[T any](r *rawjson.Reader, text []byte, v *T) error {
	if own, ok := any(v).(ReadsJSON); ok {
		if own.ReadJSON(r); r.Done() {
			return nil
		}
		*v = *new(T)
	}
	return json.Unmarshal(text, v)
}

// Decode returns the body of e as a B; the kind must be B's. What it points to
// is shared, with the body of e or with its author, and must not be changed.
func Decode[B Body](e Envelope) (B, error) {
	if b, ok := e.body.(B); ok {
		return b, nil
	}
	var b B
	if e.Kind != b.Kind() {
		return b, fmt.Errorf("message %s: kind is %q, want %q", e.ID, e.Kind, b.Kind())
	}
	r := rawjson.NewReader(e.Body)
	if e.trusted {
		r = rawjson.NewTrusting(e.Body)
	}
	if err := unmarshal(r, e.Body, &b); err != nil {
		return b, fmt.Errorf("message %s: %s: %w", e.ID, e.Kind, err)
	}
	return b, nil
}

// Written returns the body of e as JSON where that is known to be what [Marshal]
// writes of what [Decode] returns; nil where it is not.
func Written[B Body](e Envelope) json.RawMessage {
	if _, ok := e.body.(B); !ok || !e.compact {
		return nil
	}
	return e.Body
}

// Canonical returns the bytes that are compared and sealed: the envelope as
// compact JSON without its Meta, keys in the order of the struct.
func (e Envelope) Canonical() []byte { return e.AppendCanonical(nil) }

// AppendCanonical appends the canonical bytes to dst.
func (e Envelope) AppendCanonical(dst []byte) []byte {
	w := rawjson.NewWriter(dst)
	e.writeCanonical(w)
	if written, ok := w.Done(); ok {
		return written
	}
	return append(dst, e.invalid()...)
}

// WithCanonical hands the canonical bytes of e to use, which must not keep them.
func (e *Envelope) WithCanonical(use func(canonical []byte)) {
	if !Write(e.writeCanonical, use) {
		use(e.invalid())
	}
}

func (e *Envelope) writeCanonical(w *rawjson.Writer) {
	w.Text("{")
	w.Key("id")
	w.String(string(e.ID))
	w.Key("from")
	w.String(string(e.From))
	w.Field("to", string(e.To))
	w.Key("kind")
	w.String(string(e.Kind))
	w.Key("body")
	if e.compact {
		w.Text(rawjson.Text(e.Body))
	} else {
		w.Value(e.Body)
	}
	if len(e.Refs) > 0 {
		w.Key("refs")
		rawjson.WriteStrings(w, e.Refs)
	}
	w.Text("}")
}

// invalid is what stands for the canonical bytes of what has none.
func (e Envelope) invalid() []byte {
	e.Meta = Meta{}
	b, err := Marshal(e)
	if err != nil { // only a Body that is not JSON can do this
		return fmt.Appendf(nil, "%s invalid body: %v", e.ID, err)
	}
	return b
}
