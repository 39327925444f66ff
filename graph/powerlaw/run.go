package powerlaw

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/mars-rec/mars/graph"
)

// Report is what a benchmark found.
type Report struct {
	Shape        Shape         `json:"shape"`
	CPUs         int           `json:"cpus"`
	Go           string        `json:"go"`
	Pairs        int           `json:"interactions"`
	Bytes        int64         `json:"bytes"`          // of the snapshot
	PerPair      float64       `json:"bytes_per_pair"` //
	Build        time.Duration `json:"build_ns"`       // of the log in the system's cache, to a graph in memory
	BuildCPU     time.Duration `json:"build_cpu_ns"`   // processor time of all its threads
	PerSecond    float64       `json:"built_per_s"`    //
	Save         time.Duration `json:"save_ns"`        // with a sync
	Open         time.Duration `json:"open_ns"`        // and the first query; the file in the system's cache
	Verify       time.Duration `json:"verify_ns"`      //
	Measurements []Measurement `json:"measurements"`   //
}

// Config of a benchmark.
type Config struct {
	Queries  int                             // of each kind; 0: 1000
	Workers  int                             // that build; 0: as many as there are processors
	Progress func(done float64, what string) // nil: nobody is told
}

// Run makes the log and the graph in a folder, log.bin and graph.bin, and
// measures them. A log of that shape that is there already is used.
func Run(dir string, shape Shape, c Config) (*Report, error) {
	if c.Queries <= 0 {
		c.Queries = 1000
	}
	tell := c.Progress
	if tell == nil {
		tell = func(float64, string) {}
	}
	log, snapshot := filepath.Join(dir, "log.bin"), filepath.Join(dir, "graph.bin")
	r := &Report{Shape: shape, CPUs: runtime.GOMAXPROCS(0), Go: runtime.Version()}
	tell(0, "make the log")
	if err := shape.write(log); err != nil {
		return nil, err
	}
	runtime.GC()
	tell(0.3, "build")
	start, used := time.Now(), process()
	built, err := graph.BuildConfig{Workers: c.Workers}.BuildLog(log)
	if err != nil {
		return nil, err
	}
	r.Build, r.BuildCPU = time.Since(start), process()-used
	r.Pairs = built.Interactions()
	r.PerSecond = math.Round(float64(shape.Interactions) / r.Build.Seconds())
	tell(0.5, "save")
	start = time.Now()
	if err := built.Save(snapshot); err != nil {
		return nil, err
	}
	r.Save = time.Since(start)
	built = nil
	runtime.GC()
	info, err := os.Stat(snapshot)
	if err != nil {
		return nil, err
	}
	r.Bytes = info.Size()
	r.PerPair = math.Round(1000*float64(r.Bytes)/float64(r.Pairs)) / 1000

	var opened []time.Duration
	for range 5 {
		took, err := firstAnswer(snapshot)
		if err != nil {
			return nil, err
		}
		opened = append(opened, took)
	}
	slices.Sort(opened)
	r.Open = opened[len(opened)/2]
	g, err := graph.Open(snapshot)
	if err != nil {
		return nil, err
	}
	defer g.Close()
	tell(0.6, "verify")
	start = time.Now()
	if err := g.Verify(); err != nil {
		return nil, err
	}
	r.Verify = time.Since(start)
	tell(0.7, "ask")
	r.Measurements = Measure(g, c.Queries, shape.Seed)
	tell(1, "done")
	return r, nil
}

// firstAnswer opens a snapshot and asks one question of it, as of the middle of
// its log.
func firstAnswer(snapshot string) (time.Duration, error) {
	start := time.Now()
	g, err := graph.Open(snapshot)
	if err != nil {
		return 0, err
	}
	defer g.Close()
	c := g.At(time.Unix(Base+span/2, 0))
	if i, ok := c.Item("7"); ok {
		c.ItemCF(i, graph.Query{})
	}
	return time.Since(start), nil
}

// write makes the log file, if it is not there.
func (s Shape) write(path string) error {
	const header, row = 24, 13
	if info, err := os.Stat(path); err == nil && info.Size() == int64(header+row*s.Interactions) {
		return nil
	}
	rows, err := s.Log()
	if err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	err = graph.WriteLog(f, Base, true, slices.Values(rows))
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("make log %s: %w", path, err)
	}
	return nil
}
