// Package server puts any [model.Model] behind OpenAI's chat completions API,
// so that every client of that API can be tried against it.
//
//	POST /v1/chat/completions   tools, response_format json_schema, stream
//	GET  /v1/models             the one model that is served
//	GET  /health                {"status":"ok"}
//
// It is made to listen on this machine only: requests whose Host is not one of
// the names it goes by are refused, so that a web page cannot reach it by
// rebinding a name, and so are requests from the pages of other origins. Bodies,
// waiting requests and times are bounded; errors have OpenAI's form.
//
// What the API can say and a [model.Request] cannot (several choices, a forced
// tool, images, log probabilities) is refused with status 400 rather than
// ignored, where ignoring it would change the answer.
package server

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/mars-rec/mars/internal/guard"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
)

// Config of a handler. The zero value works.
type Config struct {
	Name  string           // of the model, as clients ask for it; "": "model"
	Token string           // that clients send as a bearer token; "": none is asked for
	Hosts []string         // names besides this machine's that requests may be addressed to; "*": any
	Limit int64            // bytes of a request; 0: 4 MB, since a prompt carries a history
	Calls int              // answered at once, others wait; 0: 64
	Time  time.Duration    // for one answer; 0: 10 minutes
	Clock func() time.Time // for the created field of answers; nil: time.Now
}

func (c Config) withDefaults() Config {
	if c.Name == "" {
		c.Name = "model"
	}
	if c.Limit == 0 {
		c.Limit = 4 << 20
	}
	if c.Calls == 0 {
		c.Calls = 64
	}
	if c.Time == 0 {
		c.Time = 10 * time.Minute
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return c
}

type server struct {
	model model.Model
	cfg   Config
	guard guard.Config
	slots chan struct{}
}

// New returns the handler that serves m.
func New(m model.Model, cfg Config) http.Handler {
	s := &server{model: m, cfg: cfg.withDefaults()}
	s.guard = guard.Config{Token: s.cfg.Token, Hosts: s.cfg.Hosts, Limit: s.cfg.Limit, Refuse: refuse}
	s.slots = make(chan struct{}, s.cfg.Calls)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		write(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.Handle("GET /v1/models", s.known(s.models))
	mux.Handle("GET /v1/models/{name...}", s.known(s.one))
	mux.Handle("POST /v1/chat/completions", s.known(s.complete))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, &refusal{http.StatusNotFound, "invalid_request_error", "not_found",
			fmt.Sprintf("there is no %s %s: there are POST /v1/chat/completions, GET /v1/models and GET /health", r.Method, r.URL.Path)})
	})
	return s.guard.Local(mux)
}

// refuse answers a request that the guard does not let in.
func refuse(w http.ResponseWriter, status int, reason string) {
	code := "forbidden"
	if status == http.StatusUnauthorized {
		code = "invalid_api_key"
	}
	fail(w, &refusal{status, "invalid_request_error", code, reason})
}

// known lets only those in who have the token.
func (s *server) known(next http.HandlerFunc) http.Handler { return s.guard.Known(next) }

func (s *server) models(w http.ResponseWriter, _ *http.Request) {
	write(w, http.StatusOK, map[string]any{"object": "list", "data": []any{s.card()}})
}

func (s *server) one(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("name") != s.cfg.Name {
		fail(w, s.unknown(r.PathValue("name")))
		return
	}
	write(w, http.StatusOK, s.card())
}

func (s *server) card() map[string]any {
	return map[string]any{"id": s.cfg.Name, "object": "model", "created": 0, "owned_by": "mars"}
}

func (s *server) unknown(name string) error {
	return &refusal{http.StatusNotFound, "invalid_request_error", "model_not_found",
		fmt.Sprintf("there is no model %q: this server has %q", name, s.cfg.Name)}
}

// Serve serves the handler until ctx ends, then lets requests in flight finish
// for up to 10 seconds. Slow clients are cut off.
func Serve(ctx context.Context, l net.Listener, h http.Handler, cfg Config) error {
	return guard.Serve(ctx, l, h, cfg.withDefaults().Time)
}

func write(w http.ResponseWriter, status int, v any) {
	body, err := message.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error":{"message":"the answer has no JSON form","type":"server_error"}}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a client that is gone hears nothing
}
