package cluster_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/mars-rec/mars/agents"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/budget"
	"github.com/mars-rec/mars/model/modeltest"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/orchestrator/cluster"
	"github.com/mars-rec/mars/tasks"
)

var (
	liveSchedules = flag.Int("cluster.schedules", 16, "schedules on real NATS servers that TestLiveSchedules plays")
	liveLanes     = flag.Int("cluster.lanes", 4, "NATS servers on which they are played, at the same time")
	liveSeed      = flag.Uint64("cluster.seed", 1, "seed of the first")
)

// play is one schedule: a small batch with a budget, made by workers to which
// things happen.
type play struct {
	t       *testing.T
	draw    *rand.Rand
	lane    *lane
	name    string
	book    *diary
	account string // the file of the newest coordinator
	journal *budget.Journal
	cap     int64
	done    map[string]int

	mu     sync.Mutex
	dice   *rand.Rand // of the provider
	billed int64
	calls  int
	again  []string
	twice  int

	hands []*hired
	crew  sync.WaitGroup
	nc    *nats.Conn
	end   chan error
	stop  context.CancelFunc
	hush  func() // ends the echo, if there is one
}

type hired struct {
	nc    *nats.Conn
	valve *valve
	leave context.CancelFunc
}

const (
	liveLease = 300 * time.Millisecond
	liveRuns  = 4
	liveFacts = 6
	liveMost  = 100 + 10 + 64 + 16 // tokens of a call at most
)

// slow is the end of a coordinator for which the server does not make a queue within
// a lease: it is busy, or wiped meanwhile.
const slow = "the coordinator gives the server up and is started again"

// dial connects as a worker or a coordinator does, and tries again sooner.
func (p *play) dial() (*nats.Conn, *valve) {
	v := &valve{}
	nc, err := nats.Connect(p.lane.url, nats.SetCustomDialer(v), nats.MaxReconnects(-1), nats.ReconnectWait(5*time.Millisecond), nats.ReconnectJitter(0, 0),
		nats.RetryOnFailedConnect(true), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		p.t.Fatal(err)
	}
	return nc, v
}

// Generate is the provider: it bills, and sometimes it goes wrong.
func (p *play) Generate(ctx context.Context, req model.Request) (model.Reply, error) {
	p.mu.Lock()
	in, out := req.MaxInput()-p.dice.IntN(20), req.Sampling.MaxTokens-p.dice.IntN(90)
	p.billed += int64(in + out)
	p.calls++
	wrong, took := p.dice.IntN(12), time.Duration(p.dice.IntN(40))*time.Millisecond
	text := fmt.Sprint("answer ", p.calls)
	p.mu.Unlock()
	select {
	case <-time.After(took):
	case <-ctx.Done():
		return model.Reply{}, context.Cause(ctx)
	}
	if wrong == 0 {
		return model.Reply{}, &model.Error{Temporary: true, Err: errors.New("cut")}
	}
	reply := modeltest.Say(text)
	if wrong > 1 {
		reply.Usage = &message.Usage{InputTokens: in, OutputTokens: out}
	}
	return reply, nil
}

// errand makes runs of a few facts, one after the other.
type errand struct {
	p     *play
	model model.Model
}

func (e errand) RunAs(ctx context.Context, run string, _ tasks.Task, log message.Log, record agents.Record) (orchestrator.Result, error) {
	began := e.p.book.now()
	for i := range liveFacts {
		id := message.Root.Child(i + 1)
		_, known, err := record.Recall(id, "d")
		if err != nil {
			return orchestrator.Result{}, err
		}
		if known {
			continue
		}
		if e.p.book.had(run, id, began) {
			e.p.mu.Lock()
			e.p.again = append(e.p.again, run+" "+string(id))
			e.p.mu.Unlock()
		} else if e.p.book.had(run, id, 1<<30) {
			e.p.mu.Lock()
			e.p.twice++
			e.p.mu.Unlock()
		}
		reply, err := e.model.Generate(ctx, model.Request{Run: run, Path: id, Caller: "ranker",
			Messages: []model.Message{{Content: "which one?"}}, Sampling: model.Sampling{MaxTokens: 100}})
		if err != nil {
			return orchestrator.Result{}, err
		}
		body, err := json.Marshal(reply.Message.Content)
		if err == nil {
			err = log.Append(ctx, message.Envelope{ID: id, Kind: "fact", Body: body, Meta: message.Meta{Digest: "d"}})
		}
		if err != nil {
			return orchestrator.Result{}, err
		}
	}
	return orchestrator.Result{Ranking: []string{"a"}}, nil
}

func (p *play) hire() {
	nc, v := p.dial()
	ctx, leave := context.WithCancel(context.Background())
	p.hands = append(p.hands, &hired{nc, v, leave})
	atOnce := 1 + p.draw.IntN(3)
	p.crew.Go(func() {
		defer nc.Close()
		w, err := cluster.Join(ctx, nc, p.name)
		if err != nil {
			return // killed before it had joined
		}
		m := model.Retry(w.Reserve("m", model.NewLimiter(model.LimitConfig{}).Wrap(w.Start(p))), model.RetryConfig{Base: time.Millisecond, Attempts: 20})
		_, err = w.Work(ctx, errand{p, m}, cluster.WorkConfig{Concurrency: atOnce})
		if err != nil && ctx.Err() == nil && !errors.Is(err, nats.ErrConnectionClosed) {
			p.t.Errorf("worker: %v", err)
		}
	})
}

// coordinate starts a coordinator on the newest account.
func (p *play) coordinate() {
	var err error
	if p.journal, err = budget.OpenJournal(p.account, budget.Prices{}); err != nil {
		p.t.Fatal(err)
	}
	b, err := budget.New(budget.Config{Tokens: p.cap, Journal: p.journal})
	if err != nil {
		p.t.Fatal(err)
	}
	nc, _ := p.dial()
	ctx, stop := context.WithCancel(context.Background())
	end := make(chan error, 1)
	p.nc, p.stop, p.end = nc, stop, end
	go func() {
		_, err := cluster.Coordinate(ctx, nc, list(liveRuns), p.book, orchestrator.BatchConfig{Concurrency: 3,
			Halt: func(err error) bool { return errors.Is(err, model.ErrBudget) }},
			cluster.Config{Name: p.name, Manifest: manifest, Lease: liveLease, Losses: 1 << 30, Budget: b})
		end <- err
	}()
}

// crash ends the coordinator at once: what it has not written is lost.
func (p *play) crash() {
	p.nc.Close()
	b, err := os.ReadFile(p.account)
	if err != nil {
		p.t.Fatal(err)
	}
	p.stop()
	<-p.end
	_ = p.journal.Close() // that of the dead
	p.account += "'"
	if err := os.WriteFile(p.account, b, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// strike does something to somebody.
func (p *play) strike() {
	i := p.draw.IntN(len(p.hands))
	h, what := p.hands[i], ""
	switch p.draw.IntN(12) {
	case 0, 1, 2:
		what = "a worker is killed"
		h.nc.Close()
		h.leave()
		p.hands = append(p.hands[:i], p.hands[i+1:]...)
		p.hire()
	case 3:
		what = "a worker comes"
		p.hire()
	case 4:
		what = "a worker is told to go, and hands its runs back"
		h.leave()
		p.hands = append(p.hands[:i], p.hands[i+1:]...)
		p.hire()
	case 5, 6:
		what = "a worker falls silent"
		h.valve.hold(liveLease * 3 / 2)
	case 7:
		what = "connections are cut"
		for _, h := range p.hands {
			h.valve.cut()
		}
	case 8:
		what = "the coordinator is killed"
		p.quiet()
		p.crash()
		p.coordinate()
	case 9:
		what = "the queue is wiped"
		nc, _ := p.dial()
		if js, err := jetstream.New(nc); err == nil {
			_ = js.DeleteStream(context.Background(), "MARS_"+p.name) // it may be gone already
		}
		nc.Close()
	case 10:
		what = "the server is restarted with its store"
		p.lane.restart(p.lane.dir)
	case 11:
		what = "the server is restarted without its store"
		p.lane.restart(p.t.TempDir())
	}
	p.done[what]++
}

// run plays the schedule, and then checks what it came to.
func (p *play) run() {
	p.coordinate()
	p.hire()
	p.hire()
	for range 2 + p.draw.IntN(5) {
		pause := time.NewTimer(time.Duration(5+p.draw.IntN(60)) * time.Millisecond)
		select {
		case <-pause.C:
		case err := <-p.end: // it is over already
			p.end <- err
		}
		if len(p.end) > 0 {
			break
		}
		p.strike()
		p.listen()
	}
	for {
		err := <-p.end
		if errors.Is(err, model.ErrBudget) && p.cap < 1<<30 {
			p.done["the budget is reached"]++
			p.settle()
			p.cap = 1 << 40
			p.quiet()
			p.coordinate()
			continue
		}
		api := (*jetstream.APIError)(nil)
		if p.done[slow] < 100 && (errors.Is(err, context.DeadlineExceeded) || errors.As(err, &api)) {
			p.done[slow]++
			p.settle()
			p.quiet()
			p.coordinate()
			continue
		}
		if err != nil {
			p.t.Errorf("coordinator: %v", err)
		}
		break
	}
	p.settle()
	p.quiet()
	for _, h := range p.hands {
		h.leave()
	}
	p.crew.Wait()
	p.check()
}

// settle ends the coordinator's account, and compares it with the bill.
func (p *play) settle() {
	if err := p.journal.Close(); err != nil {
		p.t.Error(err)
	}
	p.nc.Close()
	s, err := budget.ReadJournal(p.account)
	p.mu.Lock()
	defer p.mu.Unlock()
	if told := s.Total.Tokens(); err != nil || told < p.billed || told > p.cap {
		p.t.Errorf("%d tokens are billed, the account tells of %d, the cap is %d: %v", p.billed, told, p.cap, err)
	}
}

func (p *play) check() {
	for task := range list(liveRuns) {
		if n := p.book.sealed[task.ID]; n != 1 {
			p.t.Errorf("run %s has %d results", task.ID, n)
		}
		if n := len(p.book.facts[task.ID]); n != liveFacts {
			p.t.Errorf("run %s has %d facts, want %d", task.ID, n, liveFacts)
		}
	}
	if len(p.book.failed) > 0 || len(p.book.sealed) != liveRuns {
		p.t.Errorf("failed: %q, %d runs", p.book.failed, len(p.book.sealed))
	}
	if len(p.again) > 0 {
		p.t.Errorf("paid for again, though the ledger had it before the worker began: %q", p.again)
	}
}

// TestLiveSchedules plays schedules on real NATS servers: workers come, go, are
// killed and fall silent for longer than their lease, connections are cut, messages
// come twice and late, the queue is wiped, the server is restarted with its store
// and without, coordinators are killed, and the budget is reached. Each run has one
// committed result, no fact that the ledger had before a worker began is paid for
// again, and the account has all that was billed and no more than the cap.
func TestLiveSchedules(t *testing.T) {
	var mu sync.Mutex
	all, next, calls, twice := map[string]int{}, *liveSeed, 0, 0
	t.Run("lanes", func(t *testing.T) {
		for i := range *liveLanes {
			t.Run(fmt.Sprint("lane ", i+1), func(t *testing.T) {
				t.Parallel()
				l := &lane{t: t, dir: t.TempDir()}
				l.s = serve(t, l.dir, server.RANDOM_PORT)
				l.url = l.s.ClientURL()
				for {
					mu.Lock()
					seed := next
					next++
					mu.Unlock()
					if seed >= *liveSeed+uint64(*liveSchedules) || t.Failed() {
						return
					}
					p := &play{t: t, draw: rand.New(rand.NewPCG(seed, 5)), dice: rand.New(rand.NewPCG(seed, 6)), lane: l, name: fmt.Sprint("s", seed), book: newDiary(),
						account: filepath.Join(t.TempDir(), "account"), cap: 1 << 40, done: map[string]int{}}
					if p.draw.IntN(4) == 0 {
						p.cap = int64(liveMost * (5 + p.draw.IntN(25)))
					}
					if p.run(); t.Failed() {
						t.Errorf("the schedule with seed %d fails: %v; -cluster.seed %d -cluster.schedules 1", seed, p.done, seed)
					}
					mu.Lock()
					for what := range maps.Keys(p.done) {
						all[what] += p.done[what]
					}
					calls, twice = calls+p.calls, twice+p.twice
					mu.Unlock()
				}
			})
		}
	})
	nothingLeft(t)
	t.Logf("%d schedules of %d runs: %v; %d calls were made for %d facts, %d of them by those who had lost the run",
		*liveSchedules, liveRuns, all, calls, *liveSchedules*liveRuns*liveFacts, twice)
}
