// Package service is the student behind HTTP: a user or a history comes in, a
// ranking with its reasons goes out.
//
//	POST /v1/recommend          {"user":"7","n":5}  ->  {"ranking":["318",...],"by":"student",...}
//	POST /v1/recommend/stream   the same, in events: delta, then answer
//	POST /v1/compare            teacher and student side by side, where there is a teacher
//	GET  /health  /metrics  /openapi.json
//
//	request ─> task as of its moment ─> student ───────────────> answer
//	           (candidates from the       │ error, or time is up
//	            graph, if none came)      └─> fused score of the graph's signals, and said so
//
// A history that comes with a request is laid over the graph for that request
// alone: the tools see it as they see any other user's. Nothing of a request is
// kept.
package service

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/graph/rank"
	"github.com/mars-rec/mars/internal/api"
	"github.com/mars-rec/mars/internal/guard"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/star"
	"github.com/mars-rec/mars/star/client"
	"github.com/mars-rec/mars/tasks"
)

// Data is what is recommended from.
type Data struct {
	Name    string // the data set's
	Graph   *graph.Graph
	Catalog tasks.Catalog
}

// Recommender ranks the candidates of a view's task: [star.Student.Recommend],
// or a team. Hear, if it is not nil, gets what is said as it is written, where
// the recommender can.
type Recommender func(ctx context.Context, view tasks.View, hear func(model.Chunk)) (star.Answer, error)

// Config of a service. Data, Student and Model are required.
type Config struct {
	Data    Data
	Student Recommender
	Model   string      // the student's name, as it is told
	Teacher Recommender // nil: nothing is compared

	Weights    *rank.Weights   // of the fallback; nil: rank.Default
	Attributes rank.Attributes // for weights that use categories and years; nil: without them

	Candidates int           // found where none came; 0: 20
	Time       time.Duration // for the student; 0: 30 seconds
	AtOnce     int           // requests that are worked on at once; 0: 64. More are told to come again
	PerMinute  int           // requests a minute of each key, in bursts of as many at most; 0: no bound

	Guard  guard.Config
	Clock  func() time.Time // nil: time.Now
	Random io.Reader        // of ids; nil: crypto/rand
	Report func(error)      // is told what clients do not hear; nil: nobody
}

func (c Config) withDefaults() Config {
	c.Candidates = cmp.Or(c.Candidates, 20)
	c.Time = cmp.Or(c.Time, 30*time.Second)
	c.AtOnce = cmp.Or(c.AtOnce, 64)
	if c.Weights == nil {
		w := rank.Default()
		c.Weights = &w
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.Report == nil {
		c.Report = func(error) {}
	}
	return c
}

// service answers requests.
type service struct {
	cfg     Config
	slots   chan struct{}
	limits  limits
	metrics *metrics
}

// New returns the handler of a service. It starts no goroutine.
func New(cfg Config) (http.Handler, error) {
	if cfg.Data.Graph == nil || cfg.Data.Catalog == nil || cfg.Student == nil {
		return nil, errors.New("service: data or student are missing")
	}
	cfg = cfg.withDefaults()
	s := &service{cfg: cfg, slots: make(chan struct{}, cfg.AtOnce), metrics: newMetrics()}
	s.limits.rate, s.limits.clock = rate.Limit(float64(cfg.PerMinute)/60), cfg.Clock
	s.limits.burst = cfg.PerMinute
	routes := []api.Route{
		api.At("GET", "/health", "health", "Say that the server is up", s.health).Public(),
		api.Raw("GET", "/metrics", "metrics", "Counters for Prometheus", "text/plain", s.metrics.handler()),
		api.At("POST", "/v1/recommend", "recommend", "Rank candidates for a user", s.recommend),
		api.Stream("POST", "/v1/recommend/stream", "stream", "The same, as it is written: events delta, then answer", s.stream),
	}
	if cfg.Teacher != nil {
		routes = append(routes, api.At("POST", "/v1/compare", "compare", "Ask teacher and student", s.compare))
	}
	return api.New(api.Config{
		Title:       "mars student",
		Description: fmt.Sprintf("Recommendations of %s from the data set %s, with their reasons.", cfg.Model, cfg.Data.Name),
		Guard:       cfg.Guard,
		Report:      cfg.Report,
		Observe:     s.metrics.observe,
		Clock:       cfg.Clock,
	}, routes...)
}

// up says what is served.
type up struct {
	Status  string `json:"status"`
	Model   string `json:"model"`
	Dataset string `json:"dataset"`
}

func (s *service) health(api.Request, api.None) (up, error) {
	return up{"ok", s.cfg.Model, s.cfg.Data.Name}, nil
}

// admit lets a request in, if there is room and its key has not asked too
// often; done is called when it has been answered.
func (s *service) admit(r api.Request) (done func(), err error) {
	if wait := s.limits.take(r.Key); wait > 0 {
		return nil, &api.Failure{Status: http.StatusTooManyRequests, Kind: "too_many_requests", After: wait,
			Message: fmt.Sprintf("at most %d requests a minute are answered", s.cfg.PerMinute)}
	}
	select {
	case s.slots <- struct{}{}:
		return func() { <-s.slots }, nil
	default:
		return nil, &api.Failure{Status: http.StatusServiceUnavailable, Kind: "busy", After: time.Second,
			Message: fmt.Sprintf("%d requests are being worked on: try again", s.cfg.AtOnce)}
	}
}

func (s *service) recommend(r api.Request, in client.Request) (client.Answer, error) {
	done, err := s.admit(r)
	if err != nil {
		return client.Answer{}, err
	}
	defer done()
	q, err := s.question(r, in)
	if err != nil {
		return client.Answer{}, err
	}
	return s.answer(r, q, nil)
}

func (s *service) stream(r api.Request, in client.Request, emit func(event string, data any) error) error {
	done, err := s.admit(r)
	if err != nil {
		return err
	}
	defer done()
	q, err := s.question(r, in)
	if err != nil {
		return err
	}
	a, err := s.answer(r, q, func(c model.Chunk) {
		// A client that is gone ends the request's context: nothing is lost.
		_ = emit("delta", delta{Content: c.Content, Reset: c.Reset})
	})
	if err != nil {
		return err
	}
	return emit("answer", a)
}

// delta is a piece of what the student writes. With Reset, what came of the
// present reply is void: it is written again.
type delta struct {
	Content string `json:"content"`
	Reset   bool   `json:"reset,omitempty"`
}

func (s *service) compare(r api.Request, in client.Request) (client.Comparison, error) {
	done, err := s.admit(r)
	if err != nil {
		return client.Comparison{}, err
	}
	defer done()
	q, err := s.question(r, in)
	if err != nil {
		return client.Comparison{}, err
	}
	var c client.Comparison
	if c.Teacher, err = s.ask(r, q, client.ByTeacher, s.cfg.Teacher, nil); err != nil {
		s.cfg.Report(fmt.Errorf("request %s: teacher: %w", q.task.ID, err))
		return c, &api.Failure{Status: http.StatusBadGateway, Kind: "teacher", Message: "the teacher did not answer"}
	}
	if c.Student, err = s.answer(r, q, nil); err != nil {
		return c, err
	}
	c.Overlap = overlap(c.Teacher.Ranking, c.Student.Ranking)
	return c, nil
}

// overlap is the share of the first five of one ranking that are among the
// first five of the other.
func overlap(a, b []string) float64 {
	const most = 5
	a, b = a[:min(most, len(a))], b[:min(most, len(b))]
	shared := 0
	for _, x := range a {
		for _, y := range b {
			if x == y {
				shared++
			}
		}
	}
	return float64(shared) / float64(max(1, len(a)))
}
