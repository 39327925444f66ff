package openai_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/budget"
	"github.com/mars-rec/mars/model/openai"
	"github.com/mars-rec/mars/model/openai/openaitest"
)

// pipes is a network within the process, so that the clock can be a fake one.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	close  func()
}

func newPipes() pipes {
	closed := make(chan struct{})
	return pipes{make(chan net.Conn), closed, sync.OnceFunc(func() { close(closed) })}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error {
	p.close()
	return nil
}

func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// reach serves the provider and returns a model that speaks to it over HTTP, and
// what ends both.
func reach(t *testing.T, name string, f http.Handler) (model.Model, func()) {
	l := newPipes()
	srv := &http.Server{Handler: f}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = srv.Serve(l)
	}()
	base := &http.Transport{MaxConnsPerHost: 64, MaxIdleConnsPerHost: 64, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		near, far := net.Pipe()
		select {
		case l.conns <- far:
			return near, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}
	m, err := openai.New(name, openai.Config{BaseURL: "http://" + name + "/v1", Base: base, Limit: 32 << 10})
	if err != nil {
		t.Fatal(err)
	}
	return m, func() {
		base.CloseIdleConnections()
		_ = srv.Close()
		<-served
	}
}

// question is what a request asks, and the most tokens that its answer may have.
func question(body []byte) (asks string, most int) {
	var asked struct {
		MaxTokens int `json:"max_tokens"`
		Messages  []struct{ Content string }
	}
	if json.Unmarshal(body, &asked) != nil || len(asked.Messages) == 0 {
		return "", 1
	}
	return asked.Messages[0].Content, asked.MaxTokens
}

// TestStorm makes many calls, 256 at a time, through all wrappers to two
// providers that do everything wrong: no call is tried more than five times, no
// fault becomes an answer, no answer is another's, and the budget is held against
// what the providers bill.
func TestStorm(t *testing.T) {
	calls := 10_000
	if testing.Short() {
		calls = 1_000
	}
	for _, c := range []struct {
		name string
		cap  budget.Amount
		ends bool // before all calls are made
	}{{"with money enough", 1000 * budget.One, false}, {"with a budget", budget.Amount(calls) * budget.One / 1250, true}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { storm(t, calls, c.cap, c.ends) })
		})
	}
}

func storm(t *testing.T, calls int, most budget.Amount, ends bool) {
	prices, err := budget.ReadPrices(strings.NewReader("currency: EUR\nmodels: {first: {input: 1, output: 4}, second: {input: 1, output: 4}}"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := budget.New(budget.Config{Cost: most, Prices: prices})
	if err != nil {
		t.Fatal(err)
	}
	price, _ := prices.Of("first")
	over, asked, billed := 0, map[string]int{}, budget.Amount(0)
	draw, drawing := rand.New(rand.NewPCG(1, 2)), sync.Mutex{}
	far := openaitest.New(openaitest.Config{
		Rate: 0.5,
		Seed: 1,
		Answer: func(body []byte) (openaitest.Answer, error) {
			asks, most := question(body)
			drawing.Lock()
			defer drawing.Unlock()
			return openaitest.Answer{
				Message: fmt.Appendf(nil, `{"role":"assistant","content":%q}`, "answer to "+asks),
				Input:   1 + draw.IntN(len(asks)+20), Output: 1 + draw.IntN(most),
			}, nil
		},
		Delay: func(draw *rand.Rand) time.Duration { return time.Duration(50+draw.IntN(400)) * time.Millisecond },
		Heard: func(r openaitest.Request) {
			asks, _ := question(r.Body)
			asked[asks]++
		},
		Billed: func(in, out int) {
			if billed += price.Cost(message.Usage{InputTokens: in, OutputTokens: out}); billed > most {
				over++
			}
		},
	})
	var chain []model.Model
	var close []func()
	for _, name := range []string{"first", "second"} {
		m, end := reach(t, name, far)
		close = append(close, end)
		m = model.NewLimiter(model.LimitConfig{Concurrency: 256}).Wrap(model.NewBreaker(model.BreakerConfig{}).Wrap(model.Timeout(m, 20*time.Second)))
		if m, err = b.Wrap(name, m); err != nil {
			t.Fatal(err)
		}
		chain = append(chain, m)
	}
	m := model.Retry(chain[0], model.RetryConfig{Fallbacks: chain[1:]})
	var (
		mu                        sync.Mutex
		answered, failed, refused int
		mostAttempts, next        int
	)
	var wg sync.WaitGroup
	for range 256 {
		wg.Go(func() {
			for {
				mu.Lock()
				n := next
				next++
				mu.Unlock()
				if n >= calls {
					return
				}
				id := "call " + strconv.Itoa(n)
				req := model.Request{Messages: []model.Message{{Role: model.User, Content: id}}, Sampling: model.Sampling{MaxTokens: 500}}
				if n%2 == 0 {
					req.OnChunk = func(model.Chunk) {}
				}
				reply, err := m.Generate(t.Context(), req)
				mu.Lock()
				mostAttempts = max(mostAttempts, reply.Attempts)
				switch {
				case errors.Is(err, model.ErrBudget):
					refused++
				case err != nil:
					failed++
				case reply.Message.Content != "answer to "+id:
					t.Errorf("%s got %q", id, reply.Message.Content)
				default:
					answered++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for _, end := range close {
		end()
	}
	s := b.Statement()
	seen, requests, kinds := 0, 0, far.Counts()
	for _, n := range asked {
		seen = max(seen, n)
		requests += n
	}
	t.Logf("%d calls, %d requests: %d answered, %d failed, %d refused by the budget; at most %d attempts a call (%d seen by a provider)",
		calls, requests, answered, failed, refused, mostAttempts, seen)
	t.Logf("billed %s, settled %s of %s EUR; of %d requests nobody told the usage", billed, s.Total.Cost, most, s.Total.Unknown)
	t.Logf("%d kinds of fault", len(openaitest.Faults()))
	for _, name := range openaitest.Faults() {
		t.Logf("%6d × %s", kinds[name], name)
		if kinds[name] == 0 && !ends {
			t.Errorf("%s never happened", name)
		}
	}
	if seen > 5 || mostAttempts > 5 {
		t.Errorf("%d attempts, %d seen by a provider, want 5 at most", mostAttempts, seen)
	}
	if over > 0 || s.Total.Cost > most || billed > s.Total.Cost || s.HeldCost != 0 {
		t.Errorf("billed %s, settled %s, held %s of %s; over %d times", billed, s.Total.Cost, s.HeldCost, most, over)
	}
	if (refused > 0) != ends || answered == 0 || answered+failed+refused != calls {
		t.Errorf("%d answered, %d failed, %d refused", answered, failed, refused)
	}
}
