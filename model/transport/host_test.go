package transport

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"
)

// TestWhatIsForHTTPTransport: only a server without TLS that no proxy leads to is
// spoken to by ourselves.
func TestWhatIsForHTTPTransport(t *testing.T) {
	proxy := func(r *http.Request) (*url.URL, error) {
		if r.URL.Hostname() == "far" {
			return url.Parse("http://proxy:3128")
		}
		return nil, nil
	}
	d := newDirect(&http.Transport{Proxy: proxy, MaxConnsPerHost: 2}, time.Now)
	for to, address := range map[string]string{
		"http://near/v1": "near:80", "http://near:8000/v1": "near:8000", "http://[::1]:8000/v1": "[::1]:8000",
		"http://far/v1": "", "https://near/v1": "",
	} {
		req, err := http.NewRequest(http.MethodPost, to, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if h := d.host(req); h != nil {
			got = h.address
		}
		if got != address && canPeek {
			t.Errorf("%s: %q, want %q", to, got, address)
		}
	}
}

// TestOldConnectionsAreClosed: those that nobody has used for long, and no others.
func TestOldConnectionsAreClosed(t *testing.T) {
	if !canPeek {
		t.Skip("connections are http.Transport's here")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	now := time.Now()
	d := newDirect(&http.Transport{DialContext: new(net.Dialer).DialContext, MaxConnsPerHost: 2}, func() time.Time { return now })
	h := newHost(l.Addr().String(), d)
	var conns []*conn
	for range 2 {
		c, err := h.take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	h.put(conns[0])
	now = now.Add(idleTime - 1)
	h.put(conns[1])
	now = now.Add(1)
	h.old.Stop()
	h.sweep()
	h.old.Stop()
	if c, err := h.take(context.Background()); err != nil || c != conns[1] || len(h.idle) != 0 {
		t.Errorf("%d connections are kept; the next is the new one: %v, %v", len(h.idle), c == conns[1], err)
	}
	if _, err := bufio.NewReader(conns[0].Conn).ReadByte(); err == nil {
		t.Error("the old one is open")
	}
	conns[1].Close()
}
