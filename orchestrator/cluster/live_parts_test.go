package cluster_test

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/tasks"
)

// diary is a ledger in memory that is as durable as a disk, and knows in which
// order facts came.
type diary struct {
	mu     sync.Mutex
	facts  map[string]map[message.ID]message.Envelope
	came   map[string]int // a fact's place, by run and path ID
	sealed map[string]int
	failed []string
}

func newDiary() *diary {
	return &diary{facts: map[string]map[message.ID]message.Envelope{}, came: map[string]int{}, sealed: map[string]int{}}
}

func (d *diary) Begin(_ context.Context, run string, _ tasks.Task) (orchestrator.Entry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sealed[run] > 0 {
		return nil, orchestrator.ErrDone
	}
	if d.facts[run] == nil {
		d.facts[run] = map[message.ID]message.Envelope{}
	}
	return &leaf{d, run}, nil
}

// now is how many facts there are.
func (d *diary) now() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.came)
}

// had reports whether a fact was there at that time.
func (d *diary) had(run string, id message.ID, then int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	at, ok := d.came[run+" "+string(id)]
	return ok && at < then
}

// leaf is one run of a diary.
type leaf struct {
	*diary
	run string
}

func (l *leaf) Recall(id message.ID, _ string) (message.Envelope, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.facts[l.run][id]
	return e, ok, nil
}

func (l *leaf) Append(_ context.Context, e message.Envelope) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	have, ok := l.facts[l.run][e.ID]
	switch {
	case ok && !have.Equal(e):
		return message.ErrConflict
	case !ok:
		l.facts[l.run][e.ID] = e
		l.came[l.run+" "+string(e.ID)] = len(l.came)
	}
	return nil
}

func (l *leaf) Seal(context.Context, orchestrator.Result) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sealed[l.run]++
	return nil
}

func (l *leaf) Fail(_ context.Context, cause error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = append(l.failed, l.run+": "+cause.Error())
	return nil
}

// valve is the wire of a client that can be cut, or held for a while, as if the
// process were stopped.
type valve struct {
	mu   sync.Mutex
	open sync.RWMutex // held for writing: nothing goes through
	wire net.Conn
}

func (v *valve) Dial(network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{Timeout: time.Second}).Dial(network, address)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.wire = c
	return &valved{c, v}, nil
}

func (v *valve) cut() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.wire != nil {
		v.wire.Close()
	}
}

// hold stops the wire for a while.
func (v *valve) hold(d time.Duration) {
	v.open.Lock()
	time.AfterFunc(d, v.open.Unlock)
}

type valved struct {
	net.Conn
	v *valve
}

func (c *valved) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.v.open.RLock()
	defer c.v.open.RUnlock()
	return n, err
}

func (c *valved) Write(b []byte) (int, error) {
	c.v.open.RLock()
	defer c.v.open.RUnlock()
	return c.Conn.Write(b)
}

// lane is a server that one schedule after the other is played on.
type lane struct {
	t   *testing.T
	s   *server.Server
	dir string
	url string
}

func (l *lane) restart(dir string) {
	port := l.s.Addr().(*net.TCPAddr).Port
	shutdown(l.s)
	l.dir = dir
	l.s = serve(l.t, dir, port)
}

// listen starts an echo once there is a coordinator, which would otherwise take it
// for another one.
func (p *play) listen() {
	if p.hush != nil {
		return
	}
	if _, err := p.nc.Request("mars.cluster."+p.name+".call", []byte(`{"op":"join"}`), 50*time.Millisecond); err != nil {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	draw := rand.New(rand.NewPCG(p.draw.Uint64(), 9))
	var wg sync.WaitGroup
	wg.Go(func() { p.echo(ctx, draw) })
	p.hush = func() { stop(); wg.Wait(); p.hush = nil }
}

func (p *play) quiet() {
	if p.hush != nil {
		p.hush()
	}
}

// echo repeats what was said to the coordinator and to the queue, later.
func (p *play) echo(ctx context.Context, draw *rand.Rand) {
	nc, _ := p.dial()
	defer nc.Close()
	heard := make(chan *nats.Msg, 1000)
	sub, err := nc.ChanSubscribe("mars.cluster."+p.name+".>", heard)
	if err != nil {
		return
	}
	var late []*nats.Msg
	n := 0
	for {
		select {
		case m := <-heard:
			if draw.IntN(3) == 0 {
				late = append(late, m)
			}
		case <-time.After(time.Duration(1+draw.IntN(20)) * time.Millisecond):
			if len(late) > 0 {
				i := draw.IntN(len(late))
				_ = sub.Unsubscribe() // it would hear itself
				_ = nc.PublishRequest(late[i].Subject, "nobody", late[i].Data)
				late[i] = late[len(late)-1]
				late = late[:len(late)-1]
				n++
				_ = nc.FlushTimeout(100 * time.Millisecond)
				if sub, err = nc.ChanSubscribe("mars.cluster."+p.name+".>", heard); err != nil {
					return
				}
			}
		case <-ctx.Done():
			p.mu.Lock()
			p.done["messages come again, late"] += n
			p.mu.Unlock()
			return
		}
	}
}
