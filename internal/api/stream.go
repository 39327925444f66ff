package api

import (
	"bytes"
	"fmt"
	"net/http"
	"reflect"
)

// Stream makes a route whose answer comes in server-sent events, each a name
// and one line of JSON. What fails before the first event has its status; after
// it, an event named error, of the form of every error, is the last.
//
//	event: delta
//	data: {"content":"<plan>"}
func Stream[In any](method, path, name, summary string, f func(r Request, in In, emit func(event string, data any) error) error) Route {
	return Route{
		method: method, path: path, name: name, summary: summary, status: http.StatusOK,
		in: reflect.TypeFor[In](), out: noBody, media: "text/event-stream",
		events: func(r Request, body []byte, emit func(string, any) error) error {
			var in In
			if err := decode(body, &in); err != nil {
				return Invalid("the body of %s %s: %v", method, path, err)
			}
			return f(r, in, emit)
		},
	}
}

// events writes the events of a route and returns its status.
func (s *server) events(w http.ResponseWriter, r Route, req Request, body []byte) int {
	begun := false
	flush := http.NewResponseController(w)
	emit := func(event string, data any) error {
		if !begun {
			begun = true
			w.Header().Set("Content-Type", r.media)
			w.WriteHeader(r.status)
		}
		line, err := marshal(data)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event, bytes.TrimSpace(line)); err != nil {
			return err
		}
		return flush.Flush()
	}
	err := r.events(req, body, emit)
	switch {
	case err == nil:
		return r.status
	case !begun:
		return s.fail(w, err)
	}
	f := s.failure(err)
	_ = emit("error", f.body()) // a client that is gone hears nothing
	return f.Status
}
