// Package transport is the HTTP client that the model adapters share: the one
// place where a provider's answer is bounded, and where everything that is not
// an answer becomes a [model.Error] that says what happened.
//
//	adapter ──request──> Client ──> provider
//	        <─response──   │   <──  200, the expected content type, at most Limit bytes
//	        <─model.Error──┘   <──  429, 5xx, 4xx, a redirect, a page of HTML,
//	                                200 with an error in it, no connection
//
// Secrets never leave it: the API key, should a provider echo it, is cut out of
// every error. Redirects are not followed, so that a key is sent to the host
// that the user named and to no other.
package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mars-rec/mars/model"
)

// Config of a [Client]. The zero value works.
type Config struct {
	Secrets []string          // cut out of every error
	Limit   int64             // bytes of a response; 0: 32 MB
	Conns   int               // connections to one host at most, others wait; 0: 256
	Base    http.RoundTripper // nil: as http.DefaultTransport, with Conns
	Clock   func() time.Time  // for Retry-After given as a date, and idle connections; nil: time.Now
}

// Client sends requests. It is safe for concurrent use.
type Client struct {
	cfg    Config
	http   *http.Client
	direct *direct // Base, if it is our own
}

// New returns a client.
func New(cfg Config) *Client {
	if cfg.Limit == 0 {
		cfg.Limit = 32 << 20
	}
	if cfg.Conns == 0 {
		cfg.Conns = 256
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	c := &Client{}
	if cfg.Base == nil {
		base := http.DefaultTransport.(*http.Transport).Clone()
		// A batch keeps many calls to one host in flight: each connection is
		// kept, and there is an end to them.
		base.MaxConnsPerHost, base.MaxIdleConnsPerHost, base.MaxIdleConns = cfg.Conns, cfg.Conns, 0
		c.direct = newDirect(base, cfg.Clock)
		cfg.Base = c.direct
	}
	c.cfg = cfg
	c.http = &http.Client{
		Transport:     roundTripper(c.roundTrip),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// HTTP returns the client in the form that other libraries take; its errors are
// wrapped in a [url.Error].
func (c *Client) HTTP() *http.Client { return c.http }

// Do sends a request. The response's status is 2xx and its content type is the
// one that the request accepts; reading more than the limit is an error. Every
// error is a [model.Error] or the context's.
func (c *Client) Do(req *http.Request) (*http.Response, error) {
	resp, err := c.http.Do(req)
	var known *model.Error
	switch {
	case err == nil:
		return resp, nil
	case errors.As(err, &known):
		return nil, known
	default:
		return nil, c.broken(req.Context(), err)
	}
}

// CheckBase reports whether a base URL has the form that adapters take: scheme,
// host and path, and no secret in it. The error does not repeat it.
func CheckBase(base string) error {
	u, err := url.Parse(base)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("the base URL is not of the form http://host:port/v1")
	}
	return nil
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func (c *Client) roundTrip(req *http.Request) (*http.Response, error) {
	resp, err := c.cfg.Base.RoundTrip(req)
	if err != nil {
		return nil, c.broken(req.Context(), err)
	}
	var whole bytes.Buffer
	stream, err := c.accept(req, resp, &whole)
	if err != nil {
		return nil, err
	}
	if !stream {
		resp.Body = io.NopCloser(&whole)
	}
	return resp, nil
}

// Body is the body of a request: it hands its text to use, once, which does not
// keep it. It may be asked for more than once.
type Body func(use func(text []byte)) error

// Post sends a request with a body and hands the whole of its answer to read, which
// does not keep it. It is [Client.Do] for those who need no response around it:
// while it waits, neither text is kept, where the server lets us. Req is changed.
func (c *Client) Post(req *http.Request, body Body, read func(answer []byte) error) error {
	resp, err := c.post(req, body)
	if err != nil {
		return c.broken(req.Context(), err)
	}
	return c.whole(req, resp, read)
}

// whole reads a response that nobody wants to see before its end.
func (c *Client) whole(req *http.Request, resp *http.Response, read func(answer []byte) error) error {
	buf := lend()
	defer giveBack(buf)
	stream, err := c.accept(req, resp, buf)
	if err != nil {
		return err
	}
	if stream {
		defer resp.Body.Close()
		if _, err := buf.ReadFrom(resp.Body); err != nil {
			return err
		}
	}
	return read(buf.Bytes())
}

// post is where a call waits for its answer.
func (c *Client) post(req *http.Request, body Body) (*http.Response, error) {
	if c.direct != nil {
		if h := c.direct.host(req); h != nil {
			return h.ask(req, body)
		}
	}
	if err := body(func(text []byte) { hold(req, bytes.Clone(text)) }); err != nil {
		return nil, err
	}
	return c.cfg.Base.RoundTrip(req)
}

// hold gives a request its body.
func hold(req *http.Request, text []byte) {
	req.ContentLength = int64(len(text))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }
	req.Body, _ = req.GetBody()
}

// accept reads a response into buf, unless it is a stream, which its body then
// has.
func (c *Client) accept(req *http.Request, resp *http.Response, buf *bytes.Buffer) (stream bool, err error) {
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		defer resp.Body.Close()
		return false, c.refused(resp)
	}
	media := resp.Header.Get("Content-Type")
	if media != "application/json" {
		media, _, _ = mime.ParseMediaType(media)
	}
	switch want := req.Header.Get("Accept"); {
	case media == "text/event-stream" && want != "application/json", media == "application/x-ndjson":
		resp.Body = &bounded{Reader: io.LimitReader(resp.Body, c.cfg.Limit+1), body: resp.Body, limit: c.cfg.Limit, fail: func(err error) error {
			return c.broken(req.Context(), err)
		}}
		return true, nil
	case want == "text/event-stream" || (media != "application/json" && media != ""):
		defer resp.Body.Close()
		return false, c.unexpected(req.Context(), resp, media, want)
	}
	defer resp.Body.Close()
	from := buf.Len()
	if n, err := buf.ReadFrom(io.LimitReader(resp.Body, c.cfg.Limit+1)); n > c.cfg.Limit {
		return false, c.tooLong()
	} else if err != nil {
		return false, c.broken(req.Context(), err)
	}
	whole := buf.Bytes()[from:]
	if text, ok := complaint(whole); ok {
		return false, c.errorf(reported(whole), "status 200 with an error in it: %s", text)
	}
	return false, nil
}

func (c *Client) tooLong() error {
	return &model.Error{Err: fmt.Errorf("the response is longer than %d bytes", c.cfg.Limit)}
}

// bounded is a response body that ends with an error where it is too long or
// the connection breaks.
type bounded struct {
	io.Reader
	body  io.Closer
	read  int64
	limit int64
	fail  func(error) error
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if b.read += int64(n); b.read > b.limit {
		return 0, &model.Error{Err: fmt.Errorf("the response is longer than %d bytes", b.limit)}
	}
	if err != nil && err != io.EOF {
		err = b.fail(err)
	}
	return n, err
}

func (b *bounded) Close() error { return b.body.Close() }

// broken is a failure of the connection.
func (c *Client) broken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // the URL is for the adapter to name
	}
	temporary := model.Temporary(err) || errors.Is(err, io.EOF)
	var op *net.OpError
	unsent := errors.As(err, &op) && op.Op == "dial"
	return &model.Error{Temporary: temporary, Unbilled: unsent, Err: errors.New(c.Redact("connection: " + strings.TrimSpace(err.Error())))}
}
