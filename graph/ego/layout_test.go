package ego

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mars-rec/mars/graph"
)

// TestLayout: nothing lies on anything else, and all of it is in the picture.
func TestLayout(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var log []graph.Interaction
		for range rapid.IntRange(1, 120).Draw(t, "n") {
			log = append(log, graph.Interaction{User: fmt.Sprint(rapid.IntRange(0, 14).Draw(t, "user")), Item: fmt.Sprint(rapid.IntRange(0, 14).Draw(t, "item")),
				Time: int64(len(log))})
		}
		g, err := graph.Build(func(yield func(graph.Interaction, error) bool) {
			for _, in := range log {
				if !yield(in, nil) {
					return
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		title := rapid.StringN(0, 200, -1).Draw(t, "title")
		cfg := Config{K: rapid.IntRange(1, 12).Draw(t, "k"), Title: func(string) (string, error) { return title, nil }}
		cut, user, item := g.At(g.End()), log[0].User, log[len(log)-1].Item
		for _, make := range []func() (*Ego, error){
			func() (*Ego, error) { return Why(cut, user, item, cfg) },
			func() (*Ego, error) { return AroundUser(cut, user, cfg) },
			func() (*Ego, error) { return AroundItem(cut, item, cfg) },
		} {
			e, err := make()
			if err != nil {
				t.Fatal(err)
			}
			checkScene(t, e, e.layout())
		}
	})
}

func checkScene(t *rapid.T, e *Ego, s scene) {
	if len(s.boxes) != len(e.Nodes) || len(s.lines) != len(e.Edges) || len(s.captions) != len(e.Groups) {
		t.Fatalf("%d boxes of %d nodes, %d lines of %d edges, %d captions of %d groups", len(s.boxes), len(e.Nodes),
			len(s.lines), len(e.Edges), len(s.captions), len(e.Groups))
	}
	for k, a := range s.boxes {
		if a.x < margin || a.y < header || a.x+a.w > s.width-margin || a.y+a.h > s.height-footer {
			t.Fatalf("%s leaves the picture: %+v in %g by %g", a.Key, a, s.width, s.height)
		}
		for _, b := range s.boxes[:k] {
			if a.x < b.x+b.w && b.x < a.x+a.w && a.y < b.y+b.h && b.y < a.y+a.h {
				t.Fatalf("%s lies on %s", a.Key, b.Key)
			}
		}
		for _, l := range a.title {
			if w := measure(l, titleSize); w > a.w-24 {
				t.Fatalf("%q is %g wide in %g", l, w, a.w)
			}
		}
		if a.radius < minRadius || a.radius > maxRadius {
			t.Fatalf("%s has radius %g", a.Key, a.radius)
		}
	}
	for _, l := range s.lines {
		if at, ok := hubOf(s, l); ok && (l.hubY < at.y || l.hubY > at.y+at.h) {
			t.Fatalf("the line from %s to %s leaves its hub at %g", l.From, l.To, l.hubY)
		}
	}
}

// hubOf returns the hub that a line comes from, if the other end is a card.
func hubOf(s scene, l line) (hub box, ok bool) {
	n := 0
	for _, b := range s.boxes {
		if b.hub && (b.Key == l.From || b.Key == l.To) {
			hub = b
			n++
		}
	}
	return hub, n == 1
}

func TestText(t *testing.T) {
	for _, tc := range []struct{ got, want string }{
		{legible("a\u202eb\nc\x00  d\xff"), "a b c d\uFFFD"}, {legible(" "), ""},
		{count(1234567), "1,234,567"}, {count(12), "12"}, {plural(1, "user"), "1 user"}, {plural(2000, "user"), "2,000 users"},
		{number(0.41249), "0.412"}, {number(5.126), "5.13"}, {number(27.44), "27.4"}, {number(1234.5), "1,235"}, {number(0), "0.000"},
		{fit("Dune", 200, 14), "Dune"}, {fit("A very long title", 60, 14), "A ver…"},
		{fmt.Sprintf("%q", wrap("漢漢漢漢漢漢漢漢漢漢", 60, 14, 2)), `["漢漢漢漢" "漢漢漢…"]`},
		{legible("e" + strings.Repeat("\u0301", 9) + "a\u0301"), "e" + strings.Repeat("\u0301", 3) + "a\u0301"},
		{fmt.Sprint(wrap("The Left Hand of Darkness", 100, 14, 3)), "[The Left Hand of Darkness]"},
		{fmt.Sprint(wrap("aaaaaaaaaaaaaaaaaaaaaaaaaa b", 60, 14, 1)), "[aaaaa…]"},
	} {
		if tc.got != tc.want {
			t.Errorf("got %q, want %q", tc.got, tc.want)
		}
	}
	if got := wrap("The Left Hand of Darkness and more", 90, 14, 2); len(got) != 2 || got[1][len(got[1])-len("…"):] != "…" {
		t.Errorf("got %q", got)
	}
}
