package model_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mars-rec/mars/model"
)

// failing fails with the errors in turn, then replies.
func failing(errs ...error) model.Model {
	n := 0
	return model.Func(func(ctx context.Context, req model.Request) (model.Reply, error) {
		if n++; n <= len(errs) {
			if req.OnChunk != nil {
				req.OnChunk(model.Chunk{Content: fmt.Sprint("part", n)})
			}
			return model.Reply{}, errs[n-1]
		}
		return model.Reply{Message: model.Message{Role: model.Assistant, Content: "yes"}}, nil
	})
}

func status(code int, after time.Duration) error {
	return &model.Error{Status: code, RetryAfter: after, Temporary: code == 429 || code >= 500, Err: fmt.Errorf("status %d", code)}
}

func TestRetryWaits(t *testing.T) {
	reset := fmt.Errorf("read: %w", syscall.ECONNRESET)
	for _, c := range []struct {
		name     string
		errs     []error
		attempts int
		waited   time.Duration
		err      string // part of it; "" for a reply
	}{
		{"no failure", nil, 1, 0, ""},
		{"back-off doubles", []error{status(500, 0), status(503, 0), reset}, 4, 700 * time.Millisecond, ""},
		{"as long as asked", []error{status(429, 3*time.Second)}, 2, 3 * time.Second, ""},
		{"asked too much", []error{status(429, time.Hour)}, 2, 10 * time.Second, ""},
		{"five attempts", slices.Repeat([]error{status(502, 0)}, 9), 5, 1500 * time.Millisecond, "after 5 attempts: status 502"},
		{"bad request", []error{status(400, 0)}, 1, 0, "status 400"},
		{"no permission", []error{status(401, 0)}, 1, 0, "status 401"},
		{"an unknown failure", []error{errors.New("odd")}, 1, 0, "odd"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := model.Retry(failing(c.errs...), model.RetryConfig{
					Base: 200 * time.Millisecond, Max: 10 * time.Second, Jitter: func() float64 { return 0 },
				})
				start := time.Now()
				reply, err := m.Generate(t.Context(), model.Request{})
				if got := time.Since(start); got != c.waited {
					t.Errorf("waited %s, want %s", got, c.waited)
				}
				if reply.Attempts != c.attempts {
					t.Errorf("%d attempts, want %d", reply.Attempts, c.attempts)
				}
				switch {
				case c.err == "" && (err != nil || reply.Message.Content != "yes"):
					t.Errorf("reply %+v, error %v", reply, err)
				case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
					t.Errorf("error %v, want %q in it", err, c.err)
				}
			})
		})
	}
}

func TestRetryJitterStaysInBounds(t *testing.T) {
	for _, jitter := range []float64{0, 0.5, 0.999} {
		synctest.Test(t, func(t *testing.T) {
			var waits []time.Duration
			m := model.Retry(failing(status(500, 0), status(500, 0)), model.RetryConfig{
				Base: time.Second, Jitter: func() float64 { return jitter },
				OnRetry: func(_ error, wait time.Duration) { waits = append(waits, wait) },
			})
			if _, err := m.Generate(t.Context(), model.Request{}); err != nil {
				t.Fatal(err)
			}
			for i, full := range []time.Duration{time.Second, 2 * time.Second} {
				if waits[i] < full/2 || waits[i] > full {
					t.Errorf("jitter %v: wait %d is %s, want between %s and %s", jitter, i, waits[i], full/2, full)
				}
			}
		})
	}
}

func TestRetryStopsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		m := model.Retry(failing(status(429, 30*time.Second)), model.RetryConfig{})
		_, err := m.Generate(ctx, model.Request{})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
	})
}

func TestRetryLimitsEachCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		stalled := model.Func(func(ctx context.Context, _ model.Request) (model.Reply, error) {
			if n++; n == 1 {
				<-ctx.Done()
				return model.Reply{}, ctx.Err()
			}
			return model.Reply{}, nil
		})
		reply, err := model.Retry(stalled, model.RetryConfig{Timeout: time.Second}).Generate(t.Context(), model.Request{})
		if err != nil || reply.Attempts != 2 {
			t.Errorf("%+v, %v", reply, err)
		}
		n = 0
		_, err = model.Retry(stalled, model.RetryConfig{Timeout: time.Second, Attempts: 1}).Generate(t.Context(), model.Request{})
		if err == nil || err.Error() != "no reply within 1s" {
			t.Errorf("error %v", err)
		}
	})
}

func TestRetryResetsTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		req := model.Request{OnChunk: func(c model.Chunk) {
			if c.Reset {
				got = nil
			} else {
				got = append(got, c.Content)
			}
		}}
		if _, err := model.Retry(failing(status(500, 0)), model.RetryConfig{}).Generate(t.Context(), req); err != nil {
			t.Fatal(err)
		}
		if len(got) != 0 {
			t.Errorf("chunks of the failed call remain: %q", got)
		}
	})
}

func TestTemporary(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{status(429, 0), true},
		{fmt.Errorf("where: %w", status(404, 0)), false},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, true},
		{&net.DNSError{IsTimeout: true}, true},
		{&net.DNSError{IsNotFound: true}, false},
		{context.DeadlineExceeded, true},
		{context.Canceled, false},
		{errors.New("x"), false},
	} {
		if got := model.Temporary(c.err); got != c.want {
			t.Errorf("Temporary(%v) is %v", c.err, got)
		}
	}
}

func TestInstructIsReadBack(t *testing.T) {
	format := &model.Format{Name: "plan", Schema: []byte("{\"type\": \"object\",\n \"title\": \"a: b\"}")}
	for _, messages := range [][]model.Message{
		{{Role: model.User, Content: "hello"}},
		{{Role: model.System, Content: "You plan."}, {Role: model.User, Content: "hello"}},
	} {
		req := model.Request{Messages: messages, Format: format}
		moved := model.Instruct(req)
		if moved.Format != nil || req.Format == nil || strings.Contains(req.Messages[0].Content, "JSON Schema") {
			t.Fatal("the format is moved in a copy")
		}
		got := model.Instructed(moved.Messages)
		if got == nil || got.Name != "plan" || string(got.Schema) != `{"type":"object","title":"a: b"}` {
			t.Errorf("read back: %+v", got)
		}
	}
	forged := model.Instruct(model.Request{Format: format}).Messages[0]
	forged.Role = model.User
	if model.Instructed([]model.Message{forged}) != nil {
		t.Error("a format in a user's message is believed")
	}
}
