package transport

import (
	"bytes"
	"cmp"
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// direct is a [http.RoundTripper] for servers without TLS, which are those of
// one's own: whoever asks writes the request and reads the response, and between
// the two a call is a connection and a goroutine that waits for it.
//
//	                 http.Transport                    direct
//	a call waits in  3 goroutines, 2 buffers of 4 kB   1 goroutine, no buffer
//	a reply wakes    the one that reads, then asker    the asker
//
// Everything else (TLS, with it HTTP/2; proxies; bodies of unknown length) is for
// http.Transport. A request is never sent twice: what fails is for model.Retry.
type direct struct {
	other *http.Transport
	clock func() time.Time
	dial  func(ctx context.Context, network, address string) (net.Conn, error)

	mu    sync.Mutex
	hosts map[string]*host // nil: it is reached by way of a proxy
}

// newDirect has the settings of t for what both do.
func newDirect(t *http.Transport, clock func() time.Time) *direct {
	return &direct{other: t, clock: clock, dial: t.DialContext, hosts: map[string]*host{}}
}

// bodies are for requests while they are written. Nothing stays in them.
var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// maxPooled is the largest buffer that is kept.
const maxPooled = 1 << 20

func lend() *bytes.Buffer {
	buf := bodies.Get().(*bytes.Buffer)
	buf.Reset()
	return buf
}

func giveBack(buf *bytes.Buffer) {
	if buf.Cap() <= maxPooled {
		bodies.Put(buf)
	}
}

// RoundTrip implements [http.RoundTripper].
func (d *direct) RoundTrip(req *http.Request) (*http.Response, error) {
	h := d.host(req)
	if h == nil || (req.Body != nil && req.Body != http.NoBody && req.ContentLength <= 0) {
		return d.other.RoundTrip(req)
	}
	if req.Body == nil {
		return h.ask(req.WithContext(req.Context()), func(use func([]byte)) error { use(nil); return nil })
	}
	defer req.Body.Close()
	return h.ask(req.WithContext(req.Context()), func(use func([]byte)) error {
		buf := lend()
		defer giveBack(buf)
		_, err := buf.ReadFrom(req.Body)
		if err == nil {
			use(buf.Bytes())
		}
		return err
	})
}

// host returns the server of a request; nil: it is none for us.
func (d *direct) host(req *http.Request) *host {
	u := req.URL
	if !canPeek || u.Scheme != "http" || req.Method == http.MethodConnect {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	h, known := d.hosts[u.Host]
	if !known {
		if !d.proxied(req) {
			h = newHost(net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "80")), d)
		}
		d.hosts[u.Host] = h
	}
	return h
}

// proxied reports whether a request is to go by way of a proxy, or nobody knows.
func (d *direct) proxied(req *http.Request) bool {
	if d.other.Proxy == nil {
		return false
	}
	proxy, err := d.other.Proxy(req)
	return proxy != nil || err != nil
}

// host is a server with the connections to it.
type host struct {
	address string
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	clock   func() time.Time
	slots   chan struct{} // one is taken for each connection at work

	mu   sync.Mutex
	idle []*conn     // the one that was used last at the end
	old  *time.Timer // looks for those that nobody has used for long; nil: there are none
}

func newHost(address string, d *direct) *host {
	return &host{address: address, dial: d.dial, clock: d.clock, slots: make(chan struct{}, d.other.MaxConnsPerHost)}
}

// ask sends a request with a body, and returns the response when it begins. Req
// is changed.
func (h *host) ask(req *http.Request, body Body) (*http.Response, error) {
	ctx := req.Context()
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	c, err := h.take(ctx)
	if err != nil {
		<-h.slots
		return nil, err
	}
	c.watch(ctx)
	failed := c.send(req, body)
	if failed != nil && !c.cut {
		c.drop()
		return nil, failed
	}
	c.await()
	resp, err := c.receive(req) // also of what was cut: the server may say why
	if err != nil {
		c.drop()
		return nil, cmp.Or(failed, err)
	}
	return resp, nil
}

// idleTime is how long a connection is kept that nobody uses.
const idleTime = 90 * time.Second

// take returns a connection that the server has not closed.
func (h *host) take(ctx context.Context) (*conn, error) {
	for {
		h.mu.Lock()
		n := len(h.idle) - 1
		if n < 0 {
			h.mu.Unlock()
			return h.open(ctx)
		}
		c := h.idle[n]
		h.idle[n], h.idle = nil, h.idle[:n]
		h.mu.Unlock()
		if c.quiet() {
			return c, nil
		}
		c.Close()
	}
}

// open makes a connection, in a goroutine of its own: the way there is deep, and
// a stack that has grown for it would stay as large while the call waits.
func (h *host) open(ctx context.Context) (c *conn, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		var nc net.Conn
		if nc, err = h.dial(ctx, "tcp", h.address); err == nil {
			c, err = newConn(h, nc)
		}
	}()
	<-done // it ends with ctx
	return c, err
}

// put keeps a connection for the next call.
func (h *host) put(c *conn) {
	c.since = h.clock()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.idle = append(h.idle, c)
	if h.old == nil {
		h.old = time.AfterFunc(idleTime, h.sweep)
	}
}

// sweep closes connections that nobody has used for long.
func (h *host) sweep() {
	h.mu.Lock()
	defer h.mu.Unlock()
	n, now := 0, h.clock()
	for n < len(h.idle) && now.Sub(h.idle[n].since) >= idleTime {
		h.idle[n].Close()
		n++
	}
	h.idle = append(h.idle[:0:0], h.idle[n:]...)
	if h.old = nil; len(h.idle) > 0 {
		h.old = time.AfterFunc(idleTime, h.sweep)
	}
}
