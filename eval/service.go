package eval

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/mars-rec/mars/star/client"
)

// ServiceConfig of [Service]. The zero value works.
type ServiceConfig struct {
	HTTP     *http.Client     // nil: that of package client
	Patience int              // failures in a row after which the measuring stops; 0: 10
	Now      func() time.Time // nil: latency is not measured
	Token    string           // sent as a bearer token, if not empty
}

// Service is a student that is served, by mars serve or by whatever speaks as
// package client does:
//
//	POST {url}/v1/recommend
//	{"id":"classic-7","user":"7","as_of":"2018-09-20T12:00:00Z","candidates":["318","2"]}
//	->
//	{"ranking":["2","318"],"by":"student","calls":2,"input_tokens":900,"output_tokens":80}
//
// A request that fails is a miss, as it would be for the user; so is an answer
// of the service's fall-back, which is not the student's. After Patience failures
// in a row, of whichever tasks, it is an error, since then nothing is being
// measured.
func Service(name, url string, cfg ServiceConfig) System {
	s := &service{client: client.New(url, client.Config{Key: cfg.Token, HTTP: cfg.HTTP}), cfg: cfg}
	s.cfg.Patience = cmp.Or(cfg.Patience, 10)
	return System{Name: name, Rank: s.rank}
}

type service struct {
	client   *client.Client
	cfg      ServiceConfig
	failures atomic.Int64 // in a row
}

func (s *service) rank(ctx context.Context, q Question) (Answer, error) {
	var start time.Time
	if s.cfg.Now != nil {
		start = s.cfg.Now()
	}
	a, err := s.ask(ctx, q)
	if ctx.Err() != nil {
		return Answer{}, ctx.Err()
	}
	if err != nil {
		if s.failures.Add(1) >= int64(s.cfg.Patience) {
			return Answer{}, fmt.Errorf("%d requests in a row failed: %w", s.cfg.Patience, err)
		}
		return Answer{}, nil // a miss
	}
	s.failures.Store(0)
	if s.cfg.Now != nil {
		took := s.cfg.Now().Sub(start).Seconds()
		if a.Expense == nil {
			a.Expense = &Expense{}
		}
		a.Expense.Seconds = &took
	}
	return a, nil
}

func (s *service) ask(ctx context.Context, q Question) (Answer, error) {
	asOf := q.Task.AsOf.UTC()
	got, err := s.client.Recommend(ctx, client.Request{ID: q.Task.ID, User: q.Task.User, AsOf: &asOf, Candidates: q.Task.Candidates})
	if err != nil {
		return Answer{}, err
	}
	if got.By == client.ByFallback {
		return Answer{}, errors.New("the fall-back answered: " + got.Why)
	}
	e := Expense{Calls: known(got.Calls), InputTokens: known(got.InputTokens), OutputTokens: known(got.OutputTokens)}
	if got.CachedCalls > 0 {
		e.Calls = &got.Calls // none is known too, where a cache answered all
	}
	if e == (Expense{}) {
		return Answer{Ranking: got.Ranking}, nil
	}
	return Answer{Ranking: got.Ranking, Expense: &e}, nil
}

// known is a number that a service tells, nil for the 0 that it does not know.
func known(n int) *int {
	if n == 0 {
		return nil
	}
	return &n
}
