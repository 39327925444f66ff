package tokenizer

import (
	"sort"

	"golang.org/x/text/unicode/norm"
)

// normaliser brings texts into a normal form of Unicode, or leaves them.
type normaliser struct {
	form norm.Form
	on   bool
}

// apply returns the normal form of a text, and where its bytes come from.
func (n normaliser) apply(text string) (string, origin) {
	if !n.on || n.form.IsNormalString(text) {
		return text, origin{}
	}
	out := make([]byte, 0, len(text)+len(text)/8)
	var from origin
	var it norm.Iter
	it.InitString(n.form, text)
	for !it.Done() {
		at := it.Pos()
		next := it.Next()
		from.segments = append(from.segments, segment{len(out), at, text[at:it.Pos()] == string(next)})
		out = append(out, next...)
	}
	from.segments = append(from.segments, segment{len(out), len(text), true})
	return string(out), from
}

// origin maps offsets of a normalised text to the text before. The zero value
// maps each to itself.
type origin struct{ segments []segment }

// segment is a stretch of the text: where it starts after and before, and whether
// it stayed as it was.
type segment struct {
	after, before int
	same          bool
}

// of returns the bytes of the source that a token of the normalised text was
// made of. A segment that changed counts as a whole.
func (o origin) of(start, end int) (int, int) {
	if o.segments == nil {
		return start, end
	}
	first := o.find(start)
	if first.same {
		start = first.before + start - first.after
	} else {
		start = first.before
	}
	i := sort.Search(len(o.segments), func(i int) bool { return o.segments[i].after >= end })
	if last := o.segments[i-1]; last.same {
		end = last.before + end - last.after
	} else {
		end = o.segments[i].before
	}
	return start, end
}

// find returns the segment in which an offset of the normalised text lies.
func (o origin) find(offset int) segment {
	i := sort.Search(len(o.segments), func(i int) bool { return o.segments[i].after > offset })
	return o.segments[i-1]
}
