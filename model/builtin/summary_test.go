package builtin_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model/builtin"
)

func summarise(t *testing.T, text string) string {
	return answer[phase.Summary](t, builtin.New(builtin.Config{}), asked("summary", phase.SummarySchema(), text)).Summary
}

func TestSummaryFolds(t *testing.T) {
	const first = `Events 1 to 3, oldest first:
- 2018-03-04 Dune (1965) | by Frank Herbert | Science Fiction, Classic | 4.5
- 2018-03-05 Emma | Romance | 3
- 2018-03-06 Ubik (1969) | by Philip K. Dick | Science Fiction
`
	one := summarise(t, first)
	want := "3 events from 2018-03-04 to 2018-03-06, mean rating 3.75 of 2 rated." +
		" Most seen: Science Fiction 2, Classic 1, Romance 1. By: Frank Herbert 1, Philip K. Dick 1. Lately: Science Fiction, Classic, Romance."
	if one != want {
		t.Errorf("summary\n%s\nwant\n%s", one, want)
	}
	two := summarise(t, "Summary so far: "+phase.Clean(one)+"\n\nEvents 4 to 5, oldest first:\n- 2018-04-01 Persuasion | Romance | 5\n- 2018-04-02 Ulysses\n")
	want = "5 events from 2018-03-04 to 2018-04-02, mean rating 4.167 of 3 rated." +
		" Most seen: Romance 2, Science Fiction 2, Classic 1. By: Frank Herbert 1, Philip K. Dick 1. Lately: Romance."
	if two != want {
		t.Errorf("folded\n%s\nwant\n%s", two, want)
	}
}

func TestSummaryKeepsForeignWords(t *testing.T) {
	one := summarise(t, "Summary so far: Loves Dune, hates Emma.\n- 2018-04-01 Persuasion | Romance | 5\n")
	if one != "Loves Dune, hates Emma. Then: 1 event from 2018-04-01 to 2018-04-01, mean rating 5 of 1 rated. Most seen: Romance 1. Lately: Romance." {
		t.Errorf("summary %s", one)
	}
	two := summarise(t, "Summary so far: "+one+"\n- 2018-04-02 Emma | Romance\n")
	if !strings.HasPrefix(two, "Loves Dune, hates Emma. Then: 2 events from 2018-04-01 to 2018-04-02, mean rating 5 of 1 rated. Most seen: Romance 2.") {
		t.Errorf("summary %s", two)
	}
	if empty := summarise(t, "nothing here"); empty != "0 events." {
		t.Errorf("summary %s", empty)
	}
}

// TestSummaryFoldsAsOne: folding chunk by chunk counts what one step counts, as
// long as there is room for all names, and never grows beyond a bound.
func TestSummaryFoldsAsOne(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var chunks []string
		all := ""
		for c := range rapid.IntRange(1, 4).Draw(rt, "chunks") {
			var b strings.Builder
			for e := range rapid.IntRange(1, 30).Draw(rt, "events") {
				fmt.Fprintf(&b, "- 2018-%02d-%02d Title %d | by M%d | G%d, G%d\n", c+1, 1+e%28, e,
					rapid.IntRange(0, 7).Draw(rt, "maker"), rapid.IntRange(0, 6).Draw(rt, "genre"), rapid.IntRange(7, 13).Draw(rt, "genre"))
			}
			chunks, all = append(chunks, b.String()), all+b.String()
		}
		folded := ""
		for _, chunk := range chunks {
			if folded != "" {
				chunk = "Summary so far: " + phase.Clean(folded) + "\n" + chunk
			}
			folded = summarise(t, chunk)
		}
		counts := func(s string) string { s, _, _ = strings.Cut(s, " Lately: "); return s }
		if whole := summarise(t, all); counts(folded) != counts(whole) {
			rt.Fatalf("folded %s\nwhole %s", folded, whole)
		}
		if utf8.RuneCountInString(folded) > 2000 {
			rt.Fatalf("summary of %d runes", utf8.RuneCountInString(folded))
		}
	})
}
