// Package measure is the program of one side of the comparison: it lets the
// side work on so many trajectories, so many at once, and tells what that cost.
//
//	bench/frameworks ──starts──> side -url U -n 320 -at-once 16 ──> Result as JSON
//	                 ──starts──> fakeserver, another process   <── 11 calls a trajectory
//
// Each side is a program of its own, so that none pays for what another links.
package measure

import (
	"context"
	"encoding/json"
	"flag"
	"log"
	"net/http"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/mars-rec/mars/bench/frameworks/workload"
)

// Config is what a side is told.
type Config struct {
	URL     string // of the server, with /v1
	Variant string // of the side; "" is the usual
	Total   int    // trajectories in all, warm-up included
	AtOnce  int
	World   *workload.World
	Done    func() // called by a side that tells when a trajectory is done
}

// Side works on trajectories.
type Side interface {
	// Batch makes the trajectories of the tasks from first on, so many at once.
	Batch(ctx context.Context, first, n, atOnce int) error
	// Close ends it, and tells how many bytes it has stored.
	Close() (stored int64, err error)
}

// Result is what n trajectories came to. Processor time and allocations are of
// the side's process alone.
type Result struct {
	N           int     `json:"n"`
	AtOnce      int     `json:"at_once"`
	WallMs      float64 `json:"wall_ms"`                // of all
	CPUMs       float64 `json:"cpu_ms"`                 // of each
	Allocations float64 `json:"allocations"`            // of each
	Bytes       float64 `json:"bytes"`                  // allocated, of each
	PeakMB      float64 `json:"peak_mb"`                // the most memory that the process had, in 10^6 bytes
	Stored      float64 `json:"stored_bytes,omitempty"` // of each
}

// Main is the program of a side that open makes.
func Main(open func(context.Context, Config) (Side, error)) {
	log.SetFlags(0)
	if err := run(context.Background(), open); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, open func(context.Context, Config) (Side, error)) error {
	var cfg Config
	var n, warm, every int
	var long bool
	var profile, allocated string
	flag.StringVar(&cfg.URL, "url", "", "the server's address")
	flag.StringVar(&cfg.Variant, "variant", "", "of the side")
	flag.IntVar(&n, "n", 320, "trajectories that are measured")
	flag.IntVar(&warm, "warm", 0, "trajectories before them")
	flag.IntVar(&cfg.AtOnce, "at-once", 16, "trajectories at once")
	flag.BoolVar(&long, "long", false, "long texts")
	flag.IntVar(&every, "every", 0, "tell time and memory of so many trajectories, of a side that says when they are done")
	flag.StringVar(&profile, "cpuprofile", "", "file for a profile of processor time")
	flag.StringVar(&allocated, "memprofile", "", "file for a profile of allocations")
	flag.Parse()
	if allocated != "" {
		runtime.MemProfileRate = 512
	}
	cfg.Total, cfg.World = n+warm, workload.NewWorld(long)
	cfg.Done = func() {}
	if every > 0 {
		cfg.Done = (&pace{every: every, start: time.Now(), cpu: processor()}).done
	}
	side, err := open(ctx, cfg)
	if err != nil {
		return err
	}
	if err := side.Batch(ctx, n, warm, cfg.AtOnce); err != nil {
		return err
	}
	runtime.GC()
	if profile != "" {
		f, err := os.Create(profile)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, start := processor(), time.Now()
	if err := side.Batch(ctx, 0, n, cfg.AtOnce); err != nil {
		return err
	}
	wall := time.Since(start)
	stored, err := side.Close()
	if err != nil {
		return err
	}
	spent := processor() - cpu
	runtime.ReadMemStats(&after)
	pprof.StopCPUProfile()
	if allocated != "" {
		f, err := os.Create(allocated)
		if err != nil {
			return err
		}
		if err := pprof.Lookup("allocs").WriteTo(f, 0); err != nil {
			return err
		}
	}
	each := float64(n)
	return json.NewEncoder(os.Stdout).Encode(Result{
		N: n, AtOnce: cfg.AtOnce, WallMs: ms(wall), CPUMs: ms(spent) / each,
		Allocations: float64(after.Mallocs-before.Mallocs) / each, Bytes: float64(after.TotalAlloc-before.TotalAlloc) / each,
		PeakMB: memory("VmHWM:"), Stored: float64(stored) / float64(cfg.Total),
	})
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// pace tells how long each so many trajectories took, and the memory after them.
type pace struct {
	every, count int
	start        time.Time
	cpu          time.Duration
}

// done counts a trajectory. It is called by one goroutine at a time.
func (p *pace) done() {
	if p.count++; p.count%p.every != 0 {
		return
	}
	now, cpu := time.Now(), processor()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	log.Printf("%d done: %.1f a second, %.2f ms CPU each, %.0f MB now, %.0f MB at most, %.1f MB alive or garbage", p.count,
		float64(p.every)/now.Sub(p.start).Seconds(), ms(cpu-p.cpu)/float64(p.every), memory("VmRSS:"), memory("VmHWM:"), float64(m.HeapAlloc)/1e6)
	p.start, p.cpu = now, cpu
}

// processor is the time that the process has spent, its own and the system's
// for it.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		log.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// memory is a line of what the system says of the process, in 10^6 bytes.
func memory(name string) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(status), name)
	kB, _ := strconv.ParseFloat(strings.Fields(after)[0], 64)
	return kB * 1024 / 1e6
}

// Runner makes a [Side] of what works on one task.
type Runner struct {
	World *workload.World
	Run   func(ctx context.Context, t workload.Task) error
}

// Batch implements [Side].
func (r Runner) Batch(ctx context.Context, first, n, atOnce int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := r.Run(ctx, r.World.Task(first+i)); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// Close implements [Side].
func (r Runner) Close() (int64, error) { return 0, nil }

// HTTP is the client of the sides that take one: it keeps each connection that
// a batch has opened, as http.DefaultClient does not.
func HTTP() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 0, 1<<14
	return &http.Client{Transport: t}
}
