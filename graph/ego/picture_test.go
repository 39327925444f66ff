package ego_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/graph/ego"
	"github.com/mars-rec/mars/tasks/taskstest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestGolden(t *testing.T) {
	source, task := taskstest.Library()
	cut := source.Graph().At(later(task))
	cfg := ego.Config{K: 3, Verb: "read", Title: titles(t, source)}
	for name, make := range map[string]func() (*ego.Ego, error){
		"why":  func() (*ego.Ego, error) { return ego.Why(cut, task.User, "b10", cfg) },
		"had":  func() (*ego.Ego, error) { return ego.Why(cut, task.User, "b22", cfg) },
		"none": func() (*ego.Ego, error) { return ego.Why(cut, task.User, "b08", cfg) },
		"item": func() (*ego.Ego, error) { return ego.AroundItem(cut, "b10", cfg) },
		"user": func() (*ego.Ego, error) { return ego.AroundUser(cut, task.User, cfg) },
	} {
		e, err := make()
		if err != nil {
			t.Fatal(err)
		}
		for ext, write := range map[string]func(io.Writer) error{".svg": e.SVG, ".dot": e.DOT} {
			var got bytes.Buffer
			if err := write(&got); err != nil {
				t.Fatal(err)
			}
			golden(t, name+ext, got.Bytes())
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s", path, got)
	}
}

// hostile draws texts of what gives structure to SVG, DOT and terminals.
var hostile = rapid.StringOfN(rapid.OneOf(
	rapid.SampledFrom([]rune("<>&\"'`\\\n\r\t{}[];:=-/*|%$#\x00\x1b\u2028\u202e\u200b\ufffe￼－é漢😀ﷺ abc")), rapid.Rune()), 0, 60, -1)

// foreign makes ego graphs whose ids and titles are hostile.
func foreign(t *rapid.T) *ego.Ego {
	users := []string{"u" + hostile.Draw(t, "user"), "v", "w"}
	items := []string{"i" + hostile.Draw(t, "item"), "j" + hostile.Draw(t, "item"), "k"}
	var log []graph.Interaction
	for _, u := range users {
		for _, i := range items {
			log = append(log, graph.Interaction{User: u, Item: i, Time: int64(len(log))})
		}
	}
	g := build(t, log)
	e, err := ego.Why(g.At(g.End()), users[0], items[0], ego.Config{Verb: hostile.Draw(t, "verb"),
		Title: func(string) (string, error) { return hostile.Draw(t, "title"), nil }})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestHostileSVG: a picture is well formed and holds what pictures hold, no
// matter what its texts say.
func TestHostileSVG(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var out bytes.Buffer
		if err := foreign(t).SVG(&out); err != nil {
			t.Fatal(err)
		}
		checkSVG(t, out.Bytes())
	})
}

func checkSVG(t interface{ Fatalf(string, ...any) }, svg []byte) {
	const elements, attributes = " svg title desc style rect circle text path g ", " xmlns class role aria-labelledby width height viewBox style id x y cx cy r rx d stroke-width stroke-dasharray text-anchor "
	dec := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if !strings.Contains(elements, " "+token.Name.Local+" ") {
				t.Fatalf("<%s> in\n%s", token.Name.Local, svg)
			}
			for _, a := range token.Attr {
				if !strings.Contains(attributes, " "+a.Name.Local+" ") {
					t.Fatalf("%s of <%s> in\n%s", a.Name.Local, token.Name.Local, svg)
				}
			}
		case xml.Comment, xml.Directive, xml.ProcInst:
			t.Fatalf("%v in\n%s", token, svg)
		}
	}
}

// statement is a line that DOT may have: names that are ours, and attributes
// whose quotes are closed.
var statement = regexp.MustCompile(`^(strict digraph \{|\}|\s*(rankdir|labelloc|label)="([^"\\]|\\.)*";|\s*"n\d{3}"( -> "n\d{3}")? *\[ ((label|tooltip|shape|penwidth)="([^"\\]|\\.)*", )+ *weight=\d+ \];)$`)

func TestHostileDOT(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var out bytes.Buffer
		if err := foreign(t).DOT(&out); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if !statement.MatchString(strings.TrimSuffix(line, "\n")) {
				t.Fatalf("line %q", line)
			}
		}
	})
}

// TestHostileLibrary: titles that forge structure, as a catalog would have them.
func TestHostileLibrary(t *testing.T) {
	source, task := taskstest.Hostile()
	cut := source.Graph().At(later(task))
	for _, item := range task.Candidates {
		e, err := ego.Why(cut, task.User, item, ego.Config{Title: titles(t, source)})
		if err != nil {
			t.Fatal(err)
		}
		var svg bytes.Buffer
		if err := e.SVG(&svg); err != nil {
			t.Fatal(err)
		}
		checkSVG(t, svg.Bytes())
	}
}
