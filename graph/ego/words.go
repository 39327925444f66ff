package ego

import (
	"strconv"
	"strings"
	"time"
	"unicode"
)

// name is what a node is called in a picture: an item's title, or its id.
func name(n Node) string {
	if n.Kind == User {
		return "user " + legible(n.ID)
	}
	if t := legible(n.Title); t != "" {
		return t
	}
	return "item " + legible(n.ID)
}

// degree tells a node's degree.
func degree(n Node) string {
	if n.Kind == User {
		return plural(n.Degree, "item")
	}
	return plural(n.Degree, "user")
}

// upper and lower are what is written above and below an edge.
func (e *Ego) upper(d Edge) string {
	if d.Relation == Had {
		stars := " " + strconv.FormatFloat(float64(d.Rating), 'g', -1, 32)
		switch {
		case d.Rating == 0:
			return e.verb()
		case e.Verb == "rated":
			return "rated" + stars
		}
		return e.verb() + ", rated" + stars
	}
	return count(d.Shared) + " in common"
}

func (e *Ego) lower(d Edge) string {
	switch d.Relation {
	case Had:
		return d.Time.Format(time.DateOnly)
	case Together:
		return "cosine " + number(d.Cosine) + " · lift " + number(d.Lift)
	}
	return "cosine " + number(d.Cosine)
}

// verb is what users did, made fit for a line.
func (e *Ego) verb() string { return fit(legible(e.Verb), reach/2, smallSize) }

// caption tells what a group is and how much of it is shown.
func (e *Ego) caption(g Group) string {
	of := count(len(g.Nodes)) + " of " + count(g.Of)
	between := e.User != "" && e.Item != ""
	switch {
	case between && g.By == ItemCF && g.Of == 0:
		return "Item-CF: none of the user's items goes with it"
	case between && g.By == ItemCF:
		return "Item-CF: the user's items that go with it, " + of
	case g.By == UserCF && (g.Of == 0 && !between || g.Asked == 0 && between):
		return "User-CF: no user shares enough items with this one"
	case between && g.By == UserCF && g.Of == 0:
		return "User-CF: of the " + plural(g.Asked, "nearest user") + ", none " + e.verb() + " it"
	case between && g.By == UserCF:
		return "User-CF: nearest users who " + e.verb() + " it, " + of + " (" + count(g.Asked) + " asked)"
	case g.By == ItemCF && g.Of == 0:
		return "Item-CF: no item shares enough users with it"
	case g.By == ItemCF:
		return "Nearest items, " + of
	case g.By == UserCF:
		return "Nearest users, " + of
	case g.By == History:
		return "Latest items, " + of
	}
	return "Latest users, " + of
}

// heading is what the whole is about.
func (e *Ego) heading() string {
	item, _ := e.Node(ItemKey(e.Item))
	user, _ := e.Node(UserKey(e.User))
	switch {
	case e.User == "":
		return "Around “" + name(item) + "”"
	case e.Item == "":
		return "Around " + name(user)
	}
	return "Why “" + name(item) + "” for " + name(user)
}

func (e *Ego) subheading() string {
	return "As of " + e.AsOf.Format(time.RFC3339) + ": only what happened before"
}

// describe tells the whole in sentences, for who does not see the picture.
func (e *Ego) describe() string {
	var b strings.Builder
	b.WriteString(e.subheading() + ".")
	called := map[string]string{}
	for _, n := range e.Nodes {
		called[n.Key] = name(n)
	}
	for _, g := range e.Groups {
		b.WriteString(" " + e.caption(g) + ".")
	}
	for _, d := range e.Edges {
		b.WriteString(" " + called[d.From])
		switch d.Relation {
		case Had:
			b.WriteString(", " + called[d.To] + ": " + e.upper(d) + " on " + e.lower(d) + ".")
		default:
			b.WriteString(" and " + called[d.To] + ": " + e.upper(d) + ", " + e.lower(d) + ".")
		}
	}
	return b.String()
}

// maxMarks is how many marks on one character are shown: more run into the
// lines above and below.
const maxMarks = 3

// legible makes a foreign text one line that shows what it is: what cannot be
// seen, or turns the writing direction, is a space.
func legible(s string) string {
	marks := 0
	s = strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Mn, unicode.Me) {
			if marks++; marks > maxMarks {
				return -1
			}
			return r
		}
		marks = 0
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp, unicode.Noncharacter_Code_Point) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strings.Join(strings.Fields(s), " ")
}

// count writes a number with commas between the thousands.
func count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + one + "s"
}

// number writes a measure with about three digits: 0.412, 5.13, 27.4.
func number(x float64) string {
	switch {
	case x >= 1000:
		return count(int(x + 0.5))
	case x >= 9.995:
		return strconv.FormatFloat(x, 'f', 1, 64)
	case x >= 0.9995:
		return strconv.FormatFloat(x, 'f', 2, 64)
	}
	return strconv.FormatFloat(x, 'f', 3, 64)
}
