// Package openaitest has a provider for tests: a server of OpenAI's chat
// completions API that goes wrong in all the ways in which providers do, and
// keeps a bill of what it worked for, whether its caller heard of it or not.
//
//	request ──> Answer: what is right ──┬──────────────────────> response
//	                                    └─> a fault of the list ─> what comes instead
//	                                          (Rate of them)       nothing, half, a refusal, ...
//
// What is right is a function of the test's own, so answers can be those of a
// real teacher. What goes wrong is drawn from a seed; where requests come at
// once their order is not seeded, so counts differ a little from run to run.
package openaitest

import (
	"encoding/json"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Answer is the right one to a request.
type Answer struct {
	Message json.RawMessage // as the API has it: role, content, tool_calls
	Finish  string          // finish_reason; "": "stop"
	Input   int             // tokens
	Output  int             // tokens
}

// Request is one that has reached the provider.
type Request struct {
	Body  []byte
	Path  string // of its URL
	ID    string // that the answer has, if there is one: no two have the same
	Fault string // what goes wrong; "": nothing
}

// Config of a [Provider]. Answer is required.
type Config struct {
	// Answer gives the right answer to a request's body; an error is answered
	// with status 400. It is called concurrently.
	Answer func(body []byte) (Answer, error)
	Name   string   // of the model that says it answered; "": "far"
	Rate   float64  // share of requests that go wrong, 0 to 1
	Faults []string // names of what may go wrong; nil: [Faults]
	Seed   uint64
	// Delay draws how long an answer takes; nil: no time.
	Delay func(*rand.Rand) time.Duration
	Clock func() time.Time // for moments that are told; nil: time.Now
	// Heard, if not nil, hears of each request before it is answered, one at a
	// time.
	Heard func(Request)
	// Billed, if not nil, hears of the tokens that each piece of work is billed
	// with, one at a time, also where the answer is lost.
	Billed func(in, out int)
}

// Provider is a server that goes wrong. It is an [http.Handler].
type Provider struct {
	cfg Config

	mu     sync.Mutex
	rate   float64
	draw   *rand.Rand
	heard  int
	counts map[string]int
	tokens int64
}

// New returns a provider.
func New(cfg Config) *Provider {
	if cfg.Name == "" {
		cfg.Name = "far"
	}
	if cfg.Faults == nil {
		cfg.Faults = Faults()
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Heard == nil {
		cfg.Heard = func(Request) {}
	}
	if cfg.Billed == nil {
		cfg.Billed = func(int, int) {}
	}
	return &Provider{cfg: cfg, rate: cfg.Rate, draw: rand.New(rand.NewPCG(cfg.Seed, 2)), counts: map[string]int{}}
}

// Faults are the names of all that can go wrong, sorted.
func Faults() []string { return slices.Sorted(maps.Keys(faults())) }

// SetRate changes the share of requests that go wrong from now on.
func (p *Provider) SetRate(rate float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rate = rate
}

// Counts tells how many requests went wrong, by the name of the fault.
func (p *Provider) Counts() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.counts)
}

// Billed is the number of tokens, in and out, that the provider worked for.
func (p *Provider) Billed() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tokens
}

// ServeHTTP answers a request, or does what goes wrong with it.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller has gone
	}
	var asked struct {
		Stream bool `json:"stream"`
	}
	if err := json.Unmarshal(body, &asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	id, fault, takes := p.hear(Request{Body: body, Path: r.URL.Path})
	right, err := p.cfg.Answer(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if right.Finish == "" {
		right.Finish = "stop"
	}
	if takes > 0 {
		wait := time.NewTimer(takes)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-r.Context().Done(): // it is worked for all the same
		}
	}
	e := &exchange{Provider: p, w: w, r: r, id: id, right: right, stream: asked.Stream}
	if fault == "" {
		e.answer(p.cfg.Name, true)
		return
	}
	faults()[fault](e)
}

// hear notes a request and draws what becomes of it.
func (p *Provider) hear(r Request) (id, fault string, takes time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.draw.Float64() < p.rate {
		fault = p.cfg.Faults[p.draw.IntN(len(p.cfg.Faults))]
		p.counts[fault]++
	}
	if p.cfg.Delay != nil {
		takes = p.cfg.Delay(p.draw)
	}
	p.heard++
	r.ID, r.Fault = "answer-"+strconv.Itoa(p.heard), fault
	p.cfg.Heard(r)
	return r.ID, fault, takes
}

func (p *Provider) bill(in, out int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tokens += int64(in + out)
	p.cfg.Billed(in, out)
}
