package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// clockVariable gives a child a clock that jumps, drawn from this seed.
const clockVariable = "MARS_TEST_CLOCK"

// clock is the clock of this process: the system's, or one that jumps by up to
// three days, forward and back, without a word.
func clock() func() time.Time {
	seed, err := strconv.ParseUint(os.Getenv(clockVariable), 10, 64)
	if err != nil {
		return time.Now
	}
	var mu sync.Mutex
	draw, off := rand.New(rand.NewPCG(seed, 3)), time.Duration(0)
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		if draw.IntN(20) == 0 {
			off = time.Duration(draw.IntN(2*72*3600)-72*3600) * time.Second
		}
		return time.Now().Round(0).Add(off) // without the reading that cannot jump
	}
}

// serveNATS is a NATS server in a process of its own, on the port that its second
// argument names, with its store in the folder that the first one names.
func serveNATS() int {
	port, err := strconv.Atoi(os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitUsage
	}
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: os.Args[1], SyncAlways: true, NoLog: true})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitFailure
	}
	s.Start()
	s.WaitForShutdown()
	return exitOK
}

// child is a process that a test has started.
type child struct {
	*exec.Cmd
	name   string
	out    bytes.Buffer
	said   bytes.Buffer // stderr
	ended  chan struct{}
	number int
	killed bool
}

// programs are the names by which this test binary is the program, and the server.
func programs(t testing.TB, dir string) {
	t.Helper()
	for _, name := range []string{"mars", "nats"} {
		itself(t, dir, name)
	}
}

// hangs is how long a child may go on at most.
const hangs = 4 * time.Minute

// start starts a program of the folder. One that hangs is made to tell where, and
// ends the test.
func start(t testing.TB, env []string, name string, args ...string) *child {
	t.Helper()
	return startIn(t, "", env, name, args...)
}

// startIn is start in another folder.
func startIn(t testing.TB, dir string, env []string, name string, args ...string) *child {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), hangs)
	c := &child{Cmd: exec.CommandContext(ctx, "./"+name, args...), name: name, ended: make(chan struct{})}
	if len(args) > 0 {
		c.name += " " + args[0]
	}
	c.Dir = dir
	c.Env = append(os.Environ(), env...)
	c.Stdout, c.Stderr = &c.out, &c.said
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGQUIT) }
	c.WaitDelay = 5 * time.Second
	if err := c.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	go func() {
		defer close(c.ended)
		defer cancel()
		_ = c.Wait() // the state tells
	}()
	t.Cleanup(c.kill)
	return c
}

// kill ends a child as a crash does, and waits until it is gone.
func (c *child) kill() {
	if c.over() {
		return
	}
	c.killed = true
	_ = c.Process.Kill() // it may have ended meanwhile
	<-c.ended
}

func (c *child) over() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// exit waits for the child's end and checks it: one of the exit codes, and no
// panic.
func (c *child) exit(t testing.TB, codes ...int) int {
	t.Helper()
	<-c.ended
	code, said := c.ProcessState.ExitCode(), c.said.String()
	if strings.Contains(said, "goroutine ") || strings.Contains(said, "panic") {
		t.Fatalf("%s panics or hangs:\n%s", c.name, said)
	}
	for _, want := range codes {
		if code == want {
			return code
		}
	}
	if c.killed && code == -1 {
		return code
	}
	t.Fatalf("%s: exit %d, want %v\n%s", c.name, code, codes, said)
	return code
}

// freePort is a port that nobody listens on.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// natsAt starts a server and waits until it takes connections.
func natsAt(t testing.TB, dir string, port int) *child {
	t.Helper()
	c := start(t, nil, "nats", dir, strconv.Itoa(port))
	for !c.over() {
		conn, err := net.DialTimeout("tcp", "127.0.0.1:"+strconv.Itoa(port), time.Second)
		if err == nil {
			conn.Close()
			return c
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatal(err)
		}
		wait(t.Context(), 10*time.Millisecond)
	}
	t.Fatalf("the NATS server does not start: %s", c.said.String())
	return nil
}

// wait waits, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-ctx.Done()
}
