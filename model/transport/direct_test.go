package transport_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/transport"
)

// served is a server that counts the connections to it.
func served(t *testing.T, h http.HandlerFunc) (url string, opened *atomic.Int64) {
	t.Helper()
	opened = new(atomic.Int64)
	s := httptest.NewUnstartedServer(h)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s.URL, opened
}

// ask posts a body and returns the answer.
func ask(ctx context.Context, c *transport.Client, url, body string) (answer string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		return "", err
	}
	err = c.Post(req, func(use func([]byte)) error { use([]byte(body)); return nil }, func(text []byte) error {
		answer = string(text)
		return nil
	})
	return answer, err
}

func echo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.Copy(w, r.Body)
}

// TestAConnectionIsKept: one call after the other takes the same connection,
// whatever the answer is.
func TestAConnectionIsKept(t *testing.T) {
	url, opened := served(t, func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		switch string(text) {
		case `"busy"`:
			w.WriteHeader(http.StatusTooManyRequests)
		case `"nothing"`:
			w.WriteHeader(http.StatusNoContent)
		case `"hints"`:
			w.WriteHeader(http.StatusEarlyHints)
			_, _ = w.Write(text)
		default:
			_, _ = w.Write(text)
			w.(http.Flusher).Flush() // in chunks
			_, _ = w.Write(text)
		}
	})
	c := transport.New(transport.Config{})
	for body, want := range map[string]string{`"busy"`: "", `"nothing"`: "", `"hints"`: `"hints"`, `1`: "11", strings.Repeat("1", 1<<17): strings.Repeat("1", 1<<18)} {
		got, err := ask(t.Context(), c, url, body)
		if got != want || (err != nil) != (body == `"busy"`) {
			t.Errorf("%.20s: %.20s, %v", body, got, err)
		}
	}
	if n := opened.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// TestConnectionsAreBounded: further calls wait for one, and all are answered.
func TestConnectionsAreBounded(t *testing.T) {
	url, opened := served(t, echo)
	c := transport.New(transport.Config{Conns: 2})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if got, err := ask(t.Context(), c, url, "[1]"); got != "[1]" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	wg.Wait()
	if n := opened.Load(); n > 2 {
		t.Errorf("%d connections", n)
	}
}

// TestAClosedConnectionIsNotUsed: what the server has closed meanwhile, or has
// sent more on than was asked for, is told without a call.
func TestAClosedConnectionIsNotUsed(t *testing.T) {
	for name, after := range map[string]string{"closed": "", "more": "HTTP/1.1 200 OK\r\n\r\n"} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			over := make(chan struct{})
			var calls atomic.Int64
			go func() {
				for {
					nc, err := l.Accept()
					if err != nil {
						return
					}
					if _, err := http.ReadRequest(bufio.NewReader(nc)); err == nil {
						calls.Add(1)
					}
					_, _ = io.WriteString(nc, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]")
					_, _ = io.WriteString(nc, after)
					if after == "" {
						nc.Close()
					}
					over <- struct{}{}
				}
			}()
			c := transport.New(transport.Config{})
			for range 3 {
				if got, err := ask(t.Context(), c, "http://"+l.Addr().String(), ""); got != "[]" || err != nil {
					t.Errorf("%q, %v", got, err)
				}
				<-over
			}
			if n := calls.Load(); n != 3 {
				t.Errorf("%d calls arrived", n)
			}
		})
	}
}

// TestTheContextEndsAWait: for the head of an answer, and for a connection.
func TestTheContextEndsAWait(t *testing.T) {
	arrived := make(chan struct{}, 1)
	url, _ := served(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		arrived <- struct{}{}
		<-r.Context().Done()
	})
	c := transport.New(transport.Config{Conns: 1})
	cause := errors.New("the run is over")
	ctx, cancel := context.WithCancelCause(t.Context())
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if _, err := ask(ctx, c, url, "[]"); !errors.Is(err, cause) {
				t.Errorf("error %v, want %v", err, cause)
			}
		})
	}
	<-arrived
	cancel(cause)
	wg.Wait()
	if _, err := ask(ctx, c, url, "[]"); !errors.Is(err, cause) {
		t.Errorf("after it: error %v", err)
	}
}

// TestARefusalBeforeTheEndOfTheBodyIsHeard: the server says why it reads no more.
func TestARefusalBeforeTheEndOfTheBodyIsHeard(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		nc, err := l.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		_, _ = http.ReadRequest(bufio.NewReader(nc))
		_, _ = io.WriteString(nc, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		_ = nc.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, nc)
	}()
	_, err = ask(t.Context(), transport.New(transport.Config{}), "http://"+l.Addr().String(), strings.Repeat(" ", 8<<20))
	if e := (*model.Error)(nil); !errors.As(err, &e) || e.Status != http.StatusRequestEntityTooLarge || e.Temporary {
		t.Errorf("error %v", err)
	}
}

// TestAHeadHasAnEnd: a server that never comes to the body is not listened to.
func TestAHeadHasAnEnd(t *testing.T) {
	url, _ := served(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X", strings.Repeat("x", 2<<20))
	})
	if _, err := ask(t.Context(), transport.New(transport.Config{}), url, "[]"); err == nil || !strings.Contains(err.Error(), "longer than 1048576 bytes") {
		t.Errorf("error %v", err)
	}
}

// TestItIsAskedAsByHTTPTransport: a server hears the same from both, but for
// compression, and both hear the same from it.
func TestItIsAskedAsByHTTPTransport(t *testing.T) {
	var heard bytes.Buffer
	url, _ := served(t, func(w http.ResponseWriter, r *http.Request) {
		heard.Reset()
		r.Header.Del("Accept-Encoding")
		_ = r.Write(&heard)
		w.Header().Set("Content-Type", "application/x-ndjson")
		w.Header().Set("X-Seen", r.Header.Get("X-Given"))
		_, _ = w.Write(heard.Bytes())
	})
	ours := transport.New(transport.Config{}).HTTP()
	other := transport.New(transport.Config{Base: http.DefaultTransport}).HTTP()
	rapid.Check(t, func(t *rapid.T) {
		method := rapid.SampledFrom([]string{http.MethodPost, http.MethodGet, http.MethodPut}).Draw(t, "method")
		body := rapid.StringN(0, 200, -1).Draw(t, "body")
		path := rapid.SampledFrom([]string{"", "/v1/chat/completions", "/a%20b?q=1&r=%2F", "/ü"}).Draw(t, "path")
		given := rapid.StringMatching(`[ -~]{0,20}`).Draw(t, "header")
		send := func(c *http.Client) (string, string) {
			req, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Given", given)
			resp, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Fatalf("status %d, %v", resp.StatusCode, err)
			}
			return resp.Header.Get("X-Seen"), string(text)
		}
		gotSeen, got := send(ours)
		wantSeen, want := send(other)
		if got != want || gotSeen != wantSeen {
			t.Fatalf("asked with %q, want %q", got, want)
		}
	})
}
