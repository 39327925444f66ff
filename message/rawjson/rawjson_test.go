package rawjson_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mars-rec/mars/message/rawjson"
)

// seeds are texts that are JSON, nearly are, or are read otherwise than one
// would think.
func seeds() []string {
	return []string{"", " ", "null", "true", "truex", "nul", `"a"`, `"`, `"\"`, `"\u12"`, `"\u00e9\ud83d\ude00\ud800"`, `"\x"`, "\"\x01\"", "\"\xff\"", "\"\u2028 <&>\"",
		"0", "-0", "01", "-", "1.", "1.5e", "1.5E+10", ".5", "1e5", "--1", "[]", "[ ]", "[1,]", "[1 2]", "{}", "{ }", `{"a"}`, `{"a":}`, `{"a":1,}`, `{"a" : [1 , {"b":null}] }`,
		`{"a":1}{`, `[1}`, `{"a":1]`, "\ufeff1", " \r\n\t[ 1 ]\n", strings.Repeat("[", 300) + strings.Repeat("]", 300), strings.Repeat("[", 20000),
		`{"text":"a longer text, with \"quotes\", a \\ and ünïcode, so that words of eight bytes are read","n":-12.5e-3}`}
}

// FuzzAppendCompact holds the scanner to encoding/json: what it takes is valid
// and comes out as json.Compact writes it, and it gives up on nothing that is
// not nested deep.
func FuzzAppendCompact(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		var want bytes.Buffer
		err := json.Compact(&want, src)
		got, ok := rawjson.AppendCompact([]byte("before "), src)
		if ok != (err == nil) && bytes.Count(src, []byte("["))+bytes.Count(src, []byte("{")) < 200 {
			t.Fatalf("%q is taken: %v; encoding/json says %v", src, ok, err)
		}
		if ok && string(got) != "before "+want.String() || !ok && string(got) != "before " {
			t.Fatalf("%q becomes %q, want %q", src, got, want.Bytes())
		}
		if rawjson.Valid(src) != ok {
			t.Fatalf("%q is valid: %v, is compacted: %v", src, !ok, ok)
		}
	})
}

func TestIndexPair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringOfN(rapid.SampledFrom([]rune{'a', 'b', 'b' ^ 1, 'd', 'é'}), 0, 40, -1).Draw(t, "s")
		want := strings.Index(s, "ab")
		if at := strings.Index(s, "dd"); at >= 0 && (want < 0 || at < want) {
			want = at
		}
		if got := rawjson.IndexPair(s, [2]byte{'a', 'b'}, [2]byte{'d', 'd'}); got != want {
			t.Fatalf("ab or dd stands in %q at %d, want %d", s, got, want)
		}
	})
}

// FuzzString writes any text as encoding/json does, and reads it back as
// encoding/json does.
func FuzzString(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(s); err != nil {
			t.Fatal(err)
		}
		text := strings.TrimSuffix(want.String(), "\n")
		if got := rawjson.AppendString([]byte("before "), s); string(got) != "before "+text {
			t.Fatalf("%q is written as %s, want %s", s, got, text)
		}
		for _, written := range []string{text, s} {
			r := rawjson.NewReader([]byte(written))
			got := r.String()
			var back string
			if err := json.Unmarshal([]byte(written), &back); r.Done() && (err != nil || got != back) {
				t.Fatalf("%q is read as %q, want %q (%v)", written, got, back, err)
			} else if !r.Done() && err == nil && !strings.Contains(written, `\u`) && strings.TrimSpace(written) == written && strings.ToValidUTF8(written, "") == written && written != "null" {
				t.Fatalf("%q is given up", written)
			}
		}
	})
}

// row is a text of a known form.
type row struct {
	Call  string          `json:"call"`
	Value json.RawMessage `json:"value,omitempty"`
	Error string          `json:"error,omitempty"`
	N     []int64         `json:"n"`
	Names []string        `json:"names"`
	Yes   bool            `json:"yes"`
}

func (x row) write(w *rawjson.Writer) {
	w.Text("{")
	w.Key("call")
	w.String(x.Call)
	if len(x.Value) > 0 {
		w.Key("value")
		w.Value(x.Value)
	}
	w.Field("error", x.Error)
	w.Key("n")
	rawjson.WriteList(w, x.N, (*rawjson.Writer).Int)
	w.Key("names")
	rawjson.WriteStrings(w, x.Names)
	w.Key("yes")
	w.Bool(x.Yes)
	w.Text("}")
}

func (x *row) read(r *rawjson.Reader) {
	r.Need("{")
	r.NeedKey("call")
	x.Call = r.String()
	if r.Key("value") {
		x.Value = r.Value()
	}
	x.Error = r.Field("error")
	r.NeedKey("n")
	x.N = rawjson.ReadList(r, (*rawjson.Reader).Int)
	r.NeedKey("names")
	x.Names = rawjson.ReadStrings[string](r)
	r.NeedKey("yes")
	x.Yes = r.Bool()
	r.Need("}")
}

// FuzzReader holds the reader and the writer of a row to encoding/json: what
// they take they read and write alike, and what a row was written as is taken.
func FuzzReader(f *testing.F) {
	f.Add([]byte(`{"call":"c1","value":{"a":[1, 2]},"n":[1,-2,30],"names":["a","b"],"yes":true}`))
	f.Add([]byte(`{"call":"a\nb","error":"no","n":null,"names":[],"yes":false}`))
	for _, bad := range []string{`{"call":"c"} `, `{"call":"c`, `{"call":"c","n":[1,],"names":[],"yes":true}`, `{"call":"c","n":[1 2]`, `{"call":"c","n":[1.5]`, `{"call":1}`, `{"call":"c","value":}`, ``} {
		f.Add([]byte(bad))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var want, got row
		err := json.Unmarshal(text, &want)
		r := rawjson.NewReader(text)
		got.read(r)
		switch {
		case !r.Done():
		case err != nil:
			t.Fatalf("%s is taken: %v", text, err)
		case !reflect.DeepEqual(got, want):
			t.Fatalf("%s is read as %+v, want %+v", text, got, want)
		}
		if err != nil {
			return
		}
		var out bytes.Buffer
		enc := json.NewEncoder(&out)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(want); err != nil {
			t.Fatal(err)
		}
		w := rawjson.NewWriter(nil)
		want.write(w)
		written, ok := w.Done()
		if !ok || string(written)+"\n" != out.String() {
			t.Fatalf("%+v is written as %s (%v), want %s", want, written, ok, out.Bytes())
		}
		var again row
		r = rawjson.NewReader(written)
		if again.read(r); !r.Done() && !bytes.Contains(written, []byte(`\u`)) {
			t.Fatalf("%s is not taken", written)
		}
	})
}

// answer is what a tool says, some 40 kB of it.
func answer() []byte {
	return []byte(`{"items":[` + strings.TrimSuffix(strings.Repeat(`"12 of 31 users who read \"Persuasion\" also read c02 \"Emma\".",`, 600), ",") + `]}`)
}

func BenchmarkAppendString(b *testing.B) {
	src := string(answer())
	b.SetBytes(int64(len(src)))
	var dst []byte
	for b.Loop() {
		dst = rawjson.AppendString(dst[:0], src)
	}
}

func BenchmarkAppendCompact(b *testing.B) {
	src := answer()
	b.SetBytes(int64(len(src)))
	var dst []byte
	for b.Loop() {
		dst, _ = rawjson.AppendCompact(dst[:0], src)
	}
}

func BenchmarkCompactOfEncodingJSON(b *testing.B) {
	src := answer()
	b.SetBytes(int64(len(src)))
	var dst bytes.Buffer
	for b.Loop() {
		dst.Reset()
		if err := json.Compact(&dst, src); err != nil {
			b.Fatal(err)
		}
	}
}

// TestPlainEnd finds the end of strings of every length, at every offset, where
// nothing in them needs a second look.
func TestPlainEnd(t *testing.T) {
	for n := range 30 {
		for _, c := range []string{"", "a", "é", "\x7f", "\\", "\n", "\x00", "\x1f"} {
			for at := range n + 1 {
				inside := strings.Repeat("x", at) + c + strings.Repeat(" ", n-at)
				plain := c != "\\" && (c == "" || c[0] >= ' ')
				text := `["` + inside + `", "more"]`
				end, ok := rawjson.PlainEnd(text, 1)
				if ok != plain || ok && text[1:end] != `"`+inside+`"` {
					t.Fatalf("the string in %q ends at %d, %v", text, end, ok)
				}
				if _, ok := rawjson.PlainEnd(`"`+inside, 0); ok {
					t.Fatalf("%q ends", inside)
				}
			}
		}
	}
	for _, text := range []string{"", "x", "'x'"} {
		if _, ok := rawjson.PlainEnd(text, 0); ok {
			t.Errorf("%q has a string", text)
		}
	}
}
