package rawjson

import (
	"bytes"
	"math"
	"strconv"
)

// Members reads an object from anywhere: spaces may stand between its tokens, and
// its members in any order. It calls each with a member's name, without its
// quotes, when the value stands next, which each must read. It gives up on a
// name with an escape in it.
//
//	r.Members(func(name []byte) {
//		switch string(name) {
//		case "id":
//			id = r.String()
//		default:
//			r.Value()
//		}
//	})
func (r *Reader) Members(each func(name []byte)) {
	r.Need("{")
	r.Space()
	for first := true; !(first && r.Take("}")); first = false {
		if !r.next('"') {
			return
		}
		from := r.at + 1
		if r.at = stringEnd(r.src, r.at); r.at < 0 {
			return
		}
		name := r.src[from : r.at-1]
		if bytes.IndexByte(name, '\\') >= 0 {
			r.at = -1
		}
		r.Space()
		r.Need(":")
		r.Space()
		if r.at < 0 {
			return
		}
		each(name)
		r.Space()
		if !r.Take(",") {
			r.Need("}")
			return
		}
		r.Space()
	}
}

// Elements reads an array from anywhere, as [Reader.Members] does an object; each
// is told the number of the element, from 0.
func (r *Reader) Elements(each func(i int)) {
	r.Need("[")
	r.Space()
	for i := 0; !(i == 0 && r.Take("]")); i++ {
		if r.at < 0 {
			return
		}
		each(i)
		r.Space()
		if !r.Take(",") {
			r.Need("]")
			return
		}
		r.Space()
	}
}

// Float writes a number as encoding/json does; what is none makes the writer
// fail.
func (w *Writer) Float(f float64) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		w.failed = true
		return
	}
	form := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		form = 'e'
	}
	w.text = strconv.AppendFloat(w.text, f, form, -1, 64)
	if n := len(w.text); form == 'e' && n >= 4 && w.text[n-4] == 'e' && w.text[n-3] == '-' && w.text[n-2] == '0' {
		w.text[n-2], w.text = w.text[n-1], w.text[:n-1] // e-09 is written e-9
	}
}
