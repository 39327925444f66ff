// Package ors serves an environment by the Open Reward Standard, as the
// openreward client speaks it: HTTP, with answers of tools as server-sent
// events.
//
//	GET  /list_environments  /mars/tools  /mars/splits  /mars/task_tools  /mars/prompt  /mars/messages
//	POST /mars/tasks  /mars/num_tasks  /mars/task  /mars/task_range  /mars/call  /mars/score_group
//	POST /create_session  /create  /ping  /delete  /delete_session
//	GET  /health  /version
//
// There is one environment, mars, with one split; its name may be left out of a
// path. A session is named by the header X-Session-ID. The standard hears tool
// calls and nothing else of what a model says, so there is a tool besides the
// student's, answer: it takes all that the student said, from the plan to the
// ranking, and gives the reward. It is the terminal tool too, for harnesses
// that end with a plain message. A trainer that holds whole conversations has
// them judged by score_group, which needs no answer.
//
//	POST /mars/call  {"name":"item_cf","input":{...}}
//	     event: task_id  ─> event: chunk ... ─> event: end     joined, one JSON object
//	     {"ok":true,"output":{"blocks":[{"type":"text","text":"..."}],"metadata":null,"reward":null,"finished":false}}
//
// A client whose connection broke asks again with the task_id, and the tool is
// not called twice.
package ors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"

	"github.com/mars-rec/mars/internal/guard"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/star/environment"
)

// Name is the one environment's.
const Name = "mars"

// Config of a handler.
type Config struct {
	environment.Access
	Split string // of the tasks: train, validation or test; "": train
}

// New returns the handler that serves e.
func New(e *environment.Environment, cfg Config) (http.Handler, error) {
	switch cfg.Split {
	case "":
		cfg.Split = "train"
	case "train", "validation", "test":
	default:
		return nil, fmt.Errorf("ors: no split %q: there are train, validation and test", cfg.Split)
	}
	g := guard.Config{Token: cfg.Token, Hosts: cfg.Hosts, Limit: cfg.Limit, Refuse: refuse}
	s := &service{e, cfg.Split}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { send(w, map[string]string{"status": "ok"}) })
	for pattern, h := range map[string]func(*http.Request) (any, error){
		"GET /version":           s.version,
		"GET /list_environments": s.environments,
		"POST /create":           s.create,
		"POST /ping":             s.ping,
		"POST /delete":           s.remove,
		"POST /delete_session":   s.remove,
	} {
		mux.Handle(pattern, g.Known(answer(h)))
	}
	mux.Handle("POST /create_session", g.Known(http.HandlerFunc(s.open)))
	for pattern, h := range map[string]http.Handler{
		"GET %s/tools":        answer(s.tools),
		"GET %s/task_tools":   answer(s.taskTools),
		"GET %s/splits":       answer(s.splits),
		"GET %s/prompt":       answer(s.prompt),
		"GET %s/messages":     answer(s.messages),
		"POST %s/tasks":       answer(s.tasks),
		"POST %s/num_tasks":   answer(s.count),
		"POST %s/task":        answer(s.task),
		"POST %s/task_range":  answer(s.taskRange),
		"POST %s/call":        http.HandlerFunc(s.call),
		"POST %s/score_group": http.HandlerFunc(s.scoreGroup),
	} {
		mux.Handle(fmt.Sprintf(pattern, "/"+Name), g.Known(h))
		mux.Handle(fmt.Sprintf(pattern, ""), g.Known(h))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, &failure{http.StatusNotFound, fmt.Sprintf("there is no %s %s, or no such environment: there is %q", r.Method, r.URL.Path, Name)})
	})
	return g.Local(mux), nil
}

type service struct {
	*environment.Environment
	split string
}

// failure is an error with its status.
type failure struct {
	status int
	detail string
}

func (f *failure) Error() string { return f.detail }

func invalid(format string, args ...any) error {
	return &failure{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

func refuse(w http.ResponseWriter, status int, reason string) { fail(w, &failure{status, reason}) }

// fail answers with an error, in the form of the standard's servers.
func fail(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	var known *failure
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &known):
		status = known.status
	case errors.As(err, &long):
		status = http.StatusRequestEntityTooLarge
	case errors.Is(err, environment.ErrNoSession), errors.Is(err, environment.ErrNotBegun):
		status = http.StatusNotFound
	case errors.Is(err, environment.ErrNoTask), errors.Is(err, environment.ErrBegun), errors.Is(err, environment.ErrEnded):
		status = http.StatusBadRequest
	case errors.Is(err, environment.ErrSpent):
		status = http.StatusRequestEntityTooLarge
	case errors.Is(err, environment.ErrFull):
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "5")
	}
	body, err := message.Marshal(map[string]string{"detail": err.Error()})
	if err != nil {
		body = []byte(`{"detail":"the error has no JSON form"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a client that is gone hears nothing
}

// answer makes a handler of a function from a request to a value.
func answer(f func(*http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := f(r)
		if err != nil {
			fail(w, err)
			return
		}
		send(w, v)
	})
}

func send(w http.ResponseWriter, v any) {
	body, err := message.Marshal(v)
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(body, '\n')) // a client that is gone hears nothing
}

// read reads the JSON body of a request strictly.
func read[T any](r *http.Request) (T, error) {
	var v T
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return v, &failure{http.StatusUnsupportedMediaType, "the content type is not application/json"}
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(r.Body); err != nil {
		return v, err
	}
	dec := json.NewDecoder(&body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		return v, &failure{http.StatusUnprocessableEntity, fmt.Sprintf("the body of %s: %v", r.URL.Path, err)}
	}
	return v, nil
}

// session returns the session that the request names.
func (s *service) session(r *http.Request) (*environment.Session, error) {
	id := r.Header.Get("X-Session-ID")
	if id == "" {
		return nil, invalid("the header X-Session-ID is missing")
	}
	return s.Session(id)
}
