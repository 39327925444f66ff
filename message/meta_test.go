package message_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/mars-rec/mars/message"
)

// FuzzMeta holds how meta data read and write their JSON to encoding/json.
func FuzzMeta(f *testing.F) {
	for _, s := range []string{`{}`, `{"time":"2018-01-02T03:04:05.678Z","duration":-5,"digest":"d","model":"m","response":"m-1","provider":"p","attempts":2,"cached":true,"usage":{"input_tokens":1,"output_tokens":2,"cached_tokens":3}}`,
		`{"time":"2018-01-02T03:04:05+02:00","usage":{"input_tokens":0,"output_tokens":-1}}`, `{"time":"0001-01-01T00:00:00Z"}`, `{"time":"2018-1-2"}`, `{"cached":false,"attempts":0}`, `{"usage":null}`, `{"duration":1.5}`, `{"Digest":"d"}`, `null`, ``} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var got, want message.Meta
		err, wantErr := message.Unmarshal(text, &got), json.Unmarshal(text, &want)
		if (err == nil) != (wantErr == nil) || err == nil && !reflect.DeepEqual(got, want) {
			t.Fatalf("%q is read as %+v (%v), by encoding/json as %+v (%v)", text, got, err, want, wantErr)
		}
		if err != nil {
			return
		}
		var plain bytes.Buffer
		enc := json.NewEncoder(&plain)
		enc.SetEscapeHTML(false)
		wantErr = enc.Encode(want)
		written, err := message.Marshal(want)
		if (err == nil) != (wantErr == nil) || err == nil && string(written) != strings.TrimSuffix(plain.String(), "\n") {
			t.Fatalf("%+v is written as %s (%v), by encoding/json as %s (%v)", want, written, err, plain.Bytes(), wantErr)
		}
	})
}
