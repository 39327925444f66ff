// Package rest serves an environment over plain HTTP, in JSON:
//
//	GET    /health                     {"status":"ok"}
//	GET    /openapi.json               this list, for machines
//	GET    /v1/tools                   what the student is told of the tools
//	GET    /v1/reward                  what answers are judged by: name, version, parts
//	GET    /v1/tasks?offset=0          the tasks, without their gold
//	POST   /v1/sessions                {"task":"classic-7"} -> the prompt
//	GET    /v1/sessions/{id}           how far it is
//	POST   /v1/sessions/{id}/call      {"name":"item_cf","arguments":{...}} -> {"content":"..."}
//	POST   /v1/sessions/{id}/step      {"message":{...}} -> the messages that answer its calls
//	POST   /v1/sessions/{id}/answer    {"text":"..."} or {"messages":[...]} -> the reward
//	DELETE /v1/sessions/{id}
//
// The routes are a table, and the description is made of it, with the schemas
// that requests are held to: what is served is what is described. Errors are
// {"error":{"kind","message"}}.
package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/mars-rec/mars/internal/guard"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/star/environment"
)

// New returns the handler that serves e.
func New(e *environment.Environment, access environment.Access) (http.Handler, error) {
	g := guard.Config{Token: access.Token, Hosts: access.Hosts, Limit: access.Limit, Refuse: refuse}
	routes, err := (&service{e}).routes()
	if err != nil {
		return nil, fmt.Errorf("rest: %w", err)
	}
	description, err := describe(routes, e)
	if err != nil {
		return nil, fmt.Errorf("rest: description: %w", err)
	}
	mux := http.NewServeMux()
	for _, r := range routes {
		h := http.Handler(r)
		if !r.open {
			h = g.Known(h)
		}
		mux.Handle(r.method+" "+r.path, h)
	}
	mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) { send(w, http.StatusOK, description) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, &failure{http.StatusNotFound, "not_found", fmt.Sprintf("there is no %s %s: /openapi.json lists what there is", r.Method, r.URL.Path)})
	})
	return g.Local(mux), nil
}

// request is what a route gets of an HTTP request.
type request struct {
	context.Context
	path  func(name string) string // a part of the path
	query func(name string) string
}

// route is one line of the table.
type route struct {
	method, path  string
	name, summary string
	query         []parameter
	open          bool // whether it is served without the token
	in, out       json.RawMessage
	status        int // of success
	serve         func(request, []byte) (any, error)
}

type parameter struct{ name, summary string }

// at makes a route of a function from a body to an answer. A body or an answer
// of type none is left out.
func at[In, Out any](method, path, name, summary string, f func(request, In) (Out, error)) (route, error) {
	r := route{method: method, path: path, name: name, summary: summary, status: http.StatusOK}
	var err error
	if r.in, err = schema[In](); err != nil {
		return r, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if r.out, err = schema[Out](); err != nil {
		return r, fmt.Errorf("%s %s: %w", method, path, err)
	}
	r.serve = func(req request, body []byte) (any, error) {
		var in In
		if r.in != nil {
			if err := decode(body, &in); err != nil {
				return nil, invalid("the body of %s %s: %v", method, path, err)
			}
		}
		return f(req, in)
	}
	return r, nil
}

// none is a body that is not there.
type none struct{}

// decode reads one JSON value strictly.
func decode(body []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more after the JSON object")
	}
	return nil
}

func (r route) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	var body bytes.Buffer
	if r.in != nil {
		if media, _, err := mime.ParseMediaType(req.Header.Get("Content-Type")); err != nil || media != "application/json" {
			fail(w, &failure{http.StatusUnsupportedMediaType, "content_type", "the content type is not application/json"})
			return
		}
		if _, err := body.ReadFrom(req.Body); err != nil {
			fail(w, err)
			return
		}
	}
	out, err := r.serve(request{req.Context(), req.PathValue, req.URL.Query().Get}, body.Bytes())
	if err != nil {
		fail(w, err)
		return
	}
	if r.out == nil {
		w.WriteHeader(r.status)
		return
	}
	answer, err := message.Marshal(out)
	if err != nil {
		fail(w, err)
		return
	}
	send(w, r.status, answer)
}

func send(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a client that is gone hears nothing
}

// failure is an error with its status.
type failure struct {
	status  int
	kind    string
	message string
}

func (f *failure) Error() string { return f.message }

func invalid(format string, args ...any) error {
	return &failure{http.StatusBadRequest, "invalid_request", fmt.Sprintf(format, args...)}
}

func refuse(w http.ResponseWriter, status int, reason string) {
	kind := "forbidden"
	if status == http.StatusUnauthorized {
		kind = "token"
	}
	fail(w, &failure{status, kind, reason})
}

// fail answers with an error.
func fail(w http.ResponseWriter, err error) {
	f := &failure{http.StatusInternalServerError, "failure", err.Error()}
	var known *failure
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &known):
		f = known
	case errors.As(err, &long):
		f = &failure{http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("the request is longer than %d bytes", long.Limit)}
	case errors.Is(err, environment.ErrNoSession):
		f.status, f.kind = http.StatusNotFound, "no_session"
	case errors.Is(err, environment.ErrNoTask):
		f.status, f.kind = http.StatusNotFound, "no_task"
	case errors.Is(err, environment.ErrEnded):
		f.status, f.kind = http.StatusConflict, "ended"
	case errors.Is(err, environment.ErrBegun), errors.Is(err, environment.ErrNotBegun):
		f.status, f.kind = http.StatusConflict, "conflict"
	case errors.Is(err, environment.ErrSpent):
		f.status, f.kind = http.StatusRequestEntityTooLarge, "spent"
	case errors.Is(err, environment.ErrFull):
		f.status, f.kind = http.StatusServiceUnavailable, "full"
		w.Header().Set("Retry-After", "5")
	}
	body, err := message.Marshal(map[string]any{"error": map[string]string{"kind": f.kind, "message": f.message}})
	if err != nil {
		body = []byte(`{"error":{"kind":"failure","message":"the error has no JSON form"}}`)
	}
	send(w, f.status, body)
}
