// Package messagetest holds the contracts of [message.Bus] and [message.Log]
// as test suites, so that an implementation anywhere can be held to them:
//
//	func TestBus(t *testing.T) {
//		messagetest.TestBus(t, func(t *testing.T) message.Bus { return mybus.New() })
//	}
package messagetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mars-rec/mars/message"
)

// TestBus runs the suite that every [message.Bus] must pass. Each case gets a
// bus of its own from open.
func TestBus(t *testing.T, open func(*testing.T) message.Bus) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, message.Bus)
	}{
		{"answers", busAnswers},
		{"no agent", busNoAgent},
		{"address is taken", busTaken},
		{"handler error", busHandlerError},
		{"serves until its context ends", busServeEnds},
		{"request ends with its context", busRequestEnds},
		{"concurrent requests", busConcurrent},
		{"a handler may ask", busNested},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}

func echo(_ context.Context, e message.Envelope) (message.Envelope, error) {
	return message.Envelope{ID: e.ID.Child(1), From: e.To, To: e.From, Kind: "echo", Body: e.Body, Refs: []message.ID{e.ID}}, nil
}

func question(n int) message.Envelope {
	return message.Envelope{ID: message.Root.Child(n), From: "asker", To: "echo", Kind: "question",
		Body: json.RawMessage(fmt.Sprintf(`{"n":%d,"text":"<b>&"}`, n))}
}

func serve(t *testing.T, b message.Bus, a message.Address, h message.Handler) {
	t.Helper()
	if err := b.Serve(t.Context(), a, h); err != nil {
		t.Fatal(err)
	}
}

func busAnswers(t *testing.T, b message.Bus) {
	serve(t, b, "echo", echo)
	got, err := b.Request(t.Context(), question(3))
	if err != nil {
		t.Fatal(err)
	}
	want, _ := echo(t.Context(), question(3))
	if string(got.Canonical()) != string(want.Canonical()) {
		t.Errorf("answer is\n%s\nwant\n%s", got.Canonical(), want.Canonical())
	}
}

func busNoAgent(t *testing.T, b message.Bus) {
	if _, err := b.Request(t.Context(), question(1)); !errors.Is(err, message.ErrNoAgent) {
		t.Errorf("error is %v, want ErrNoAgent", err)
	}
}

func busTaken(t *testing.T, b message.Bus) {
	serve(t, b, "echo", echo)
	if err := b.Serve(t.Context(), "echo", echo); !errors.Is(err, message.ErrTaken) {
		t.Errorf("error is %v, want ErrTaken", err)
	}
}

func busHandlerError(t *testing.T, b message.Bus) {
	serve(t, b, "echo", func(context.Context, message.Envelope) (message.Envelope, error) {
		return message.Envelope{}, errors.New("out of ink")
	})
	if _, err := b.Request(t.Context(), question(1)); err == nil || !strings.Contains(err.Error(), "out of ink") {
		t.Errorf("error is %v, want the handler's", err)
	}
}

func busServeEnds(t *testing.T, b message.Bus) {
	ctx, cancel := context.WithCancel(t.Context())
	if err := b.Serve(ctx, "echo", echo); err != nil {
		t.Fatal(err)
	}
	cancel()
	const patience = 10_000 // milliseconds: a bus over a network may need a moment
	for waited := 0; ; waited++ {
		_, err := b.Request(t.Context(), question(1))
		if errors.Is(err, message.ErrNoAgent) {
			break
		}
		if waited == patience {
			t.Fatalf("long after its context ended the handler still answers: %v", err)
		}
		time.Sleep(time.Millisecond)
	}
	serve(t, b, "echo", echo)
	if _, err := b.Request(t.Context(), question(2)); err != nil {
		t.Errorf("the address cannot be served again: %v", err)
	}
}

func busRequestEnds(t *testing.T, b message.Bus) {
	ctx, cancel := context.WithCancel(t.Context())
	serve(t, b, "echo", func(ctx context.Context, _ message.Envelope) (message.Envelope, error) {
		cancel()
		<-ctx.Done()
		return message.Envelope{}, ctx.Err()
	})
	if _, err := b.Request(ctx, question(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want context.Canceled", err)
	}
}

func busConcurrent(t *testing.T, b message.Bus) {
	serve(t, b, "echo", echo)
	var wg sync.WaitGroup
	for n := range 200 {
		wg.Go(func() {
			got, err := b.Request(t.Context(), question(n+1))
			if err != nil {
				t.Error(err)
				return
			}
			if string(got.Body) != string(question(n+1).Body) {
				t.Errorf("request %d got the answer %s", n+1, got.Body)
			}
		})
	}
	wg.Wait()
}

func busNested(t *testing.T, b message.Bus) {
	serve(t, b, "echo", echo)
	serve(t, b, "relay", func(ctx context.Context, e message.Envelope) (message.Envelope, error) {
		e.To = "echo"
		return b.Request(ctx, e)
	})
	e := question(1)
	e.To = "relay"
	if _, err := b.Request(t.Context(), e); err != nil {
		t.Error(err)
	}
}

// OpenLog makes an empty log of one run and the means to read it back: read
// returns everything appended, sorted by ID.
type OpenLog func(t *testing.T) (log message.Log, read func(*testing.T) []message.Envelope)

// TestLog runs the suite that every [message.Log] must pass.
func TestLog(t *testing.T, open OpenLog) {
	t.Run("reads back sorted", func(t *testing.T) {
		log, read := open(t)
		want := tree()
		for _, i := range []int{4, 0, 3, 1, 2, 5} {
			if err := log.Append(t.Context(), want[i]); err != nil {
				t.Fatal(err)
			}
		}
		compare(t, read(t), want)
	})
	t.Run("appending again changes nothing", func(t *testing.T) {
		log, read := open(t)
		want := tree()
		for range 2 {
			for _, e := range want {
				if err := log.Append(t.Context(), e); err != nil {
					t.Fatal(err)
				}
			}
		}
		again := want[0]
		again.Meta.Attempts = 7 // Meta is not part of what is compared
		if err := log.Append(t.Context(), again); err != nil {
			t.Errorf("same bytes, other meta: %v", err)
		}
		compare(t, read(t), want)
	})
	t.Run("other bytes conflict", func(t *testing.T) {
		log, read := open(t)
		want := tree()
		for _, e := range want {
			if err := log.Append(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		for _, change := range []func(*message.Envelope){
			func(e *message.Envelope) { e.Body = json.RawMessage(`{"n":99}`) },
			func(e *message.Envelope) { e.From = "someone else" },
			func(e *message.Envelope) { e.Refs = []message.ID{"1.9"} },
		} {
			e := want[2]
			change(&e)
			if err := log.Append(t.Context(), e); !errors.Is(err, message.ErrConflict) {
				t.Errorf("error is %v, want ErrConflict", err)
			}
		}
		compare(t, read(t), want)
	})
	t.Run("concurrent appends", func(t *testing.T) {
		log, read := open(t)
		var want []message.Envelope
		var wg sync.WaitGroup
		for n := range 300 {
			e := question(n + 1)
			want = append(want, e)
			for range 2 {
				wg.Go(func() {
					if err := log.Append(t.Context(), e); err != nil {
						t.Error(err)
					}
				})
			}
		}
		wg.Wait()
		slices.SortFunc(want, func(a, b message.Envelope) int { return a.ID.Compare(b.ID) })
		compare(t, read(t), want)
	})
}

func tree() []message.Envelope {
	at := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	return []message.Envelope{
		{ID: "1", From: "user", To: "team", Kind: "task", Body: json.RawMessage(`{"id":"t1"}`)},
		{ID: "1.1", From: "team", To: "planner", Kind: "brief", Body: json.RawMessage(`{}`), Refs: []message.ID{"1"}},
		{ID: "1.1.1", From: "planner", Kind: "prompt", Body: json.RawMessage(`{"text":"Ünïcode <tag> & more"}`)},
		{ID: "1.1.2", From: "planner", Kind: "reply", Body: json.RawMessage(`{"n":1}`), Refs: []message.ID{"1.1.1"},
			Meta: message.Meta{Time: at, Duration: time.Second, Digest: "d1", Usage: &message.Usage{InputTokens: 3, OutputTokens: 1}}},
		{ID: "1.2", From: "team", To: "analyst", Kind: "brief", Body: json.RawMessage(`{}`), Refs: []message.ID{"1", "1.1.3"}},
		{ID: "1.10", From: "team", To: "ranker", Kind: "brief", Body: json.RawMessage(`{}`)},
	}
}

func compare(t *testing.T, got, want []message.Envelope) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d messages read back, want %d", len(got), len(want))
	}
	for i := range want {
		if g, w := string(got[i].Canonical()), string(want[i].Canonical()); g != w {
			t.Errorf("message %d is\n%s\nwant\n%s", i, g, w)
		}
		if want[i].Fact() && got[i].Meta.Digest != want[i].Meta.Digest {
			t.Errorf("message %d: digest is %q, want %q", i, got[i].Meta.Digest, want[i].Meta.Digest)
		}
	}
}
