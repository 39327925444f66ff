package eval

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// ServiceConfig of [Service]. The zero value works.
type ServiceConfig struct {
	Client   *http.Client     // nil: one without redirects and with Timeout
	Timeout  time.Duration    // of one request; 0: two minutes
	Patience int              // failures in a row after which the measuring stops; 0: 10
	Now      func() time.Time // nil: latency is not measured
	Token    string           // sent as a bearer token, if not empty
}

// maxAnswer bounds an answer of a service, in bytes.
const maxAnswer = 1 << 20

// Service is a system behind HTTP, a student for example. It is sent
//
//	POST {url}/v1/recommend
//	{"id":"classic-7","user":"7","as_of":"2018-09-20T12:00:00Z","candidates":["318","2"]}
//
// and answers a ranking of item ids, best first, and what it cost if it knows:
//
//	{"ranking":["2","318"],"calls":1,"input_tokens":900,"output_tokens":80}
//
// A request that fails is a miss, as it would be for the user; after Patience
// failures in a row, of whichever tasks, it is an error, since then nothing is
// being measured.
func Service(name, url string, cfg ServiceConfig) System {
	s := &service{name: name, url: strings.TrimSuffix(url, "/") + "/v1/recommend", cfg: cfg}
	s.cfg.Patience = cmp.Or(cfg.Patience, 10)
	if s.cfg.Client == nil {
		s.cfg.Client = &http.Client{
			Timeout:       cmp.Or(cfg.Timeout, 2*time.Minute),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return System{Name: name, Rank: s.rank}
}

type service struct {
	name, url string
	cfg       ServiceConfig
	failures  atomic.Int64 // in a row
}

// serviceRequest is what a service is sent. It has no gold, and no scenario.
type serviceRequest struct {
	ID         string    `json:"id"`
	User       string    `json:"user"`
	AsOf       time.Time `json:"as_of"`
	Candidates []string  `json:"candidates"`
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
	body, err := json.Marshal(serviceRequest{q.Task.ID, q.Task.User, q.Task.AsOf.UTC(), q.Task.Candidates})
	if err != nil {
		return Answer{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	request.Header.Set("Content-Type", "application/json")
	if s.cfg.Token != "" {
		request.Header.Set("Authorization", "Bearer "+s.cfg.Token)
	}
	response, err := s.cfg.Client.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	b, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return Answer{}, fmt.Errorf("%s: %w", s.url, err)
	case response.StatusCode != http.StatusOK:
		return Answer{}, fmt.Errorf("%s: %s", s.url, response.Status)
	case len(b) > maxAnswer:
		return Answer{}, fmt.Errorf("%s: an answer of more than %d bytes", s.url, maxAnswer)
	}
	var answer struct {
		Ranking []string `json:"ranking"`
		Expense
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		return Answer{}, fmt.Errorf("%s: %w", s.url, err)
	}
	if answer.Ranking == nil {
		return Answer{}, errors.New(s.url + ": an answer without ranking")
	}
	a := Answer{Ranking: answer.Ranking}
	if answer.Expense != (Expense{}) {
		a.Expense = &answer.Expense
	}
	return a, nil
}
