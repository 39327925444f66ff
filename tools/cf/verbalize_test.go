package cf_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/modeltest"
	"github.com/mars-rec/mars/tools/cf"
)

const told = `Users who read "Dune" also read c03 "Foundation 2": 1,412 of 4,204 (34%), 5.1 times what chance would give; thin: only 3 users in common; 2 of the 3 rated it 4 or more.`

func TestFaithful(t *testing.T) {
	for _, tc := range []struct{ name, written string }{
		{"as it was", told},
		{"better", `Among users who read "Dune", c03 "Foundation 2" was read by 1,412 of 4,204 (34%), which is 5.1 times what chance would give, though thin: only 3 users in common. Of these, 2 of the 3 rated it 4 or more.`},
	} {
		if err := cf.Faithful(told, tc.written); err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	swap := func(old, new string) string { return strings.Replace(told, old, new, 1) }
	for name, written := range map[string]string{
		"nothing":                   "",
		"another number":            swap("1,412", "1,413"),
		"a number written anew":     swap("1,412", "1412"),
		"a number rounded":          swap("5.1", "5"),
		"a number gone":             swap(" (34%)", ""),
		"a share for a count":       swap("(34%)", "(34)"),
		"a number added":            told + " That makes 12.",
		"numbers swapped":           swap("1,412 of 4,204", "4,204 of 1,412"),
		"a number in words":         swap("2 of the 3 rated", "2 of the 3, two thirds, rated"),
		"a title changed":           swap(`"Dune"`, `"Dune Messiah"`),
		"a title in another case":   swap(`"Dune"`, `"dune"`),
		"titles swapped":            `Users who read c03 "Foundation 2" also read "Dune": 1,412 of 4,204 (34%), 5.1 times what chance would give; thin: only 3 users in common; 2 of the 3 rated it 4 or more.`,
		"a title added":             told + ` So did those of "Emma".`,
		"a title without its marks": told + " And Emma.",
		"a title opens a sentence":  told + " Emma too.",
		"a label changed":           swap("c03", "c04"),
		"a label gone":              swap("c03 ", ""),
		"a liking":                  swap("also read", "also loved to read"),
		"a denial":                  swap("also read", "did not read"),
		"a contracted denial":       swap("also read", "didn't read"),
		"thin left out":             swap("; thin: only 3 users in common", "; 3 users in common"),
		"a quantity":                swap("Users who", "Most users who"),
		"a judgement":               told + " A strong sign.",
		"two lines":                 swap("; thin", ";\nthin"),
		"structure":                 told + " </tool_response>",
		"much longer":               told + strings.Repeat(" and so it goes", 30),
		"another verb":              strings.ReplaceAll(told, "read", "bought"),
	} {
		if err := cf.Faithful(told, written); err == nil {
			t.Errorf("%s: %q is accepted", name, written)
		}
	}
	kinds := `Of the 20 items nearest to it 9 share science fiction, 6 Crime; 1 is by Frank Herbert too.`
	for name, written := range map[string]string{
		"categories swapped": `Of the 20 items nearest to it 9 share Crime, 6 science fiction; 1 is by Frank Herbert too.`,
		"another category":   `Of the 20 items nearest to it 9 share travel, 6 Crime; 1 is by Frank Herbert too.`,
		"another creator":    `Of the 20 items nearest to it 9 share science fiction, 6 Crime; 1 is by Brian Herbert too.`,
		"a category added":   `Of the 20 items nearest to it 9 share science fiction, 6 Crime and Drama; 1 is by Frank Herbert too.`,
	} {
		if err := cf.Faithful(kinds, written); err == nil {
			t.Errorf("%s: %q is accepted", name, written)
		}
	}
	if err := cf.Faithful(kinds, `Of the 20 items nearest to it, 9 are science fiction as well and 6 are Crime, while 1 is by Frank Herbert too.`); err != nil {
		t.Error(err)
	}
}

// shelfMemory remembers in a map.
type shelfMemory map[string]string

func (m shelfMemory) Get(_ context.Context, key string) (string, bool, error) {
	s, ok := m[key]
	return s, ok, nil
}
func (m shelfMemory) Put(_ context.Context, key, text string) error { m[key] = text; return nil }

func TestVerbalizer(t *testing.T) {
	value := json.RawMessage(`{"evidence":["The user chose 2 items.","Users who read \"Dune\" also read \"Emma\": 2 of 3 (67%).","By c01 \u003cnothing\u003e."],"items":[{"item":"i"}]}`)
	value = json.RawMessage(strings.NewReplacer(`\u003c`, "", `\u003e`, "").Replace(string(value)))
	good, cheat := `The user chose 2 items so far.`, `Users who read "Dune" also read "Emma": 3 of 3 (100%).`
	script := modeltest.NewScript(modeltest.Say(" "+good+"\n"), modeltest.Say(cheat), model.Reply{Message: model.Message{Content: "By c01 nothing."}, Finish: "length"})
	memory := shelfMemory{}
	v := cf.NewVerbalizer(script, "script", memory)
	want := strings.Replace(string(value), "The user chose 2 items.", good, 1)
	for range 2 { // the second time from memory
		got, err := v.Result(t.Context(), value)
		if err != nil || string(got) != want {
			t.Errorf("got %s, %v\nwant %s", got, err, want)
		}
	}
	if got := v.Tally(); got != (cf.Tally{Rewritten: 2, Kept: 4, Cached: 3}) {
		t.Errorf("tally %+v", got)
	}
	if n := len(script.Requests()); n != 3 {
		t.Errorf("the model is asked %d times", n)
	}
	if got := script.Requests()[1].Messages[1].Content; got != `Users who read "Dune" also read "Emma": 2 of 3 (67%).` {
		t.Errorf("asked for %q", got)
	}
	if _, err := v.Sentence(t.Context(), "Another."); err == nil {
		t.Error("a model that does not answer is no error")
	}
	plain := json.RawMessage(`{"items":[]}`)
	if got, err := v.Result(t.Context(), plain); err != nil || string(got) != string(plain) {
		t.Errorf("got %s, %v", got, err)
	}
	broken := cf.NewVerbalizer(script, "other", brokenMemory{})
	if _, err := broken.Sentence(t.Context(), told); err == nil || !strings.Contains(err.Error(), "no disk") {
		t.Errorf("got %v", err)
	}
}

type brokenMemory struct{}

func (brokenMemory) Get(context.Context, string) (string, bool, error) {
	return "", false, errors.New("no disk")
}
func (brokenMemory) Put(context.Context, string, string) error { return errors.New("no disk") }
