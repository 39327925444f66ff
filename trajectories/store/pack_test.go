package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/rawjson"
)

// TestMessagesAreReadBack packs messages and reads them, some bodies shared.
func TestMessagesAreReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(0, 20, -1)
		one := rapid.Custom(func(t *rapid.T) stored {
			m := stored{Envelope: message.Envelope{ID: message.ID(text.Draw(t, "id")), From: message.Address(text.Draw(t, "from")), To: message.Address(text.Draw(t, "to")), Kind: message.Kind(text.Draw(t, "kind"))}}
			for _, ref := range rapid.SliceOfN(text, 0, 4).Draw(t, "refs") {
				m.Refs = append(m.Refs, message.ID(ref))
			}
			body, err := message.Marshal(text.Draw(t, "body"))
			if err != nil {
				t.Fatal(err)
			}
			m.Body = body
			if rapid.Bool().Draw(t, "fact") {
				m.seq = rapid.Int64Range(1, maxFacts).Draw(t, "seq")
				m.Meta = message.Meta{Digest: "model/1:x", Time: time.Unix(rapid.Int64Range(0, 1<<35).Draw(t, "time"), 7).UTC(), Attempts: 2, Usage: &message.Usage{InputTokens: 3}}
			}
			return m
		})
		log := rapid.SliceOfN(one, 0, 6).Draw(t, "log")
		shared := make([]int64, len(log))
		var packed []byte
		for i, m := range log {
			if rapid.Bool().Draw(t, "shared") {
				shared[i] = int64(i + 1)
			}
			var err error
			if packed, err = appendMessage(packed, &m.Envelope, m.seq, shared[i], rawjson.NewWriter(nil)); err != nil {
				t.Fatal(err)
			}
		}
		u := newUnpacker(packed, func(n int64) (json.RawMessage, error) { return log[n-1].Body, nil })
		for i := range log {
			got, err := u.message()
			if err != nil || fmt.Sprintf("%+v", got.Meta.Time) != fmt.Sprintf("%+v", log[i].Meta.Time) || got.seq != log[i].seq || !got.Equal(log[i].Envelope) || got.Fact() != log[i].Fact() {
				t.Fatalf("message %d is %+v, %v, want %+v", i, got, err, log[i])
			}
		}
		if u.more() {
			t.Fatal("there is more than was packed")
		}
		for n := range packed { // cut anywhere: an error, or fewer messages
			u := newUnpacker(packed[:n], noBody)
			read := 0
			for ; u.more(); read++ {
				if _, err := u.message(); err != nil && !errors.Is(err, ErrDamaged) {
					t.Fatalf("cut after %d bytes: %v, want ErrDamaged", n, err)
				}
			}
			if read > len(log) {
				t.Fatalf("cut after %d bytes: %d messages of %d", n, read, len(log))
			}
		}
	})
}

// FuzzUnpack reads what nobody wrote: it ends, with an error or without.
func FuzzUnpack(f *testing.F) {
	b, err := appendMessage(nil, &message.Envelope{ID: "1.2", From: "a", Kind: "k", Refs: []message.ID{"1"}, Body: json.RawMessage(`{}`), Meta: message.Meta{Digest: "d"}}, 1, 0, rawjson.NewWriter(nil))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(bytes.Repeat([]byte{0xff}, 40))
	f.Fuzz(func(t *testing.T, b []byte) {
		for u := newUnpacker(b, noBody); u.more(); {
			u.message() //nolint:errcheck // any
		}
	})
}

// TestNothingGrowsBeyondWhatIsSaid unpacks what is larger, or smaller, than the
// size beside it.
func TestNothingGrowsBeyondWhatIsSaid(t *testing.T) {
	z, err := newZip()
	if err != nil {
		t.Fatal(err)
	}
	defer z.close()
	text := []byte(strings.Repeat("zeros ", 1<<20))
	// What is packed now, and what was before.
	w, err := zstd.NewWriter(nil, zstd.WithSingleSegment(false))
	if err != nil {
		t.Fatal(err)
	}
	for _, bomb := range [][]byte{z.pack(nil, text), w.EncodeAll(text, nil)} {
		if len(bomb) > len(text)/100 {
			t.Fatalf("%d bytes are no bomb", len(bomb))
		}
		if got, err := z.unpack(bomb, int64(len(text)), maxLog); err != nil || !bytes.Equal(got, text) {
			t.Fatalf("unpacked %d bytes, %v", len(got), err)
		}
		for _, size := range []int64{-1, 0, 10, int64(len(text)) - 1, int64(len(text)) + 1, maxLog + 1} {
			if got, err := z.unpack(bomb, size, maxLog); err == nil {
				t.Errorf("said to have %d bytes, it has %d", size, len(got))
			}
		}
		if _, err := z.unpack(bomb, int64(len(text)), 1<<20); err == nil {
			t.Error("more than the most is unpacked")
		}
	}
	// A frame that does not tell its size, nothing, and what has been written over.
	var b bytes.Buffer
	w.Reset(&b)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := z.unpack(b.Bytes(), 100, maxLog); err == nil {
		t.Errorf("a stream that is said to have 100 bytes has %d", len(got))
	}
	for _, b := range [][]byte{nil, {isS2}, {isS2, 0xff, 0xff, 0xff, 0xff, 0x0f}, {0}} {
		if got, err := z.unpack(b, 100, maxLog); err == nil {
			t.Errorf("%x is unpacked to %d bytes", b, len(got))
		}
	}
}
