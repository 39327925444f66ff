package model

import (
	"hash"
	"slices"

	"github.com/mars-rec/mars/message/rawjson"
)

// Conversation makes the digests of requests each of which says what the one
// before said, and more, as those of one turn. It is not safe for concurrent use.
type Conversation struct {
	digests *Digests
	said    []Message   // by the request before
	after   hash.Cloner // SHA-256 up to the end of them
	known   []known
}

// known is a message whose JSON is there.
type known struct {
	Message
	text []byte
}

// Conversation begins one.
func (d *Digests) Conversation() *Conversation { return &Conversation{digests: d} }

// Knows tells that text is the JSON of m, so that it need not be written again
// if m is said.
func (c *Conversation) Knows(m Message, text []byte) { c.known = append(c.known, known{m, text}) }

// Digest is [Digest] of the request. It keeps the messages, which must not be
// changed: others may be appended to them.
func (c *Conversation) Digest(req Request) string {
	shape, ok := c.digests.shape(req)
	if !ok || len(req.Messages) == 0 {
		return Digest(c.digests.name, req)
	}
	from, said := c.after, len(c.said)
	if said == 0 || said > len(req.Messages) || !slices.EqualFunc(c.said, req.Messages[:said], Message.equal) {
		from, said = c.digests.opening(req.Messages[0]), 1
	}
	h := clone(from)
	write(h, func(w *rawjson.Writer) {
		for _, m := range req.Messages[said:] {
			w.Text(",")
			c.write(w, m)
		}
	})
	c.said, c.after = req.Messages, clone(h)
	if !write(h, func(w *rawjson.Writer) {
		w.Text("]")
		w.Text(rawjson.Text(shape))
		req.writeRest(w)
		w.Text("}]")
	}) {
		return Digest(c.digests.name, req)
	}
	return spell(requestRule, h.Sum(nil))
}

// write writes a message.
func (c *Conversation) write(w *rawjson.Writer, m Message) {
	for _, k := range c.known {
		if k.equal(m) {
			w.Text(rawjson.Text(k.text))
			return
		}
	}
	m.WriteJSON(w)
}

// equal reports whether two messages have the same JSON.
func (m Message) equal(n Message) bool {
	return m.Role == n.Role && m.Content == n.Content && slices.Equal(m.ToolCalls, n.ToolCalls) &&
		m.ToolCallID == n.ToolCallID && m.Name == n.Name
}

// clone copies the state of a hash of the standard library, which can be.
func clone(h hash.Cloner) hash.Cloner {
	copied, err := h.Clone()
	if err != nil {
		panic(err) // SHA-256 can be copied
	}
	return copied
}
