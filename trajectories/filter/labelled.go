package filter

import (
	"strings"

	"github.com/mars-rec/mars/message/rawjson"
)

// mention is how long an object is that names an item, at most, to be looked at
// without decoding it.
const mention = 1 << 10

// labelled reports whether it can be seen without decoding a tool's answer that
// it does not tell of the item: that the answer does not name it, or only in
// objects that begin with it and give it its label:
//
//	{"item":"i2","title":"Emma","label":"c02"}
//	{"label":"c02","item":"i2","degree":5}
//
// In JSON, an item in quotes of which the first is not escaped is a string of
// its own, and a brace right before a string opens an object. Where labelled is
// false, [told] has the last word.
func labelled(answer, item, label string) bool {
	quoted := string(rawjson.AppendString(nil, item))
	if strings.ContainsAny(quoted, `\/`) {
		return false // it may be written in more than one way
	}
	for at := 0; ; at++ {
		next := rawjson.IndexPair(answer[at:], [2]byte{'\\', 'u'}, [2]byte{'"', quoted[1]})
		if next < 0 {
			return true
		}
		if at += next; answer[at] == '\\' {
			return false // as it may here
		} else if !strings.HasPrefix(answer[at:], quoted) {
			continue
		}
		before, after := answer[:at], answer[at:]
		if strings.HasSuffix(before, `\`) {
			continue // the middle of a longer string
		}
		object := `{"item":`
		if !strings.HasSuffix(before, object) {
			object = `{"label":"` + label + `","item":`
		}
		if label == "" || !strings.HasSuffix(before, object) {
			return false
		}
		if !keepsLabel([]byte(object+after[:min(len(after), mention)]), item, label) {
			return false
		}
	}
}

// keepsLabel reports whether the object at the start of text names the item
// once, with its label.
func keepsLabel(text []byte, item, label string) bool {
	r := rawjson.NewReader(text)
	items, kept := 0, false
	for r.Need("{"); !r.Take("}"); {
		switch key := r.NextKey(); {
		case r.Failed():
			return false
		case key == "item" && r.String() == item:
			items++
		case key == "item":
			return false
		case key == "label":
			kept = r.String() == label
		default:
			r.Value()
		}
	}
	return items == 1 && kept
}
