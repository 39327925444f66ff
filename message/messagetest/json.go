package messagetest

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/mars-rec/mars/message"
)

// JSON holds how bodies of a type are read and written to encoding/json: a text
// is read by [message.Decode] as encoding/json reads it, or refused where that
// refuses it, and what was read is written by [message.Marshal] as encoding/json
// writes it. It is for types that read or write their own JSON; a fuzz test
// gives it texts.
func JSON[B message.Body](t *testing.T, text []byte) {
	t.Helper()
	var want B
	wantErr := json.Unmarshal(text, &want)
	got, err := message.Decode[B](message.Envelope{Kind: want.Kind(), Body: text})
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%s: %q is read with %v, by encoding/json with %v", want.Kind(), text, err, wantErr)
	}
	if err != nil {
		return
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s: %q is read as\n%+v, by encoding/json as\n%+v", want.Kind(), text, got, want)
	}
	var plain bytes.Buffer
	enc := json.NewEncoder(&plain)
	enc.SetEscapeHTML(false)
	wantErr = enc.Encode(want)
	written, err := message.Marshal(want)
	if (err == nil) != (wantErr == nil) || err == nil && string(written)+"\n" != plain.String() {
		t.Fatalf("%s: %+v is written as\n%s (%v), by encoding/json as\n%s (%v)", want.Kind(), want, written, err, plain.Bytes(), wantErr)
	}
}
