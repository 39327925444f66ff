// Command frameworks measures what a trajectory costs beside the time that its
// models take, by this library and by others, all in one run. It starts a fake
// server, another process, and then one process for each side and setting, round
// after round, so that whatever else the machine does meets them all.
//
//	go run . -rounds 5 -json results.json > results.md
//
// What is asked of the sides is in package workload; sides are the folders raw,
// goopenai, langchaingo, eino and mars.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mars-rec/mars/bench/frameworks/measure"
	"github.com/mars-rec/mars/bench/frameworks/workload"
)

// side is a program and how it is started.
type side struct{ name, program, variant string }

var sides = []side{
	{"net/http, encoding/json", "raw", ""},
	{"go-openai", "goopenai", ""},
	{"langchaingo", "langchaingo", ""},
	{"eino", "eino", ""},
	{"mars, written behind", "mars", ""},
	{"mars synth's collector", "mars", "command"},
	{"mars, --durable step", "mars", "step"},
	{"mars, without a store", "mars", "no-store"},
}

// setting is what a side is asked for.
type setting struct {
	key     string
	name    string
	atOnce  int
	n, warm int
	latency time.Duration
	memory  bool // what counts is the memory at the most calls at once, in one wave
	long    bool // texts
}

var settings = []setting{
	{"16", "16 x 20 ms", 16, 640, 64, 20 * time.Millisecond, false, false},
	{"long", "16 x 20 ms, long texts", 16, 640, 64, 20 * time.Millisecond, false, true},
	{"256", "256 x 200 ms", 256, 1024, 256, 200 * time.Millisecond, false, false},
	{"1000", "1,000 calls at once", 250, 250, 0, 2 * time.Second, true, false},
	{"4000", "4,000 calls at once", 1000, 1000, 0, 4 * time.Second, true, false},
}

// sample is one measurement.
type sample struct {
	Side    string `json:"side"`
	Setting string `json:"setting"`
	Round   int    `json:"round"`
	measure.Result
	Efficiency float64 `json:"efficiency"` // the time that models alone would have taken, to that which passed
	Sent       float64 `json:"sent_bytes"` // by the side, of each trajectory
	MostCalls  int64   `json:"most_calls"` // at once, as the server counted
}

func main() {
	log.SetFlags(log.Ltime)
	rounds := flag.Int("rounds", 5, "measurements of each side in each setting; of memory, at most 3")
	only := flag.String("sides", "", "programs to measure, apart by commas; \"\" is all")
	in := flag.String("settings", "", "settings to measure: 16, long, 256, 1000, 4000, apart by commas; \"\" is all")
	out := flag.String("json", "", "file for every measurement")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b := bench{chosen: split(*only), settings: split(*in)}
	err := b.run(ctx, *rounds)
	if err == nil && *out != "" {
		err = write(*out, b.samples)
	}
	if err != nil {
		log.Fatal(err)
	}
	report(os.Stdout, b.samples)
}

func split(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
}

func write(path string, samples []sample) error {
	text, err := json.MarshalIndent(samples, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

type bench struct {
	chosen, settings []string
	dir, url         string
	samples          []sample
}

// run builds the programs, starts the server and measures.
func (b *bench) run(ctx context.Context, rounds int) (err error) {
	if b.dir, err = os.MkdirTemp("", "frameworks-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	build := exec.CommandContext(ctx, "go", "build", "-o", b.dir+"/", "./...")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("go build: %w", err)
	}
	stop, err := b.serve(ctx)
	if err != nil {
		return err
	}
	defer stop()
	for round := 1; round <= rounds; round++ {
		for _, in := range settings {
			if len(b.settings) > 0 && !slices.Contains(b.settings, in.key) || in.memory && round > 3 {
				continue
			}
			for i := range sides { // each round begins with another
				s := sides[(i+round-1)%len(sides)]
				if len(b.chosen) > 0 && !slices.Contains(b.chosen, s.program) {
					continue
				}
				if err := b.measure(ctx, s, in, round); err != nil {
					return fmt.Errorf("%s, %s: %w", s.name, in.name, err)
				}
			}
		}
	}
	return nil
}

// serve starts the fake server. It ends when its input is closed.
func (b *bench) serve(ctx context.Context) (stop func(), err error) {
	server := exec.CommandContext(ctx, filepath.Join(b.dir, "fakeserver"))
	server.Stderr = os.Stderr
	input, err := server.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := server.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := server.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	b.url = strings.TrimSpace(line)
	return func() {
		input.Close()
		_ = server.Wait() // it has nothing to tell
	}, err
}

// measure starts a side once.
func (b *bench) measure(ctx context.Context, s side, in setting, round int) error {
	resp, err := http.Post(b.url+"/reset?latency="+in.latency.String(), "", nil)
	if err != nil {
		return err
	}
	resp.Body.Close()
	program := exec.CommandContext(ctx, filepath.Join(b.dir, s.program), "-url", b.url+"/v1", "-variant", s.variant,
		"-n", fmt.Sprint(in.n), "-warm", fmt.Sprint(in.warm), "-at-once", fmt.Sprint(in.atOnce), fmt.Sprintf("-long=%v", in.long))
	program.Stderr = os.Stderr
	text, err := program.Output()
	if err != nil {
		return err
	}
	m := sample{Side: s.name, Setting: in.name, Round: round}
	if err := json.Unmarshal(text, &m.Result); err != nil {
		return err
	}
	stats, err := b.stats()
	if err != nil {
		return err
	}
	all := in.n + in.warm
	if want := int64(all * workload.Calls); stats["calls"] != want || stats["wrong"] != 0 {
		return fmt.Errorf("the server heard %d calls, %d of them not understood: want %d", stats["calls"], stats["wrong"], want)
	}
	m.Sent, m.MostCalls = float64(stats["bytes"])/float64(all), stats["most"]
	ideal := float64(workload.Depth) * float64(in.latency.Milliseconds()) * float64(in.n) / float64(in.atOnce)
	m.Efficiency = ideal / m.WallMs
	log.Printf("round %d, %-20s %-24s %5.2f ms CPU, %6.0f allocations, %4.0f kB, efficiency %.3f, %4.0f MB", round, in.name, s.name,
		m.CPUMs, m.Allocations, m.Bytes/1e3, m.Efficiency, m.PeakMB)
	b.samples = append(b.samples, m)
	return nil
}

// stats is what the server has counted.
func (b *bench) stats() (map[string]int64, error) {
	resp, err := http.Get(b.url + "/stats")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	var counted map[string]int64
	return counted, json.Unmarshal(text, &counted)
}
