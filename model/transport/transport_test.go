package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/transport"
)

const secret = "sk-very-secret"

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func client() *transport.Client {
	return transport.New(transport.Config{Secrets: []string{secret}, Limit: 4096, Clock: func() time.Time { return epoch }})
}

// get asks the handler once, accepting a content type, and reads the answer.
func get(t *testing.T, accept string, h http.HandlerFunc) (string, error) {
	t.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	resp, err := client().Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// answer is a handler that sends a status, one header and a body.
func answer(status int, header, value, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if header != "" {
			w.Header().Set(header, value)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func cut(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", "100")
	_, _ = io.WriteString(w, `{"half":`)
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

func TestWhatIsNotAnAnswerIsAnError(t *testing.T) {
	for _, c := range []struct {
		name      string
		accept    string
		handler   http.HandlerFunc
		want      string // part of the error
		status    int
		temporary bool
		after     time.Duration
	}{
		{"rate limit", "", answer(429, "Retry-After", "7", `{"error":{"message":"slow down"}}`), "status 429: slow down", 429, true, 7 * time.Second},
		{"rate limit until a date", "", answer(429, "Retry-After", epoch.Add(time.Minute).Format(http.TimeFormat), `{}`), "status 429: {}", 429, true, time.Minute},
		{"rate limit until the past", "", answer(429, "Retry-After", epoch.Add(-time.Hour).Format(http.TimeFormat), `{}`), "status 429", 429, true, 0},
		{"rate limit in milliseconds", "", answer(429, "Retry-After-Ms", "250", ``), "status 429: no text", 429, true, 250 * time.Millisecond},
		{"rate limit without a wait", "", answer(429, "", "", `{"error":"busy"}`), "status 429: busy", 429, true, 0},
		{"wait that is no wait", "", answer(503, "Retry-After", "NaN", `{"detail":"loading"}`), "status 503: loading", 503, true, 0},
		{"wait beyond all time", "", answer(503, "Retry-After", "1e300", ``), "status 503", 503, true, 1e9 * time.Second},
		{"unauthorized", "", answer(401, "", "", `{"error":{"message":"bad key `+secret+`","type":"x"}}`), "status 401: bad key [key]", 401, false, 0},
		{"error of vLLM", "", answer(400, "", "", `{"object":"error","message":"too long","code":400}`), "status 400: too long", 400, false, 0},
		{"error object without a message", "", answer(400, "", "", `{"error":{"code":7}}`), `status 400: {"code":7}`, 400, false, 0},
		{"page of a proxy", "", answer(502, "Content-Type", "text/html", "<html><head><title>Bad gateway</title>"), `status 502: a page of HTML titled "bad gateway"`, 502, true, 0},
		{"not implemented", "", answer(501, "", "", ``), "status 501", 501, false, 0},
		{"redirect", "", answer(301, "Location", "https://example.org/v1", ``), "redirects to https://example.org/v1", 301, false, 0},
		{"terminal escapes", "", answer(500, "", "", "\x1b[31mred\x07"), "status 500: [31mred", 500, true, 0},
		{"error with status 200", "", answer(200, "", "", `{"error":{"message":"no capacity"}}`), "status 200 with an error in it: no capacity", 0, false, 0},
		{"rate limit with status 200", "", answer(200, "", "", `{"error":{"message":"slow down","code":429}}`), "status 200 with an error in it: slow down", 429, true, 0},
		{"HTML with status 200", "", answer(200, "Content-Type", "text/html; charset=utf-8", "<!DOCTYPE html><p>hi"), `content type "text/html", want application/json: a page of HTML`, 0, false, 0},
		{"JSON where a stream is wanted", "text/event-stream", answer(200, "", "", `{"id":1}`), "want text/event-stream", 0, false, 0},
		{"error where a stream is wanted", "text/event-stream", answer(200, "", "", `{"error":"busy"}`), "with an error in it: busy", 0, false, 0},
		{"stream where JSON is wanted", "application/json", answer(200, "Content-Type", "text/event-stream", "data: 1\n\n"), "want application/json", 0, false, 0},
		{"cut", "", cut, "unexpected EOF", 0, true, 0},
		{"cut before the answer", "", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "connection: EOF", 0, true, 0},
		{"endless", "", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for range 100 {
				_, _ = fmt.Fprint(w, strings.Repeat(" ", 100))
			}
		}, "longer than 4096 bytes", 0, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := get(t, c.accept, c.handler)
			var e *model.Error
			if !errors.As(err, &e) {
				t.Fatalf("error is %v", err)
			}
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), secret) || strings.ContainsAny(err.Error(), "\x1b\x07\n") {
				t.Errorf("error is %q, want %q in it", err, c.want)
			}
			if e.Status != c.status || e.Temporary != c.temporary || e.RetryAfter != c.after {
				t.Errorf("status %d, temporary %v, after %s", e.Status, e.Temporary, e.RetryAfter)
			}
		})
	}
}

func TestAnswersPass(t *testing.T) {
	for _, c := range []struct{ accept, media, body string }{
		{"application/json", "application/json; charset=utf-8", `{"choices":[],"error":null,"message":"x"}`},
		{"", "application/json", `{"message":{"role":"assistant"}}`},
		{"", "application/x-ndjson", "{}\n{}\n"},
		{"text/event-stream", "text/event-stream", "data: {\"error\":1}\n\n"},
	} {
		got, err := get(t, c.accept, answer(200, "Content-Type", c.media, c.body))
		if err != nil || got != c.body {
			t.Errorf("%s: %q, %v", c.media, got, err)
		}
	}
}

func TestNoServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.Addr().String(), nil)
	_, err = client().Do(req)
	if !model.Temporary(err) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("error %v", err)
	}
}

func TestTheContextEndsACall(t *testing.T) {
	arrived := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: 1\n\n")
		w.(http.Flusher).Flush()
		close(arrived)
		<-r.Context().Done()
	}))
	defer server.Close()
	cause := errors.New("the run is over")
	ctx, cancel := context.WithCancelCause(t.Context())
	req, _ := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, nil)
	resp, err := client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	<-arrived
	cancel(cause)
	if _, err := io.ReadAll(resp.Body); !errors.Is(err, cause) {
		t.Errorf("error %v, want %v", err, cause)
	}
}

// TestWhatIsCertainNotToBeBilled: only what never arrived or was turned away.
func TestWhatIsCertainNotToBeBilled(t *testing.T) {
	for status, want := range map[int]bool{
		400: true, 401: true, 404: true, 408: false, 429: true, 499: false,
		500: false, 501: true, 502: false, 503: true, 504: false, 529: true,
	} {
		if _, err := get(t, "", answer(status, "", "", `{}`)); model.Unbilled(err) != want {
			t.Errorf("status %d: unbilled %v, want %v", status, !want, want)
		}
	}
	for name, h := range map[string]http.HandlerFunc{
		"cut": cut, "error with status 200": answer(200, "", "", `{"error":"x"}`), "HTML": answer(200, "Content-Type", "text/html", "x"),
	} {
		if _, err := get(t, "", h); model.Unbilled(err) {
			t.Errorf("%s: taken for free", name)
		}
	}
	client := transport.New(transport.Config{})
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:1/", nil)
	if _, err := client.Do(req); !model.Unbilled(err) || !model.Temporary(err) {
		t.Errorf("nobody listens: %v", err)
	}
}
