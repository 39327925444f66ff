package main

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/mars-rec/mars/graph/ego"
	"github.com/mars-rec/mars/tools/translate"
)

// pathsText tells an ego graph in sentences.
type pathsText struct {
	io.Writer
	*ego.Ego
	words translate.Words
}

// writePaths tells a person why, or what is around.
func writePaths(w io.Writer, words translate.Words, e *ego.Ego) {
	t := pathsText{w, e, words}
	user, item := "user "+e.User, t.name(ego.ItemKey(e.Item))
	moment := e.AsOf.Format(time.RFC3339)
	switch {
	case e.User == "":
		n, _ := e.Node(ego.ItemKey(e.Item))
		t.say("Around %s, which %s %s, before %s.", item, translate.Plural(n.Degree, "user"), words.Did(), moment)
	case e.Item == "":
		n, _ := e.Node(ego.UserKey(e.User))
		t.say("Around %s, who %s %s, before %s.", user, words.Did(), translate.Plural(n.Degree, "item"), moment)
	default:
		t.say("Why %s for %s, by what happened before %s.", item, user, moment)
		if d, ok := e.Edge(ego.UserKey(e.User), ego.ItemKey(e.Item)); ok {
			t.say("%s.", t.had(d))
		}
	}
	for _, g := range e.Groups {
		t.say("")
		t.say("%s", t.heading(g))
		for k, key := range g.Nodes {
			t.say("%3d. %s.", k+1, t.evidence(key))
		}
	}
}

// say writes a line. What a terminal would obey in foreign text is shown instead.
func (t pathsText) say(format string, args ...any) {
	fmt.Fprintln(t, printable(fmt.Sprintf(format, args...)))
}

// heading tells what a group is, and how much there is.
func (t pathsText) heading(g ego.Group) string {
	shown := fmt.Sprintf("%s of %s", translate.Count(len(g.Nodes)), translate.Count(g.Of))
	between := t.User != "" && t.Item != ""
	switch {
	case g.Of == 0 && g.By == ego.ItemCF:
		return "By Item-CF: no item shares enough users with it."
	case g.Asked > 0 && g.Of == 0:
		return fmt.Sprintf("By User-CF: of the %s none %s it.", translate.Plural(g.Asked, "nearest user"), t.words.Did())
	case g.Of == 0:
		return "By User-CF: no user shares enough items with this one."
	case g.By == ego.ItemCF && between:
		return fmt.Sprintf("By Item-CF: what the user %s that goes together with it, %s:", t.words.Did(), shown)
	case g.By == ego.ItemCF:
		return fmt.Sprintf("The nearest items, by Item-CF, %s:", shown)
	case between:
		return fmt.Sprintf("By User-CF: %s of the %s %s it, cosines together %s; shown: %s.", translate.Count(g.Of),
			translate.Plural(g.Asked, "nearest user"), t.words.Did(), cosine(g.Score), translate.Count(len(g.Nodes)))
	case g.By == ego.UserCF:
		return fmt.Sprintf("The nearest users, by User-CF, %s:", shown)
	case g.By == ego.History:
		return fmt.Sprintf("What the user %s last, %s:", t.words.Did(), shown)
	}
	return fmt.Sprintf("Who %s it last, %s:", t.words.Did(), shown)
}

// evidence tells what leads through a node, in the order of the path.
func (t pathsText) evidence(key string) string {
	var s string
	for _, d := range t.Edges {
		if d.From != key && d.To != key {
			continue
		}
		switch {
		case s == "":
			s = t.step(d)
		case d.Relation == ego.Had: // the user was named in the step before
			s += " and " + t.did(d)
		default:
			s += " — " + t.step(d)
		}
	}
	return s
}

// step tells an edge.
func (t pathsText) step(d ego.Edge) string {
	switch d.Relation {
	case ego.Together:
		return t.together(d)
	case ego.Alike:
		return fmt.Sprintf("%s has %s in common with %s (cosine %s)", t.name(d.To), translate.Plural(d.Shared, "item"), t.name(d.From), cosine(d.Cosine))
	}
	return t.had(d)
}

// together tells how many users of one item have the other. Of a path it is the
// second step: the item it starts from is named already.
func (t pathsText) together(d ego.Edge) string {
	of, _ := t.Node(d.From)
	its := fmt.Sprintf("of its %s", translate.Plural(of.Degree, "user"))
	if of.ID == t.Item {
		its = fmt.Sprintf("of the %s", translate.Plural(of.Degree, "user"))
	}
	s := fmt.Sprintf("%s %s also %s %s: %s, %s times what chance would give, cosine %s", translate.Count(d.Shared), its, t.words.Did(), t.name(d.To),
		translate.Percent(d.Shared, of.Degree), translate.Times(d.Lift), cosine(d.Cosine))
	if d.Shared < translate.Thin {
		s += "; that is thin"
	}
	return s
}

// had tells an interaction: user 42 rated "Dune" (4.5, 2019-03-01).
func (t pathsText) had(d ego.Edge) string { return t.name(d.From) + " " + t.did(d) }

func (t pathsText) did(d ego.Edge) string {
	when := d.Time.Format(time.DateOnly)
	if d.Rating != 0 {
		when = strconv.FormatFloat(float64(d.Rating), 'g', -1, 32) + ", " + when
	}
	return fmt.Sprintf("%s %s (%s)", t.words.Did(), t.name(d.To), when)
}

// name is what a node is called.
func (t pathsText) name(key string) string {
	n, _ := t.Node(key)
	if n.Kind == ego.User {
		return "user " + n.ID
	}
	return translate.Quote(n.Title)
}

// cosine writes a cosine, or a sum of them, with three decimals.
func cosine(x float64) string { return strconv.FormatFloat(x, 'f', 3, 64) }
