package phase

import (
	"fmt"
	"slices"
	"strings"
)

// maxItems bounds the lists of a body.
const maxItems = 200

// object reads the members of an answer; the first fault stays in err.
type object struct {
	v     value
	name  string
	notes *notes
	err   error
}

func members(v value, name string, n *notes, keys ...string) (*object, error) {
	if v.kind != anObject {
		return nil, fmt.Errorf("%s is %s: want an object with the keys %s", name, v.kind, strings.Join(keys, ", "))
	}
	for i, k := range v.keys {
		if !slices.Contains(keys, k) {
			n.add("unknown key", v.list[i].at, "%s", quote(k))
		}
	}
	return &object{v: v, name: name, notes: n}, nil
}

func (o *object) fail(format string, args ...any) {
	if o.err == nil {
		o.err = fmt.Errorf(format, args...)
	}
}

func (o *object) need(key string) (value, bool) {
	v, ok := o.v.get(key)
	if !ok {
		o.fail("%s lacks %q", o.name, key)
	}
	return v, ok
}

// text reads a text that must say something.
func (o *object) text(key string) string {
	v, ok := o.need(key)
	if !ok {
		return ""
	}
	return o.one(v, spot{key: key}, false)
}

// optional reads a text that may be empty.
func (o *object) optional(key string) string {
	v, _ := o.v.get(key)
	return o.one(v, spot{key: key}, true)
}

// spot is where a text stands: under a key, or as an item of the list there.
type spot struct {
	key  string
	item int // from 1 on
}

func (o *object) spell(s spot) string {
	if s.item > 0 {
		return fmt.Sprintf("item %d of %q", s.item, s.key)
	}
	return fmt.Sprintf("%q of %s", s.key, o.name)
}

func (o *object) one(v value, at spot, empty bool) string {
	if v.kind != aString {
		o.fail("%s is %s: want a string", o.spell(at), v.kind)
		return ""
	}
	s := field(v.text, v.at, o.notes)
	if s == "" && !empty {
		o.fail("%s is empty", o.spell(at))
	}
	return s
}

func (o *object) items(key string) []value {
	v, ok := o.need(key)
	switch {
	case !ok:
	case v.kind == aNull:
		o.notes.add("null list", v.at, "%s", quote(key))
	case v.kind != anArray:
		o.fail("%q of %s is %s: want an array", key, o.name, v.kind)
	case len(v.list) > maxItems:
		o.fail("%q of %s has %d items: at most %d", key, o.name, len(v.list), maxItems)
	default:
		return v.list
	}
	return nil
}

func (o *object) texts(key string) []string {
	items := o.items(key)
	all := make([]string, len(items))
	for i, v := range items {
		all[i] = o.one(v, spot{key, i + 1}, false)
	}
	return all
}

func (o *object) subtasks(key string, roles []string) []Subtask {
	var all []Subtask
	for i, v := range o.items(key) {
		name := fmt.Sprintf("item %d of %q", i+1, key)
		m, err := members(v, name, o.notes, "role", "goal", "collaborative")
		if err != nil {
			o.fail("%w", err)
			return nil
		}
		s := Subtask{Role: m.text("role"), Goal: m.text("goal")}
		if c, ok := v.get("collaborative"); !ok {
			o.notes.add("missing key", v.at, "collaborative")
		} else if c.kind != aBoolean {
			m.fail("%q of %s is %s: want true or false", "collaborative", name, c.kind)
		} else {
			s.Collaborative = c.text == "true"
		}
		if m.err == nil {
			m.err = knownRole(s.Role, roles)
		}
		if m.err != nil {
			o.fail("%s: %w", name, m.err)
		}
		all = append(all, s)
	}
	return all
}

func knownRole(role string, roles []string) error {
	if slices.Contains(roles, role) {
		return nil
	}
	return fmt.Errorf("there is no role %s: want one of %s", quote(role), strings.Join(roles, ", "))
}

// field makes a model's text fit to be read by a model: one line, inert, and
// without the mark of a list item before it.
func field(s string, at int, n *notes) string {
	clean := inert(s, MaxReply, false)
	for {
		rest, ok := strings.CutPrefix(clean, "- ")
		if !ok {
			break
		}
		clean = rest
	}
	if clean != s && clean != strings.Join(strings.Fields(s), " ") {
		n.add("text", at, "characters of structure in a text")
	}
	return clean
}
