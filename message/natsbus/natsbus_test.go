package natsbus_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/messagetest"
	"github.com/mars-rec/mars/message/natsbus"
)

// start runs a server within the test.
func start(t *testing.T) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server does not start")
	}
	return s
}

func connect(t *testing.T, s *server.Server) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func bus(t *testing.T, s *server.Server, every time.Duration) *natsbus.Bus {
	b := natsbus.New(connect(t, s), natsbus.Config{Prefix: "test." + strings.NewReplacer("/", ".", " ", "_").Replace(t.Name()), Every: every})
	t.Cleanup(b.Wait)
	return b
}

func TestBus(t *testing.T) {
	s := start(t)
	messagetest.TestBus(t, func(t *testing.T) message.Bus { return bus(t, s, 0) })
}

// TestTwoProcesses holds the contract where asker and agent have a connection
// each, as they do in two processes.
func TestTwoProcesses(t *testing.T) {
	s := start(t)
	messagetest.TestBus(t, func(t *testing.T) message.Bus { return pair{bus(t, s, 0), bus(t, s, 0)} })
}

type pair struct {
	*natsbus.Bus
	other *natsbus.Bus
}

func (p pair) Request(ctx context.Context, e message.Envelope) (message.Envelope, error) {
	return p.other.Request(ctx, e)
}

func TestAddressIsTakenByAnotherProcess(t *testing.T) {
	s := start(t)
	one, two := bus(t, s, 0), bus(t, s, 0)
	h := func(context.Context, message.Envelope) (message.Envelope, error) { return message.Envelope{}, nil }
	if err := one.Serve(t.Context(), "analyst/recent", h); err != nil {
		t.Fatal(err)
	}
	if err := two.Serve(t.Context(), "analyst/recent", h); !errors.Is(err, message.ErrTaken) {
		t.Errorf("error is %v, want ErrTaken", err)
	}
}

// TestPlainAnswer answers as a program in another language would.
func TestPlainAnswer(t *testing.T) {
	s := start(t)
	nc, cfg := connect(t, s), natsbus.Config{}
	q := message.Envelope{ID: "1.4", From: "team", To: "analyst/recent", Kind: "brief", Body: json.RawMessage(`{}`)}
	for _, c := range []struct{ reply, want, err string }{
		{reply: `{"kind":"analysis","body":{"summary":"x"}}`, want: `{"id":"1.4.1","from":"analyst/recent","to":"team","kind":"analysis","body":{"summary":"x"},"refs":["1.4"]}`},
		{reply: `{"kind":"analysis"}`, err: "no kind or no body"},
		{reply: `[`, err: "no envelope"},
	} {
		sub, err := nc.Subscribe(cfg.Subject(q.To), func(m *nats.Msg) { _ = m.Respond([]byte(c.reply)) })
		if err != nil {
			t.Fatal(err)
		}
		got, err := natsbus.New(nc, cfg).Request(t.Context(), q)
		if c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: error is %v, want %q", c.reply, err, c.err)
		}
		if c.err == "" && (err != nil || string(got.Canonical()) != c.want) {
			t.Errorf("%s: read as %s (%v), want %s", c.reply, got.Canonical(), err, c.want)
		}
		if err := sub.Unsubscribe(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSilence asks an agent that says that it works and is then not heard of.
func TestSilence(t *testing.T) {
	s := start(t)
	nc, cfg := connect(t, s), natsbus.Config{}
	if _, err := nc.Subscribe(cfg.Subject("slow"), func(m *nats.Msg) {
		working := nats.NewMsg(m.Reply)
		working.Header.Set("Mars-Status", "working")
		working.Header.Set("Mars-Every", "10ms")
		_ = m.RespondMsg(working)
	}); err != nil {
		t.Fatal(err)
	}
	q := message.Envelope{ID: "1.1", From: "team", To: "slow", Kind: "brief", Body: json.RawMessage(`{}`)}
	if _, err := natsbus.New(nc, cfg).Request(t.Context(), q); !errors.Is(err, natsbus.ErrSilent) {
		t.Errorf("error is %v, want ErrSilent", err)
	}
}

func TestSubject(t *testing.T) {
	for address, want := range map[message.Address]string{
		"analyst/recent": "mars.agents.analyst.recent",
		"a.b*c> d":       "mars.agents.a%2eb%2ac%3e%20d",
		"a//b/":          "mars.agents.a.%2fb%2f",
	} {
		if got := (natsbus.Config{}).Subject(address); got != want {
			t.Errorf("the subject of %q is %s, want %s", address, got, want)
		}
	}
}
