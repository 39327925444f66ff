package transport

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// conn is one connection to a host. One goroutine at a time works with it.
type conn struct {
	net.Conn
	host  *host
	raw   syscall.RawConn
	since time.Time // when it was used last

	interrupt func()             // ends what is being written or read
	arrived   func(uintptr) bool // see await
	asked     bool               // whether await has looked
	stop      func() bool        // of the call: interrupt no more
	left      int64              // bytes that may be read
	cut       bool               // not all of a request could be sent: there is no other after it
}

var errNoRaw = errors.New("the connection is none of the system's")

func newConn(h *host, nc net.Conn) (*conn, error) {
	sys, ok := nc.(syscall.Conn)
	if !ok {
		nc.Close()
		return nil, errNoRaw
	}
	raw, err := sys.SyscallConn()
	if err != nil {
		nc.Close()
		return nil, err
	}
	c := &conn{Conn: nc, host: h, raw: raw}
	c.interrupt = func() { _ = c.SetDeadline(time.Unix(1, 0)) } // it fails where there is nothing to end
	c.arrived = func(fd uintptr) bool {
		if c.asked { // it has been waited for
			return true
		}
		c.asked = true
		return !nothing(fd)
	}
	return c, nil
}

// watch ends what is done with the connection when ctx ends.
func (c *conn) watch(ctx context.Context) { c.stop = context.AfterFunc(ctx, c.interrupt) }

// quiet reports whether the connection, which nobody uses, is open, and the server
// has sent nothing.
func (c *conn) quiet() (quiet bool) {
	err := c.raw.Control(func(fd uintptr) { quiet = nothing(fd) })
	return err == nil && quiet
}

// send writes a request with its body at once.
func (c *conn) send(req *http.Request, body Body) (err error) {
	buf := lend()
	defer giveBack(buf)
	var failed error
	err = body(func(text []byte) {
		req.Body, req.ContentLength, req.GetBody = nil, int64(len(text)), nil
		if len(text) > 0 {
			req.Body = io.NopCloser(bytes.NewReader(text))
		}
		failed = req.Write(buf)
		req.Body = nil
	})
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	n, err := c.Write(buf.Bytes())
	c.cut = err != nil && n > 0
	return err
}

// await waits until there is something to read, without a buffer for it. That
// there never will be is found by whoever reads.
func (c *conn) await() {
	c.asked = false
	_ = c.raw.Read(c.arrived)
}

// readers are for responses while they are read.
var readers = sync.Pool{New: func() any { return bufio.NewReader(nil) }}

// What a response may have before its body.
const (
	maxHead  = 1 << 20 // bytes
	maxHeads = 5       // of those that tell of another
)

// receive reads the head of a response. The end of its body, or Close, is the end
// of the call.
func (c *conn) receive(req *http.Request) (*http.Response, error) {
	r := readers.Get().(*bufio.Reader)
	r.Reset(c)
	c.left = maxHead
	var resp *http.Response
	_, err := r.Peek(1)
	for n := 0; err == nil; n++ {
		if resp, err = http.ReadResponse(r, req); err != nil || resp.StatusCode >= 200 {
			break
		}
		if n == maxHeads || resp.StatusCode == http.StatusSwitchingProtocols {
			err = fmt.Errorf("status %d was not asked for", resp.StatusCode)
		}
	}
	if err != nil {
		r.Reset(nil)
		readers.Put(r)
		return nil, err
	}
	c.left = math.MaxInt64
	b := &answered{conn: c, reader: r, body: resp.Body, close: resp.Close || c.cut}
	if resp.Body == http.NoBody {
		b.end(true)
	} else {
		resp.Body = b
	}
	return resp, nil
}

// Read reads what a response may have.
func (c *conn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, fmt.Errorf("the head of the response is longer than %d bytes", maxHead)
	}
	n, err := c.Conn.Read(p)
	c.left -= int64(n)
	return n, err
}

// drop ends a call of which something has failed.
func (c *conn) drop() {
	c.stop()
	c.Close()
	<-c.host.slots
}

// answered is the body of a response.
type answered struct {
	conn   *conn
	reader *bufio.Reader
	body   io.ReadCloser
	close  bool // the server sends nothing more after it
	ended  bool
}

// Read implements [io.Reader].
func (a *answered) Read(p []byte) (int, error) {
	if a.ended {
		return 0, io.EOF
	}
	n, err := a.body.Read(p)
	if err != nil {
		a.end(err == io.EOF)
	}
	return n, err
}

// Close implements [io.Closer].
func (a *answered) Close() error {
	if !a.ended {
		a.end(false)
	}
	return nil
}

// end ends the call; whole says that everything was read.
func (a *answered) end(whole bool) {
	a.ended = true
	c := a.conn
	if whole && !a.close && a.reader.Buffered() == 0 && c.stop() {
		c.host.put(c)
		<-c.host.slots
	} else {
		c.drop()
	}
	a.reader.Reset(nil)
	readers.Put(a.reader)
}
