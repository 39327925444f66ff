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
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

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
	slots chan struct{}
}

// New returns the handler that serves m.
func New(m model.Model, cfg Config) http.Handler {
	s := &server{model: m, cfg: cfg.withDefaults()}
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
	return s.guard(mux)
}

// guard refuses requests that were not meant for this server.
func (s *server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		if !s.goesBy(r.Host) {
			fail(w, forbidden("this server does not go by the host name %q", r.Host))
			return
		}
		if origin := r.Header.Get("Origin"); origin != "" {
			if u, err := url.Parse(origin); err != nil || u.Host == "" || !(u.Host == r.Host || loopback(u.Hostname())) {
				fail(w, forbidden("requests from the origin %q are not served", origin))
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// goesBy reports whether a request's Host names this server.
func (s *server) goesBy(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.Trim(strings.ToLower(name), "[]")
	return loopback(name) || slices.Contains(s.cfg.Hosts, "*") || slices.Contains(s.cfg.Hosts, name)
}

// loopback reports whether a host name is this machine's own.
func loopback(name string) bool {
	ip := net.ParseIP(name)
	return name == "localhost" || (ip != nil && ip.IsLoopback())
}

// known lets only those in who have the token.
func (s *server) known(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if s.cfg.Token != "" && (!ok || subtle.ConstantTimeCompare([]byte(token), []byte(s.cfg.Token)) != 1) {
			fail(w, &refusal{http.StatusUnauthorized, "invalid_request_error", "invalid_api_key", "the bearer token is missing or wrong"})
			return
		}
		next(w, r)
	})
}

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
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      cfg.withDefaults().Time + time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // clients that break off are no news
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err := srv.Shutdown(last)
	if err != nil {
		err = srv.Close()
	}
	if served := <-done; !errors.Is(served, http.ErrServerClosed) {
		return served
	}
	return err
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
