package openaitest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// exchange is one request and what is done about it.
type exchange struct {
	*Provider
	w      http.ResponseWriter
	r      *http.Request
	id     string
	right  Answer
	stream bool
}

// faults are what can go wrong. Those that begin with worked are billed.
func faults() map[string]func(*exchange) {
	return map[string]func(*exchange){
		"429, Retry-After in seconds": func(e *exchange) { e.refuse(429, `{"error":{"message":"slow"}}`, "Retry-After", "2") },
		"429, Retry-After as a date":  func(e *exchange) { e.refuse(429, `{}`, "Retry-After", e.date(3*time.Second)) },
		"429, Retry-After as a date of last year": func(e *exchange) {
			e.refuse(429, `{}`, "Retry-After", e.date(-365*24*time.Hour))
		},
		"429, Retry-After as a date of next year": func(e *exchange) {
			e.refuse(429, `{}`, "Retry-After", e.date(365*24*time.Hour))
		},
		"429, Retry-After in milliseconds": func(e *exchange) { e.refuse(429, `{}`, "Retry-After-Ms", "700") },
		"429, Retry-After of a day":        func(e *exchange) { e.refuse(429, `{}`, "Retry-After", "86400") },
		"429 without Retry-After":          func(e *exchange) { e.refuse(429, `{"error":"slow"}`) },
		"429 with an empty body":           func(e *exchange) { e.refuse(429, ``) },
		"429 under status 200":             func(e *exchange) { e.refuse(200, `{"error":{"message":"slow","code":429}}`) },
		"429 in the stream":                func(e *exchange) { e.begin(); e.event(`{"error":{"message":"slow","code":429}}`) },
		"500":                              func(e *exchange) { e.refuse(500, `{"error":{"message":"oops"}}`) },
		"502, a page of HTML": func(e *exchange) {
			e.refuse(502, "<html><title>Bad gateway</title></html>", "Content-Type", "text/html")
		},
		"503, Retry-After":            func(e *exchange) { e.refuse(503, `{}`, "Retry-After", "1") },
		"503, loading":                func(e *exchange) { e.refuse(503, `{"detail":"loading"}`) },
		"504 after the work was done": func(e *exchange) { e.worked().refuse(504, ``) },
		"529":                         func(e *exchange) { e.refuse(529, `{"error":{"message":"overloaded"}}`) },
		"408":                         func(e *exchange) { e.refuse(408, ``) },
		"400, too long":               func(e *exchange) { e.refuse(400, `{"error":{"message":"too long"}}`) },
		"401":                         func(e *exchange) { e.refuse(401, `{"error":{"message":"no"}}`) },
		"404, no such model":          func(e *exchange) { e.refuse(404, `{"error":{"message":"no such model"}}`) },
		"a redirect":                  func(e *exchange) { e.refuse(307, ``, "Location", "http://elsewhere/v1") },
		"200 with an error body":      func(e *exchange) { e.refuse(200, `{"error":{"message":"no capacity"}}`) },
		"200 with HTML":               func(e *exchange) { e.refuse(200, "<!doctype html><p>log in", "Content-Type", "text/html") },
		"200 with plain text":         func(e *exchange) { e.refuse(200, "ok", "Content-Type", "text/plain") },
		"200 with an empty body":      func(e *exchange) { e.refuse(200, "") },
		"200 with broken JSON":        func(e *exchange) { e.worked().refuse(200, `{"choices":[{"message":`) },
		"200 without choices":         func(e *exchange) { e.refuse(200, `{"id":"x","choices":[]}`) },
		"a refusal of the model's": func(e *exchange) {
			e.worked().refuse(200, `{"choices":[{"message":{"role":"assistant","refusal":"I will not"}}]}`)
		},
		"cut before the answer": func(e *exchange) { e.worked().cut() },
		"cut in the answer":     func(e *exchange) { e.worked().part(); e.cut() },
		"ended in the answer": func(e *exchange) {
			e.worked()
			e.begin()
			e.event(`{"choices":[{"index":0,"delta":{"content":"answer"}}]}`)
		},
		"an error in the stream": func(e *exchange) {
			e.worked().part()
			e.event(`{"error":{"message":"lost a worker","type":"server_error"}}`)
		},
		"a stall before the answer": func(e *exchange) { e.worked().stall() },
		"a stall in the answer":     func(e *exchange) { e.worked().part(); e.stall() },
		"an endless answer":         func(e *exchange) { e.worked().endless() },
		"another model's name":      func(e *exchange) { e.answer("another", true) },
		"usage that nobody tells":   func(e *exchange) { e.answer(e.cfg.Name, false) },
		"the same answer twice": func(e *exchange) {
			e.answer(e.cfg.Name, true)
			if e.stream {
				e.event(`{"choices":[{"index":0,"delta":{"content":"answer"}}]}`)
				e.event("[DONE]")
				return
			}
			_, _ = e.w.Write(e.body(e.cfg.Name, true))
		},
	}
}

// date is a moment so far from now, as a header has it.
func (e *exchange) date(from time.Duration) string {
	return e.cfg.Clock().Add(from).UTC().Format(http.TimeFormat)
}

func (e *exchange) refuse(status int, body string, headers ...string) {
	e.w.Header().Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		e.w.Header().Set(headers[i], headers[i+1])
	}
	e.w.WriteHeader(status)
	_, _ = io.WriteString(e.w, body)
}

// worked bills the answer.
func (e *exchange) worked() *exchange {
	e.bill(e.right.Input, e.right.Output)
	return e
}

// usage is what an answer says of its tokens, as a member of an object.
func (e *exchange) usage(told bool) string {
	if !told {
		return ""
	}
	return fmt.Sprintf(`,"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}`,
		e.right.Input, e.right.Output, e.right.Input+e.right.Output)
}

// body is the right answer in one piece.
func (e *exchange) body(name string, told bool) []byte {
	return fmt.Appendf(nil, `{"id":%q,"model":%q,"choices":[{"index":0,"message":%s,"finish_reason":%q}]%s}`,
		e.id, name, e.right.Message, e.right.Finish, e.usage(told))
}

// answer is the right one.
func (e *exchange) answer(name string, told bool) {
	e.worked()
	if !e.stream {
		e.refuse(http.StatusOK, string(e.body(name, told)))
		return
	}
	e.begin()
	e.event(fmt.Sprintf(`{"id":%q,"model":%q,"choices":[{"index":0,"delta":%s}]}`, e.id, name, e.delta()))
	e.event(fmt.Sprintf(`{"choices":[{"index":0,"delta":{},"finish_reason":%q}]}`, e.right.Finish))
	if told {
		e.event(`{"choices":[]` + e.usage(true) + `}`)
	}
	e.event("[DONE]")
}

// delta is the right message as a stream has it: its tool calls are numbered.
func (e *exchange) delta() []byte {
	var m map[string]any
	if json.Unmarshal(e.right.Message, &m) != nil {
		return e.right.Message
	}
	calls, _ := m["tool_calls"].([]any)
	for i, c := range calls {
		if call, ok := c.(map[string]any); ok {
			call["index"] = i
		}
	}
	b, err := json.Marshal(m)
	if err != nil {
		return e.right.Message
	}
	return b
}

func (e *exchange) begin() {
	e.w.Header().Set("Content-Type", "text/event-stream")
	e.w.WriteHeader(http.StatusOK)
}

func (e *exchange) event(data string) {
	_, _ = io.WriteString(e.w, "data: "+data+"\n\n")
	_ = http.NewResponseController(e.w).Flush()
}

// part sends the beginning of the answer.
func (e *exchange) part() {
	if e.stream {
		e.begin()
		e.event(`{"choices":[{"index":0,"delta":{"content":"answer"}}]}`)
		return
	}
	whole := e.body(e.cfg.Name, true)
	e.w.Header().Set("Content-Type", "application/json")
	e.w.Header().Set("Content-Length", fmt.Sprint(len(whole)))
	_, _ = e.w.Write(whole[:len(whole)/2])
	_ = http.NewResponseController(e.w).Flush()
}

func (e *exchange) cut() { panic(http.ErrAbortHandler) }

func (e *exchange) stall() { <-e.r.Context().Done() }

func (e *exchange) endless() {
	e.w.Header().Set("Content-Type", "application/json")
	spaces := []byte(strings.Repeat(" ", 1<<10))
	for range 64 {
		if _, err := e.w.Write(spaces); err != nil {
			return
		}
	}
}
