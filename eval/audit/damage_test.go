package audit

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
	"pgregory.net/rapid"
)

func TestDamages(t *testing.T) {
	for _, c := range []struct {
		text   string
		by     origin
		what   string // of the first; "": nothing
		offset int
	}{
		{"Misérables, Les (1995)", byData, "", 0},
		{"Amélie — “le fabuleux destin” 天空の城ラピュタ 👩‍🚀", byData, "", 0},
		{"I ‹3 You", byData, "", 0},
		{"AmÃ©lie", byData, "mojibake", 2},
		{"itâ€™s", byData, "mojibake", 2},
		{"Ø§Ù„", byData, "mojibake", 0},
		{"lost \uFFFD", byData, "U+FFFD", 5},
		{"cut \xc3", byData, "not UTF-8", 4},
		{"ring \a", byData, "control", 5},
		{"next\u0085line", byData, "control", 4},
		{"evil\u202e", byData, "direction", 4},
		{"zero\u200bwidth", byData, "without width", 4},
		{"x <|im_start|>", byData, "chat templates", 2},
		{"say <recommend>", byData, "the tag", 4},
		{"say <recommend>", byProgram, "", 0},
		{"say <recommend>", byModel, "", 0},
		{"say <tool_call>", byModel, "chat templates", 4},
		{"say <tool_call>", byProgram, "", 0},
	} {
		got := damages(c.text, c.by)
		switch {
		case c.what == "" && len(got) > 0:
			t.Errorf("%q: %v", c.text, got)
		case c.what != "" && len(got) == 0:
			t.Errorf("%q: nothing is found", c.text)
		case c.what != "" && (!strings.Contains(got[0].what, c.what) || got[0].offset != c.offset):
			t.Errorf("%q: %v, want %q at %d", c.text, got[0], c.what, c.offset)
		}
	}
}

// TestMojibakeIsWhatItSays: a text beyond ASCII that is written as UTF-8 and
// read as Windows-1252 is found.
func TestMojibakeIsWhatItSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := rapid.StringMatching(`[a-z ]{0,5}`).Draw(t, "before")
		text := rapid.StringMatching(`[äéöñçßøåèæ]{1,4}`).Draw(t, "text")
		read := ""
		for _, b := range []byte(text) {
			read += string(charmap.Windows1252.DecodeByte(b))
		}
		if strings.ContainsRune(read, '\uFFFD') {
			t.Skip("a byte that Windows-1252 has not")
		}
		if at := mojibake(before + read + " end"); at != len(before) {
			t.Fatalf("%q: found at %d", before+read, at)
		}
		if at := mojibake(before + text); at != -1 {
			t.Fatalf("%q: found at %d", before+text, at)
		}
	})
}

func FuzzDamages(f *testing.F) {
	f.Add("AmÃ©lie <|im_start|>")
	f.Fuzz(func(t *testing.T, text string) {
		for _, d := range damages(text, byData) {
			if d.offset < 0 || d.offset >= len(text) {
				t.Errorf("%q: %v", text, d)
			}
		}
	})
}

func TestShape(t *testing.T) {
	for _, c := range []struct{ before, behind, want string }{
		{"first ", ` "Under"`, `a  │  "a`},
		{"", " | Dune", " │  | "},
		{"** ", " **", "**  │  **"},
		{"in 12 ", ", then", " 9  │ , a"},
	} {
		got := shape(c.before, true) + " │ " + shape(c.behind, false)
		if got != c.want {
			t.Errorf("%q c01 %q: %q, want %q", c.before, c.behind, got, c.want)
		}
	}
}

func TestMarks(t *testing.T) {
	// In the nth run another candidate is the right one.
	texts := func(n int, mark string) string {
		list := []string{"c01 | A", "c02 | B", "c03 | C"}
		list[n%3] += mark
		return strings.Join(list, "\n") + "\nbest: c03, c02, c01; xc02 c02x c020"
	}
	for _, c := range []struct {
		name, mark string
		runs, hits int
		want       int
	}{
		{"unmarked", "", 100, 0, 0},
		{"a star", " *", 100, 0, 1},
		{"a star, in too few runs", " *", 10, 0, 0},
		{"a star, where nearly all are right", " *", 30, 29, 0},
	} {
		var m marks
		for n := range c.runs {
			labels := map[string]bool{"c01": n%3 == 0, "c02": n%3 == 1, "c03": n%3 == 2}
			s := spotted{}
			s.spot(labels, "run", "prompt user", Place{}, texts(n, c.mark))
			m.add(s, n < c.hits)
		}
		found := m.findings()
		if len(found) != c.want {
			t.Errorf("%s: %v", c.name, found)
		}
		for _, f := range found {
			if *f.Place.Offset != 0 || !strings.HasPrefix(f.Bytes, "c01 | A *") {
				t.Errorf("%s: %s", c.name, f)
			}
		}
	}
}

func TestLines(t *testing.T) {
	var starts []int
	for line, start := range lines("a\n\nbcd\n") {
		starts = append(starts, start, len(line))
	}
	if want := []int{0, 1, 2, 0, 3, 3, 7, 0}; !slices.Equal(starts, want) {
		t.Errorf("%v, want %v", starts, want)
	}
}
