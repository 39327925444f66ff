package message_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mars-rec/mars/message"
)

func TestIDOrder(t *testing.T) {
	want := []message.ID{"1", "1.1", "1.1.1", "1.1.2", "1.2", "1.2.10", "1.9", "1.10", "1.10.1", "2"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, message.ID.Compare)
	if !slices.Equal(got, want) {
		t.Errorf("sorted: %v, want %v", got, want)
	}
	if c := message.ID("1.10.2").Cause(); c != "1.10" {
		t.Errorf("cause of 1.10.2 is %q", c)
	}
	if message.ID("1.10").Within("1.1") || !message.ID("1.1.1").Within("1.1") {
		t.Error("Within compares ordinals, not text")
	}
}

func TestIDOrderIsTotal(t *testing.T) {
	path := rapid.Custom(func(t *rapid.T) message.ID {
		id := message.Root
		for _, n := range rapid.SliceOfN(rapid.IntRange(1, 120), 0, 4).Draw(t, "path") {
			id = id.Child(n)
		}
		return id
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := path.Draw(t, "a"), path.Draw(t, "b"), path.Draw(t, "c")
		if (a.Compare(b) == 0) != (a == b) || a.Compare(b) != -b.Compare(a) {
			t.Fatalf("%s and %s: %d, %d", a, b, a.Compare(b), b.Compare(a))
		}
		if a.Compare(b) <= 0 && b.Compare(c) <= 0 && a.Compare(c) > 0 {
			t.Fatalf("%s <= %s <= %s but not %s <= %s", a, b, c, a, c)
		}
		if a != b && b.Within(a) && a.Compare(b) >= 0 {
			t.Fatalf("parent %s does not come before %s", a, b)
		}
	})
}

func TestParseID(t *testing.T) {
	for _, bad := range []string{"", "1.", ".1", "1.0", "01", "1..2", "1.-2", "a", "1.2 "} {
		if _, err := message.ParseID(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
	if id, err := message.ParseID("1.30.2"); err != nil || id != "1.30.2" {
		t.Errorf("1.30.2: %v, %v", id, err)
	}
}

// TestEqualIsCanonical compares envelopes that differ in one place at most, or
// only in how their JSON is spaced.
func TestEqualIsCanonical(t *testing.T) {
	envelope := rapid.Custom(func(t *rapid.T) message.Envelope {
		return message.Envelope{
			ID: message.ID(rapid.SampledFrom([]string{"1", "1.1"}).Draw(t, "id")), From: "a", Kind: "k",
			To:   message.Address(rapid.SampledFrom([]string{"", "b"}).Draw(t, "to")),
			Body: json.RawMessage(rapid.SampledFrom([]string{`{}`, `{ }`, `1`, `{"a":1}`}).Draw(t, "body")),
			Refs: rapid.SampledFrom([][]message.ID{nil, {}, {"1"}}).Draw(t, "refs"),
			Meta: message.Meta{Attempts: rapid.IntRange(0, 1).Draw(t, "attempts")},
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := envelope.Draw(t, "a"), envelope.Draw(t, "b")
		if a.Equal(b) != (string(a.Canonical()) == string(b.Canonical())) {
			t.Fatalf("%s and %s: Equal says %v", a.Canonical(), b.Canonical(), a.Equal(b))
		}
	})
}

func TestCanonicalLeavesMetaOut(t *testing.T) {
	e := message.Envelope{ID: "1.1", From: "a", Kind: "k", Body: json.RawMessage(`{"t":"<b>"}`), Refs: []message.ID{"1"},
		Meta: message.Meta{Time: time.Unix(9, 0), Digest: "d"}}
	if got, want := string(e.Canonical()), `{"id":"1.1","from":"a","kind":"k","body":{"t":"<b>"},"refs":["1"]}`; got != want {
		t.Errorf("canonical bytes are\n%s\nwant\n%s", got, want)
	}
}

// FuzzCanonical holds the canonical bytes to what they are defined by: the
// envelope as encoding/json writes it, without Meta.
func FuzzCanonical(f *testing.F) {
	f.Add("1.1", "a", "", "k", []byte(`{ "t" : "<b>" }`), "1 1.2")
	f.Add("", "\xff", "b\"", "\u2028", []byte(`{"t":`), "")
	f.Add("1", "", "", "", []byte(nil), "")
	f.Fuzz(func(t *testing.T, id, from, to, kind string, body []byte, refs string) {
		e := message.Envelope{ID: message.ID(id), From: message.Address(from), To: message.Address(to), Kind: message.Kind(kind), Body: body}
		for ref := range strings.FieldsSeq(refs) {
			e.Refs = append(e.Refs, message.ID(ref))
		}
		var plain bytes.Buffer
		enc := json.NewEncoder(&plain)
		enc.SetEscapeHTML(false)
		want := ""
		if err := enc.Encode(e); err != nil {
			want = fmt.Sprintf("%s invalid body: %v", id, err)
		} else {
			want = strings.TrimSuffix(plain.String(), "\n")
		}
		e.Meta.Digest = "d"
		if got := string(e.AppendCanonical([]byte("before "))); got != "before "+want {
			t.Fatalf("canonical bytes are\n%s\nwant\n%s", got, want)
		}
	})
}
