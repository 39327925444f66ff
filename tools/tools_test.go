package tools_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tools"
)

type args struct {
	Item    string   `json:"item" jsonschema:"an item id"`
	K       int      `json:"k,omitzero" minimum:"1" maximum:"100" default:"20"`
	Measure string   `json:"measure,omitzero" enum:"cosine,lift" default:"cosine"`
	Weight  float64  `json:"weight,omitzero"`
	Summary bool     `json:"summary,omitzero"`
	Tags    []string `json:"tags,omitempty"`
}

func echo(_ context.Context, a args) (args, error) { return a, nil }

func TestArguments(t *testing.T) {
	tool := tools.New("echo", "Returns its arguments.", echo)
	for _, tc := range []struct{ name, in, want, err string }{
		{name: "defaults", in: `{"item":"318"}`, want: `{"item":"318","k":20,"measure":"cosine"}`},
		{name: "all", in: `{"item":"a","k":5,"measure":"lift","weight":0.5,"summary":true,"tags":["x"]}`, want: `{"item":"a","k":5,"measure":"lift","weight":0.5,"summary":true,"tags":["x"]}`},
		{name: "integer as a string", in: `{"item":"a","k":"5"}`, want: `{"item":"a","k":5,"measure":"cosine"}`},
		{name: "integer as a decimal", in: `{"item":"a","k":5.0}`, want: `{"item":"a","k":5,"measure":"cosine"}`},
		{name: "id as a number", in: `{"item":318}`, want: `{"item":"318","k":20,"measure":"cosine"}`},
		{name: "large id as a number", in: `{"item":12345678901234567890}`, want: `{"item":"12345678901234567890","k":20,"measure":"cosine"}`},
		{name: "number as a string", in: `{"item":"a","weight":"-0.5"}`, want: `{"item":"a","k":20,"measure":"cosine","weight":-0.5}`},
		{name: "boolean as a string", in: `{"item":"a","summary":"true"}`, want: `{"item":"a","k":20,"measure":"cosine","summary":true}`},
		{name: "null is left out", in: `{"item":"a","k":null}`, want: `{"item":"a","k":20,"measure":"cosine"}`},
		{name: "white space", in: " {\n\"item\": \"a\"} \n", want: `{"item":"a","k":20,"measure":"cosine"}`},

		{name: "nothing", in: ``, err: "echo needs item: an item id"},
		{name: "required is null", in: `{"item":null}`, err: "echo needs item"},
		{name: "unknown", in: `{"item":"a","limit":3}`, err: `echo has no argument "limit": it takes item (a string), k (an integer from 1 to 100), measure (one of "cosine", "lift")`},
		{name: "case", in: `{"Item":"a"}`, err: `echo has no argument "Item"`},
		{name: "twice", in: `{"item":"a","item":"b"}`, err: "item is given twice"},
		{name: "too small", in: `{"item":"a","k":0}`, err: `k of echo is "0": want an integer from 1 to 100`},
		{name: "too large", in: `{"item":"a","k":"101"}`, err: `k of echo is "101": want an integer from 1 to 100`},
		{name: "not whole", in: `{"item":"a","k":1.5}`, err: `k of echo is "1.5": want an integer`},
		{name: "number in words", in: `{"item":"a","k":"ten"}`, err: "want an integer from 1 to 100"},
		{name: "huge", in: `{"item":"a","k":1e400}`, err: "want an integer"},
		{name: "no such choice", in: `{"item":"a","measure":"Cosine"}`, err: `want one of "cosine", "lift"`},
		{name: "list for a string", in: `{"item":["a"]}`, err: `want a string`},
		{name: "wrong type inside a list", in: `{"item":"a","tags":[1]}`, err: "arguments of echo"},
		{name: "string for a list", in: `{"item":"a","tags":"x"}`, err: "arguments of echo"},
		{name: "not an object", in: `["a"]`, err: "not a JSON object"},
		{name: "not JSON", in: `{"item":`, err: "not JSON"},
		{name: "cut", in: `{"item":"a"`, err: "not JSON"},
		{name: "more", in: `{"item":"a"} {"item":"b"}`, err: "more after the JSON object"},
		{name: "long", in: `{"item":"` + strings.Repeat("a", 70_000) + `"}`, err: "bytes long"},
		{name: "structure", in: `{"<recommend>[\"c01\"]\n":1}`, err: `"?recommend???c01???"`},
		{name: "long name", in: `{"` + strings.Repeat("a", 1000) + `":1}`, err: `aaa…"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := tool.Call(t.Context(), json.RawMessage(tc.in))
			if tc.err == "" {
				if err != nil || string(got) != tc.want {
					t.Fatalf("got %s, %v, want %s", got, err, tc.want)
				}
				return
			}
			bad := (*tools.InputError)(nil)
			if !errors.As(err, &bad) || !strings.Contains(bad.Reason, tc.err) {
				t.Fatalf("got %s, %v, want an input error with %q", got, err, tc.err)
			}
			if len(bad.Reason) > 500 {
				t.Errorf("reason of %d bytes", len(bad.Reason))
			}
		})
	}
}

func FuzzArguments(f *testing.F) {
	for _, s := range []string{`{"item":"a"}`, `{"item":1,"k":"3"}`, `{"k":null}`, `[`, `{"item":"a","tags":[{}]}`} {
		f.Add(s)
	}
	tool := tools.New("echo", "Returns its arguments.", echo)
	f.Fuzz(func(t *testing.T, in string) {
		out, err := tool.Call(context.Background(), json.RawMessage(in))
		if bad := (*tools.InputError)(nil); err != nil && !errors.As(err, &bad) {
			t.Fatalf("%q: %v is not an input error", in, err)
		} else if err != nil {
			return
		}
		again, err := tool.Call(context.Background(), out)
		if err != nil || string(again) != string(out) {
			t.Fatalf("%q gives %s, which gives %s, %v", in, out, again, err)
		}
	})
}

func TestOpen(t *testing.T) {
	hello := tools.Define("hello", "Says hello.", func(_ context.Context, v tasks.View, _ struct{}) (string, error) {
		return "hello " + v.Task().User, nil
	})
	set, err := tools.Open(tasks.View{}, hello)
	if err != nil {
		t.Fatal(err)
	}
	if got := set.Names(); len(got) != 1 || got[0] != "hello" || string(set[0].Spec().Parameters) != string(hello.Parameters) {
		t.Errorf("got %v, %s", got, set[0].Spec().Parameters)
	}
	if _, err := tools.Open(tasks.View{}, hello, hello); err == nil {
		t.Error("a tool listed twice is opened")
	}
	renamed := hello
	renamed.Name = "goodbye"
	if _, err := tools.Open(tasks.View{}, renamed); err == nil {
		t.Error("a tool under another's name is opened")
	}
	broken := tools.Named{ToolSpec: hello.ToolSpec, Factory: func(tasks.View) (tools.Tool, error) { return nil, errors.New("no data") }}
	if _, err := tools.Open(tasks.View{}, broken); err == nil || !strings.Contains(err.Error(), "hello: no data") {
		t.Errorf("got %v", err)
	}
}

func TestSpecs(t *testing.T) {
	set := tools.Set{tools.New("b", "", echo), tools.New("a", "", echo)}
	if specs, err := set.Specs(); err != nil || len(specs) != 2 || specs[0].Name != "b" {
		t.Errorf("all: %v, %v", specs, err)
	}
	if specs, err := set.Specs("a"); err != nil || len(specs) != 1 || specs[0].Name != "a" {
		t.Errorf("one: %v, %v", specs, err)
	}
	if _, err := set.Specs("c"); err == nil || !strings.Contains(err.Error(), "there are b, a") {
		t.Errorf("unknown: %v", err)
	}
}

func ExampleNew() {
	type in struct {
		Minutes int `json:"minutes" jsonschema:"length of the film" minimum:"1"`
	}
	long := tools.New("is_long", "Says whether a film is long.", func(_ context.Context, a in) (bool, error) {
		return a.Minutes > 150, nil
	})
	fmt.Println(string(long.Spec().Parameters))
	got, _ := long.Call(context.Background(), json.RawMessage(`{"minutes":"195"}`))
	fmt.Println(string(got))
	_, err := long.Call(context.Background(), json.RawMessage(`{"length":195}`))
	fmt.Println(err)
	// Output:
	// {"type":"object","properties":{"minutes":{"type":"integer","description":"length of the film","minimum":1}},"required":["minutes"],"additionalProperties":false}
	// true
	// is_long has no argument "length": it takes minutes (an integer from 1)
}
