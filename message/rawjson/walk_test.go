package rawjson_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/mars-rec/mars/message/rawjson"
)

// walk reads any value by Members and Elements.
func walk(r *rawjson.Reader) any {
	switch {
	case r.Take("null"):
		return nil
	case r.At('{'):
		object := map[string]any{}
		r.Members(func(name []byte) { object[string(name)] = walk(r) })
		return object
	case r.At('['):
		list := []any{}
		r.Elements(func(i int) {
			if i != len(list) {
				r.Fail()
			}
			list = append(list, walk(r))
		})
		return list
	case r.At('"'):
		return r.String()
	case r.At('t') || r.At('f'):
		return r.Bool()
	}
	return float64(r.Int())
}

// FuzzWalk: what a walk reads of a text is what encoding/json does.
func FuzzWalk(f *testing.F) {
	for _, text := range []string{
		`{"a":[1,2,{"b":"c\n"}],"d":{},"e":[],"f":null,"g":true}`, "{ \"a\" :\t[ 1 , 2 ] ,\r\n \"b\" : { } }", `[[[]],{"":[-7]}]`,
		`{"a":1,}`, `{,}`, `{"a"}`, `{"a":}`, `[,]`, `[1,]`, `[1 2]`, `{"a":1 "b":2}`, `{"\u0061":1}`, `{"a\"":1}`, `[`, `{`, `{"a`, ``,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r := rawjson.NewReader(text)
		got := walk(r)
		if !r.Done() {
			return
		}
		var want any
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatalf("%q is taken: %v", text, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%q is read as %v, want %v", text, got, want)
		}
	})
}

// TestWalkTakesWhatIsWritten: with spaces and without.
func TestWalkTakesWhatIsWritten(t *testing.T) {
	for _, text := range []string{`{"a":[1,2,{"b":"c\n"}],"d":{},"e":[],"f":null,"g":[true,false]}`, `[]`, `{}`} {
		var spaced bytes.Buffer
		if err := json.Indent(&spaced, []byte(text), "", "  "); err != nil {
			t.Fatal(err)
		}
		for _, form := range []string{text, spaced.String()} {
			r := rawjson.NewReader([]byte(form))
			if walk(r); !r.Done() {
				t.Errorf("%s is given up", form)
			}
		}
	}
}

// TestFloats: numbers are written as encoding/json writes them.
func TestFloats(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{0, 1, 0.7, 1e-7, 1e-6, 1e21, 1e20, -3e-10, 5e-324})).Draw(t, "f")
		want, err := json.Marshal(f)
		w := rawjson.NewWriter(nil)
		w.Float(f)
		got, ok := w.Done()
		if ok != (err == nil) || ok && string(got) != string(want) {
			t.Fatalf("%v is written as %s (%v), want %s (%v)", f, got, ok, want, err)
		}
	})
}
