package message_test

import (
	"testing"

	"github.com/mars-rec/mars/message"
)

// note is a body that tells whether it was read or handed on.
type note struct {
	Text string `json:"text"`
	list []int  // not in its JSON
}

func (note) Kind() message.Kind { return "note" }

func TestDecodeTakesWhatWasHandedOn(t *testing.T) {
	e := message.Envelope{ID: "1.1", Kind: "note", Body: []byte(`{"text":"a"}`)}
	with := e.With(note{"a", []int{1}})
	for name, c := range map[string]struct {
		e    message.Envelope
		list int
	}{
		"handed on":        {with, 1},
		"read":             {e, 0},
		"taken away":       {with.With(nil), 0},
		"of another type":  {e.With(other{}), 0},
		"behind a pointer": {e.With(&note{"b", nil}), 0},
	} {
		got, err := message.Decode[note](c.e)
		if err != nil || got.Text != "a" || len(got.list) != c.list {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if written := message.Written[note](with.Compact()); string(written) != string(e.Body) {
		t.Errorf("written is %s", written)
	}
	for name, e := range map[string]message.Envelope{"with spaces, perhaps": with, "without its value": e.Compact(), "of another type": e.With(other{}).Compact()} {
		if written := message.Written[note](e); written != nil {
			t.Errorf("%s: written is %s", name, written)
		}
	}
	if !with.Equal(e) || string(with.Canonical()) != string(e.Canonical()) {
		t.Error("the value changes what is compared")
	}
}

type other struct{}

func (other) Kind() message.Kind { return "note" }
