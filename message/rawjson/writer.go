package rawjson

import "strconv"

// Writer builds a text from the left. After something that has no JSON it has
// failed, and what it holds is worth nothing.
//
//	w.Text("{")
//	w.Key("call")
//	w.String(call)
//	w.Key("value")
//	w.Value(value)
//	w.Text("}")
type Writer struct {
	text   []byte
	failed bool
}

// NewWriter appends to dst.
func NewWriter(dst []byte) *Writer { return &Writer{text: dst} }

// Reset makes the writer empty; it keeps the room that it has. What Done returned
// is then written over.
func (w *Writer) Reset() { w.text, w.failed = w.text[:0], false }

// Done returns what was written, and whether all of it could be.
func (w *Writer) Done() ([]byte, bool) { return w.text, !w.failed }

// Fail makes the writer one that has failed.
func (w *Writer) Fail() { w.failed = true }

// Text writes text as it is.
func (w *Writer) Text(text string) { w.text = append(w.text, text...) }

// Append writes what text appends to what is there.
func (w *Writer) Append(text func(dst []byte) []byte) { w.text = text(w.text) }

// String writes s as [AppendString] does.
func (w *Writer) String(s string) { w.text = AppendString(w.text, s) }

// Int writes a whole number.
func (w *Writer) Int(n int64) { w.text = strconv.AppendInt(w.text, n, 10) }

// Bool writes true or false.
func (w *Writer) Bool(b bool) { w.text = strconv.AppendBool(w.text, b) }

// Value writes a value that is JSON already without its spaces; null, if it is
// nil.
func (w *Writer) Value(raw []byte) {
	if raw == nil {
		w.Text("null")
		return
	}
	var ok bool
	if w.text, ok = AppendCompact(w.text, raw); !ok {
		w.failed = true
	}
}

// Key writes the name of a member, with the comma before it unless it is the
// first of its object.
func (w *Writer) Key(name string) {
	if n := len(w.text); n > 0 && w.text[n-1] != '{' {
		w.text = append(w.text, ',')
	}
	w.String(name)
	w.text = append(w.text, ':')
}

// Field writes a member that is a string, unless it is empty.
func (w *Writer) Field(name, s string) {
	if s != "" {
		w.Key(name)
		w.String(s)
	}
}

// WriteList writes a list, each element by one; null, if it is nil.
func WriteList[T any](w *Writer, list []T, one func(*Writer, T)) {
	if list == nil {
		w.Text("null")
		return
	}
	w.Text("[")
	for i, e := range list {
		if i > 0 {
			w.Text(",")
		}
		one(w, e)
	}
	w.Text("]")
}

// WriteStrings writes a list of strings; null, if it is nil.
func WriteStrings[S ~string](w *Writer, list []S) {
	WriteList(w, list, func(w *Writer, s S) { w.String(string(s)) })
}
