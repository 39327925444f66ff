package openai_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
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
)

// faulty is a provider that does each kind of wrong that providers do. It bills
// what it worked for, whether the caller hears of it or not.
type faulty struct {
	rate float64 // share of calls that go wrong

	mu     sync.Mutex
	draw   *rand.Rand
	asked  map[string]int // calls by what was asked
	kinds  map[string]int // calls by fault
	billed budget.Amount  // at price
	tokens int64          // billed
	price  budget.Price
	most   budget.Amount // cap; 0: none
	over   int           // times that the bill was over it
}

// exchange is one request to the provider.
type exchange struct {
	*faulty
	w      http.ResponseWriter
	r      *http.Request
	id     string
	stream bool
	in     int
	out    int
}

func (f *faulty) bill(in, out int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tokens += int64(in + out)
	f.billed += f.price.Cost(message.Usage{InputTokens: in, OutputTokens: out})
	if f.most > 0 && f.billed > f.most {
		f.over++
	}
}

func (f *faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var asked struct {
		Stream    bool `json:"stream"`
		MaxTokens int  `json:"max_tokens"`
		Messages  []struct{ Content string }
	}
	if err := json.Unmarshal(body, &asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	e := &exchange{faulty: f, w: w, r: r, id: asked.Messages[0].Content, stream: asked.Stream}
	f.mu.Lock()
	f.asked[e.id]++
	kind := "answer"
	if f.draw.Float64() < f.rate {
		kind = faultNames[f.draw.IntN(len(faultNames))]
	}
	e.in, e.out = 1+f.draw.IntN(len(e.id)+20), 1+f.draw.IntN(asked.MaxTokens)
	f.kinds[kind]++
	took := time.Duration(50+f.draw.IntN(400)) * time.Millisecond
	f.mu.Unlock()
	time.Sleep(took)
	if kind == "answer" {
		e.answer("far", true)
		return
	}
	faults[kind](e)
}

func (e *exchange) refuse(status int, body string, headers ...string) {
	e.w.Header().Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		e.w.Header().Set(headers[i], headers[i+1])
	}
	e.w.WriteHeader(status)
	_, _ = io.WriteString(e.w, body)
}

func (e *exchange) content() string { return "answer to " + e.id }

// answer is the right one.
func (e *exchange) answer(name string, told bool) {
	e.bill(e.in, e.out)
	usage := ""
	if told {
		usage = fmt.Sprintf(`,"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}`, e.in, e.out, e.in+e.out)
	}
	if !e.stream {
		e.refuse(200, fmt.Sprintf(`{"id":"x","model":%q,"choices":[{"index":0,"message":{"role":"assistant","content":%q},"finish_reason":"stop"}]%s}`, name, e.content(), usage))
		return
	}
	e.begin()
	e.event(fmt.Sprintf(`{"id":"x","model":%q,"choices":[{"index":0,"delta":{"content":%q}}]}`, name, e.content()))
	e.event(`{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`)
	if told {
		e.event(`{"choices":[]` + usage + `}`)
	}
	e.event("[DONE]")
}

func (e *exchange) begin() {
	e.w.Header().Set("Content-Type", "text/event-stream")
	e.w.WriteHeader(200)
}

func (e *exchange) event(data string) {
	_, _ = io.WriteString(e.w, "data: "+data+"\n\n")
	_ = http.NewResponseController(e.w).Flush()
}

// part sends the beginning of an answer.
func (e *exchange) part() {
	if e.stream {
		e.begin()
		e.event(`{"choices":[{"index":0,"delta":{"content":"answer"}}]}`)
		return
	}
	e.w.Header().Set("Content-Type", "application/json")
	e.w.Header().Set("Content-Length", "500")
	_, _ = io.WriteString(e.w, `{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"ans`)
	_ = http.NewResponseController(e.w).Flush()
}

func (e *exchange) cut() { panic(http.ErrAbortHandler) }

func (e *exchange) stall() { <-e.r.Context().Done() }

func (e *exchange) worked() *exchange {
	e.bill(e.in, e.out)
	return e
}

// faults are the kinds of wrong. Those that begin with worked are billed.
var faults = map[string]func(*exchange){
	"429, Retry-After in seconds": func(e *exchange) { e.refuse(429, `{"error":{"message":"slow"}}`, "Retry-After", "2") },
	"429, Retry-After as a date": func(e *exchange) {
		e.refuse(429, `{}`, "Retry-After", time.Now().Add(3*time.Second).UTC().Format(http.TimeFormat))
	},
	"429, Retry-After in milliseconds": func(e *exchange) { e.refuse(429, `{}`, "Retry-After-Ms", "700") },
	"429, Retry-After of a day":        func(e *exchange) { e.refuse(429, `{}`, "Retry-After", "86400") },
	"429 without Retry-After":          func(e *exchange) { e.refuse(429, `{"error":"slow"}`) },
	"429 with an empty body":           func(e *exchange) { e.refuse(429, ``) },
	"429 under status 200":             func(e *exchange) { e.refuse(200, `{"error":{"message":"slow","code":429}}`) },
	"429 in the stream":                func(e *exchange) { e.begin(); e.event(`{"error":{"message":"slow","code":429}}`) },
	"500":                              func(e *exchange) { e.refuse(500, `{"error":{"message":"oops"}}`) },
	"502, a page of HTML": func(e *exchange) {
		e.refuse(502, "<html><title>Bad gateway</title></html>", "Content-Type", "text/html")
	},
	"503, Retry-After":            func(e *exchange) { e.refuse(503, `{}`, "Retry-After", "1") },
	"503, loading":                func(e *exchange) { e.refuse(503, `{"detail":"loading"}`) },
	"504 after the work was done": func(e *exchange) { e.worked().refuse(504, ``) },
	"529":                         func(e *exchange) { e.refuse(529, `{"error":{"message":"overloaded"}}`) },
	"408":                         func(e *exchange) { e.refuse(408, ``) },
	"400, too long":               func(e *exchange) { e.refuse(400, `{"error":{"message":"too long"}}`) },
	"401":                         func(e *exchange) { e.refuse(401, `{"error":{"message":"no"}}`) },
	"404, no such model":          func(e *exchange) { e.refuse(404, `{"error":{"message":"no such model"}}`) },
	"a redirect":                  func(e *exchange) { e.refuse(307, ``, "Location", "http://elsewhere/v1") },
	"200 with an error body":      func(e *exchange) { e.refuse(200, `{"error":{"message":"no capacity"}}`) },
	"200 with HTML":               func(e *exchange) { e.refuse(200, "<!doctype html><p>log in", "Content-Type", "text/html") },
	"200 with plain text":         func(e *exchange) { e.refuse(200, "ok", "Content-Type", "text/plain") },
	"200 with an empty body":      func(e *exchange) { e.refuse(200, "") },
	"200 with broken JSON":        func(e *exchange) { e.worked().refuse(200, `{"choices":[{"message":`) },
	"200 without choices":         func(e *exchange) { e.refuse(200, `{"id":"x","choices":[]}`) },
	"a refusal of the model's": func(e *exchange) {
		e.worked().refuse(200, `{"choices":[{"message":{"role":"assistant","refusal":"I will not"}}]}`)
	},
	"cut before the answer": func(e *exchange) { e.worked().cut() },
	"cut in the answer":     func(e *exchange) { e.worked().part(); e.cut() },
	"ended in the answer": func(e *exchange) {
		e.worked()
		e.begin()
		e.event(`{"choices":[{"index":0,"delta":{"content":"answer"}}]}`)
	},
	"an error in the stream": func(e *exchange) {
		e.worked().part()
		e.event(`{"error":{"message":"lost a worker","type":"server_error"}}`)
	},
	"a stall before the answer": func(e *exchange) { e.worked().stall() },
	"a stall in the answer":     func(e *exchange) { e.worked().part(); e.stall() },
	"an endless answer":         func(e *exchange) { e.worked().endless() },
	"another model's name":      func(e *exchange) { e.answer("another", true) },
	"usage that nobody tells":   func(e *exchange) { e.answer("far", false) },
	"the same answer twice": func(e *exchange) {
		e.answer("far", true)
		if e.stream {
			e.event(`{"choices":[{"index":0,"delta":{"content":"answer"}}]}`)
			e.event("[DONE]")
		}
	},
}

var faultNames = func() (names []string) {
	for name := range faults {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}()

func (e *exchange) endless() {
	e.w.Header().Set("Content-Type", "application/json")
	spaces := []byte(strings.Repeat(" ", 1<<10))
	for range 64 {
		if _, err := e.w.Write(spaces); err != nil {
			return
		}
	}
}

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
	far := &faulty{rate: 0.5, draw: rand.New(rand.NewPCG(1, 2)), asked: map[string]int{}, kinds: map[string]int{}, price: price, most: most}
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
	asked, requests := 0, 0
	for _, n := range far.asked {
		asked = max(asked, n)
		requests += n
	}
	t.Logf("%d calls, %d requests: %d answered, %d failed, %d refused by the budget; at most %d attempts a call (%d seen by a provider)",
		calls, requests, answered, failed, refused, mostAttempts, asked)
	t.Logf("billed %s, settled %s of %s EUR; of %d requests nobody told the usage", far.billed, s.Total.Cost, most, s.Total.Unknown)
	t.Logf("%d kinds of fault", len(faultNames))
	for _, name := range faultNames {
		t.Logf("%6d × %s", far.kinds[name], name)
		if far.kinds[name] == 0 && !ends {
			t.Errorf("%s never happened", name)
		}
	}
	if asked > 5 || mostAttempts > 5 {
		t.Errorf("%d attempts, %d seen by a provider, want 5 at most", mostAttempts, asked)
	}
	if far.over > 0 || s.Total.Cost > most || far.billed > s.Total.Cost || s.HeldCost != 0 {
		t.Errorf("billed %s, settled %s, held %s of %s; over %d times", far.billed, s.Total.Cost, s.HeldCost, most, far.over)
	}
	if (refused > 0) != ends || answered == 0 || answered+failed+refused != calls {
		t.Errorf("%d answered, %d failed, %d refused", answered, failed, refused)
	}
}
