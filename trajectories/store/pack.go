package store

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/rawjson"
)

// stored is a message as it is kept.
type stored struct {
	message.Envelope
	seq int64 // of a fact: its place among those of its run, from 1; 0: it is none
}

// appendMessage appends a message. Numbers are unsigned varints, and a text is
// its length and its bytes:
//
//	seq id from to kind  n ref*n  meta  body
//
// Meta is JSON, or empty if there is none to tell. The body is 0 and the text
// itself, or the number of a shared body.
//
// Meta is written with the room that w has.
func appendMessage(dst []byte, m *message.Envelope, seq, shared int64, w *rawjson.Writer) ([]byte, error) {
	dst = binary.AppendUvarint(dst, uint64(seq))
	dst = appendText(dst, m.ID)
	dst = appendText(dst, m.From)
	dst = appendText(dst, m.To)
	dst = appendText(dst, m.Kind)
	dst = binary.AppendUvarint(dst, uint64(len(m.Refs)))
	for _, ref := range m.Refs {
		dst = appendText(dst, ref)
	}
	w.Reset()
	if m.Meta != (message.Meta{}) {
		m.Meta.WriteJSON(w)
	}
	meta, ok := w.Done()
	if !ok { // it then says why
		var err error
		if meta, err = message.Marshal(m.Meta); err != nil {
			return dst, err
		}
	}
	dst = appendText(dst, meta)
	dst = binary.AppendUvarint(dst, uint64(shared))
	if shared == 0 {
		dst = appendText(dst, m.Body)
	}
	return dst, nil
}

func appendText[T ~string | ~[]byte](dst []byte, s T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

var errCut = fmt.Errorf("%w: it ends too early, or is no message", ErrDamaged)

// unpacker reads messages from the left. What it returns are parts of src.
type unpacker struct {
	src  []byte
	text string // src
	at   int
	err  error

	body func(number int64) (json.RawMessage, error) // finds a shared body
}

func newUnpacker(src []byte, body func(int64) (json.RawMessage, error)) *unpacker {
	return &unpacker{src: src, text: rawjson.Text(src), body: body}
}

// more reports whether there is another message, or an error to tell.
func (u *unpacker) more() bool { return u.err == nil && u.at < len(u.src) }

func (u *unpacker) number() int64 {
	n, size := binary.Uvarint(u.src[u.at:])
	if size <= 0 || n > 1<<62 {
		u.err, u.at = errCut, len(u.src)
		return 0
	}
	u.at += size
	return int64(n)
}

// part passes over a text and returns where it is.
func (u *unpacker) part() (from, to int) {
	n := u.number()
	if n > int64(len(u.src)-u.at) {
		u.err, u.at = errCut, len(u.src)
		return u.at, u.at
	}
	from = u.at
	u.at += int(n)
	return from, u.at
}

func (u *unpacker) bytes() []byte {
	from, to := u.part()
	return u.src[from:to:to]
}

func (u *unpacker) string() string {
	from, to := u.part()
	return u.text[from:to]
}

// message reads the next one, whose body was checked when it was appended and
// has been hashed since. Behind one that is cut nothing more is read.
func (u *unpacker) message() (m stored, err error) {
	m.seq = u.number()
	m.ID = message.ID(u.string())
	m.From, m.To = message.Address(u.string()), message.Address(u.string())
	m.Kind = message.Kind(u.string())
	if n := u.number(); n > 0 && n <= int64(len(u.src)-u.at) {
		m.Refs = make([]message.ID, n)
		for i := range m.Refs {
			m.Refs[i] = message.ID(u.string())
		}
	} else if n > 0 {
		u.err = errCut
	}
	if from, to := u.part(); to > from && u.err == nil {
		if err := message.Unmarshal(u.src[from:to], &m.Meta); err != nil {
			u.err = fmt.Errorf("%w: meta: %w", ErrDamaged, err)
		}
	}
	switch shared := u.number(); {
	case u.err != nil:
	case shared == 0:
		from, to := u.part()
		m.Body = u.src[from:to:to]
	default:
		m.Body, err = u.body(shared)
	}
	m.Envelope = m.Trusted()
	return m, cmp.Or(u.err, err)
}
