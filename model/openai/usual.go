package openai

import (
	"strings"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/rawjson"
	"github.com/mars-rec/mars/model"
)

// usual reads a reply as nearly every server writes it, without building what
// nobody asks for, and reports false for any other: a message in parts, a refusal,
// a name that comes twice or in other letters. The reply is then worth nothing.
func usual(answer []byte, reply *model.Reply) bool {
	r := reader{rawjson.NewReader(answer)}
	r.Space()
	r.object(func(name string) {
		switch name {
		case "id":
			reply.ID = r.text()
		case "model":
			reply.Model = r.text()
		case "choices":
			r.Elements(func(i int) {
				if i > 0 {
					r.Value()
					return
				}
				reply.Message.Role = model.Assistant
				r.choice(reply)
			})
		case "usage":
			reply.Usage = r.usage()
		}
	}, "id", "model", "choices", "usage")
	r.Space()
	return r.Done() && reply.Message.Role != ""
}

// reader reads the parts of a reply.
type reader struct{ *rawjson.Reader }

// object reads the members of those names, each at most once, and passes over
// the others. What stands next may be null.
func (r reader) object(each func(name string), names ...string) {
	if r.Take("null") {
		return
	}
	seen := 0
	r.Members(func(name []byte) {
		for i, known := range names {
			switch {
			case string(name) == known && seen&(1<<i) == 0:
				seen |= 1 << i
				each(known)
				return
			case len(name) == len(known) && strings.EqualFold(rawjson.Text(name), known):
				r.Fail() // the library would take it for the same
			}
		}
		r.Value()
	})
}

// text reads a string; null is none.
func (r reader) text() string {
	if r.Take("null") {
		return ""
	}
	return r.String()
}

// number reads a whole number; null is 0.
func (r reader) number() int {
	if r.Take("null") {
		return 0
	}
	return int(r.Int())
}

func (r reader) choice(reply *model.Reply) {
	r.object(func(name string) {
		switch name {
		case "finish_reason":
			reply.Finish = r.text()
		case "message":
			r.message(&reply.Message)
		}
	}, "finish_reason", "message")
}

func (r reader) message(m *model.Message) {
	r.object(func(name string) {
		switch name {
		case "content":
			m.Content = r.text()
		case "refusal", "multicontent":
			r.Need("null")
		case "tool_calls":
			m.ToolCalls = r.calls()
		}
	}, "content", "refusal", "multicontent", "tool_calls")
}

func (r reader) calls() (list []model.ToolCall) {
	if r.Take("null") {
		return nil
	}
	r.Elements(func(int) {
		var c model.ToolCall
		r.object(func(name string) {
			switch name {
			case "id":
				c.ID = r.text()
			case "function":
				r.object(func(name string) {
					switch name {
					case "name":
						c.Name = r.text()
					case "arguments":
						c.Arguments = r.text()
					}
				}, "name", "arguments")
			}
		}, "id", "function")
		list = append(list, c)
	})
	return list
}

// usage is nil where the server did not count.
func (r reader) usage() *message.Usage {
	var u message.Usage
	r.object(func(name string) {
		switch name {
		case "prompt_tokens":
			u.InputTokens = r.number()
		case "completion_tokens":
			u.OutputTokens = r.number()
		case "prompt_tokens_details":
			r.object(func(string) { u.CachedTokens = r.number() }, "cached_tokens")
		}
	}, "prompt_tokens", "completion_tokens", "prompt_tokens_details")
	if u.InputTokens == 0 && u.OutputTokens == 0 {
		return nil
	}
	return &u
}
