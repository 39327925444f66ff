// Package api serves a table of routes over HTTP, in JSON, and describes them:
// what is served is what is described, with the schemas that requests are held
// to.
//
//	At("POST", "/v1/recommend", ...)  ─┐            POST /v1/recommend
//	At("GET", "/health", ...)         ─┴─> New ──>  GET  /health
//	                                                GET  /openapi.json
//
// Every request passes package guard first. A body is one JSON object, read
// strictly; errors are {"error":{"kind","message"}}.
package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/mars-rec/mars/internal/guard"
)

// Config of a server.
type Config struct {
	Title, Description string
	Guard              guard.Config // its Refuse is set here
	// Fail gives an error of the routes its failure; nil, or nil from it: the
	// error is a [Failure], or a failure of the server, whose text is not told.
	Fail func(error) *Failure
	// Report is told of failures whose text clients do not hear; nil: nobody.
	Report func(error)
	// Schemas are those of types that the reflection cannot describe.
	Schemas map[reflect.Type]*jsonschema.Schema
	// Observe hears of every request that a route has answered; nil: nobody.
	Observe func(route string, status int, took time.Duration)
	Clock   func() time.Time // for Observe, and required with it
}

// Failure is an error with its status, and a word for programs.
type Failure struct {
	Status  int
	Kind    string
	Message string
	After   time.Duration // when to try again; 0: not told
}

func (f *Failure) Error() string { return f.Message }

// Invalid is the failure of a request that makes no sense.
func Invalid(format string, args ...any) error {
	return &Failure{Status: http.StatusBadRequest, Kind: "invalid_request", Message: fmt.Sprintf(format, args...)}
}

// None is a body that is not there.
type None struct{}

// Request is what a route gets of an HTTP request, besides its body.
type Request struct {
	context.Context
	Path  func(name string) string // a part of the path
	Query url.Values
	Key   string // the bearer token, or that of X-API-Key
}

// Parameter is a part of a route's query.
type Parameter struct {
	Name, Summary string
	Type          string // of JSON: "integer", "string"
}

// Route is one line of the table.
type Route struct {
	method, path  string
	name, summary string
	query         []Parameter
	open          bool // whether it is served without the token
	status        int  // of success

	in, out         reflect.Type
	inside, outside json.RawMessage // their schemas
	serve           func(Request, []byte) (any, error)
	raw             http.Handler                                         // serves what is no JSON
	events          func(Request, []byte, func(string, any) error) error // serves a stream
	media           string                                               // of what is no JSON
}

// Public is the route, served without the token.
func (r Route) Public() Route { r.open = true; return r }

// Taking is the route with a query.
func (r Route) Taking(query ...Parameter) Route { r.query = query; return r }

// Giving is the route with another status of success than 200.
func (r Route) Giving(status int) Route { r.status = status; return r }

// At makes a route of a function from a body to an answer. A body or an answer
// of type [None] is left out. What a caller did wrong is an [Invalid], or another
// [Failure].
func At[In, Out any](method, path, name, summary string, f func(Request, In) (Out, error)) Route {
	return Route{
		method: method, path: path, name: name, summary: summary, status: http.StatusOK,
		in: reflect.TypeFor[In](), out: reflect.TypeFor[Out](),
		serve: func(r Request, body []byte) (any, error) {
			var in In
			if reflect.TypeFor[In]() != noBody {
				if err := decode(body, &in); err != nil {
					return nil, Invalid("the body of %s %s: %v", method, path, err)
				}
			}
			return f(r, in)
		},
	}
}

// Raw makes a route of a handler whose answer is of another type than JSON.
func Raw(method, path, name, summary, media string, h http.Handler) Route {
	return Route{method: method, path: path, name: name, summary: summary, status: http.StatusOK, in: noBody, out: noBody, raw: h, media: media}
}

var noBody = reflect.TypeFor[None]()

// New returns the handler of the routes, and of /openapi.json.
func New(cfg Config, routes ...Route) (http.Handler, error) {
	s := &server{cfg}
	cfg.Guard.Refuse = s.refuse
	for i := range routes {
		if err := routes[i].describe(cfg.Schemas); err != nil {
			return nil, fmt.Errorf("api: %s %s: %w", routes[i].method, routes[i].path, err)
		}
	}
	description, err := describe(cfg, routes)
	if err != nil {
		return nil, fmt.Errorf("api: description: %w", err)
	}
	mux := http.NewServeMux()
	for _, r := range routes {
		h := s.handler(r)
		if !r.open {
			h = cfg.Guard.Known(h)
		}
		mux.Handle(r.method+" "+r.path, h)
	}
	mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) { send(w, http.StatusOK, description) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, &Failure{Status: http.StatusNotFound, Kind: "not_found", Message: fmt.Sprintf("there is no %s %s: /openapi.json lists what there is", r.Method, r.URL.Path)})
	})
	return cfg.Guard.Local(mux), nil
}

type server struct{ cfg Config }

// handler answers the requests of a route.
func (s *server) handler(r Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if s.cfg.Observe == nil {
			s.answer(w, req, r)
			return
		}
		start := s.cfg.Clock()
		status := s.answer(w, req, r)
		s.cfg.Observe(r.name, status, s.cfg.Clock().Sub(start))
	})
}

func (s *server) answer(w http.ResponseWriter, req *http.Request, r Route) (status int) {
	if r.raw != nil {
		r.raw.ServeHTTP(w, req)
		return http.StatusOK
	}
	var body bytes.Buffer
	if r.in != noBody {
		if media, _, err := mime.ParseMediaType(req.Header.Get("Content-Type")); err != nil || media != "application/json" {
			return s.fail(w, &Failure{Status: http.StatusUnsupportedMediaType, Kind: "content_type", Message: "the content type is not application/json"})
		}
		if _, err := body.ReadFrom(req.Body); err != nil {
			return s.fail(w, err)
		}
	}
	asked := Request{req.Context(), req.PathValue, req.URL.Query(), guard.Key(req.Header)}
	if r.events != nil {
		return s.events(w, r, asked, body.Bytes())
	}
	out, err := r.serve(asked, body.Bytes())
	if err != nil {
		return s.fail(w, err)
	}
	if r.out == noBody {
		w.WriteHeader(r.status)
		return r.status
	}
	answer, err := marshal(out)
	if err != nil {
		return s.fail(w, err)
	}
	send(w, r.status, answer)
	return r.status
}

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

// marshal writes JSON without the escapes that only HTML needs.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func send(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that is gone hears nothing
}

func (s *server) refuse(w http.ResponseWriter, status int, reason string) {
	kind := "forbidden"
	if status == http.StatusUnauthorized {
		kind = "token"
	}
	s.fail(w, &Failure{Status: status, Kind: kind, Message: reason})
}

// fail answers with an error and returns its status.
func (s *server) fail(w http.ResponseWriter, err error) int {
	f := s.failure(err)
	body, err := marshal(f.body())
	if err != nil {
		body = []byte(`{"error":{"kind":"failure","message":"the error has no JSON form"}}`)
	}
	if f.After > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((f.After+time.Second-1)/time.Second)))
	}
	send(w, f.Status, body)
	return f.Status
}

// body is the form of every error.
func (f *Failure) body() any {
	return map[string]any{"error": map[string]string{"kind": f.Kind, "message": f.Message}}
}

func (s *server) failure(err error) *Failure {
	if s.cfg.Fail != nil {
		if f := s.cfg.Fail(err); f != nil {
			return f
		}
	}
	if f := (*Failure)(nil); errors.As(err, &f) {
		return f
	}
	if long := (*http.MaxBytesError)(nil); errors.As(err, &long) {
		return &Failure{Status: http.StatusRequestEntityTooLarge, Kind: "too_large", Message: fmt.Sprintf("the request is longer than %d bytes", long.Limit)}
	}
	if s.cfg.Report != nil {
		s.cfg.Report(err)
	}
	return &Failure{Status: http.StatusInternalServerError, Kind: "failure", Message: "it failed, and this is not the caller's fault"}
}
