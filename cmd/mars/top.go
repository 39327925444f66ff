package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/model/budget"
	"github.com/mars-rec/mars/orchestrator/monitor"
	"github.com/mars-rec/mars/trajectories/overview"
	"github.com/mars-rec/mars/trajectories/store"
)

func topCommand(a *app) *cobra.Command {
	var metrics string
	var once, follow bool
	var interval time.Duration
	var window int
	c := &cobra.Command{
		Use:   "top RUN.DB|URL",
		Short: "Watch a synthesis at work, or see what became of one",
		Long: strings.TrimSpace(`
Show how a synthesis stands: runs done, failed and at work, how fast and how long
still; calls, tokens and times of each role, model and tool; money; what runs
failed of; the runs that have been at work longest. It is drawn anew each second
until all runs have ended, or until Ctrl-C.

It reads the run store, and never writes: any number may watch, on any synthesis,
also one whose runs are made by workers. Runs at work are told by what of them is in
the store. With --metrics, the address that mars synth --metrics serves, it tells
what only the process knows too: calls in flight, limits, breakers, attempts. With
that address in the place of the store, it needs no store.

Where there is no terminal, print a line each interval, and end also when runs are
left that no process works on; with --follow wait for one that goes on. With --once
print all of it, once; with --json as JSON, once if no --interval is given.`),
		Example: `  mars top run.db
  mars top run.db --once
  mars top run.db --metrics http://127.0.0.1:9464
  mars top http://127.0.0.1:9464
  mars top run.db --json`,
		Args: exactly("RUN.DB|URL"),
		RunE: func(c *cobra.Command, args []string) error {
			if interval < 100*time.Millisecond || window < 1 {
				return usagef("--interval is %s, --window %d: want 100ms and 1 or more", interval, window)
			}
			if once && follow {
				return usagef("--once and --follow: give one of them")
			}
			t := &top{app: a, window: window, follow: follow}
			path := args[0]
			if strings.HasPrefix(path, "http://") || strings.HasPrefix(path, "https://") {
				if metrics != "" {
					return usagef("--metrics goes with a run store")
				}
				path, metrics = "", path
			}
			if err := t.open(c.Context(), path, metrics); err != nil {
				return err
			}
			defer t.Close()
			return t.watch(c.Context(), interval, once || a.json && !c.Flags().Changed("interval"))
		},
	}
	c.Flags().StringVar(&metrics, "metrics", "", "address that mars synth --metrics serves, such as http://127.0.0.1:9464")
	c.Flags().BoolVar(&once, "once", false, "show it once, and end")
	c.Flags().BoolVar(&follow, "follow", false, "where there is no terminal, go on also while no process works on what is left")
	c.Flags().DurationVar(&interval, "interval", time.Second, "time between two looks")
	c.Flags().IntVar(&window, "window", 500, "runs that rows and times are made of: those that ended last")
	return c
}

// top looks at a synthesis, by its store, its metrics, or both.
type top struct {
	app    *app
	window int
	follow bool // wait for whoever goes on with what is left

	path     string
	st       *store.Store // nil: metrics alone
	follower *overview.Follower
	url      string // "": the store alone

	spend  *budget.Statement
	priced time.Time // when the spending was read
	cost   time.Duration
}

// standing is how a synthesis stands.
type standing struct {
	Store   string             `json:"store,omitempty"`
	Model   string             `json:"model,omitempty"`
	Seed    int64              `json:"seed,omitempty"`
	At      time.Time          `json:"at"`
	Runs    *overview.Overview `json:"runs,omitempty"`
	Spend   *budget.Statement  `json:"spend,omitempty"`
	Process *monitor.Snapshot  `json:"process,omitempty"`
	Flights []monitor.Flight   `json:"in_flight,omitempty"`
	Silent  string             `json:"process_error,omitempty"` // why the process does not tell
	Idle    bool               `json:"idle,omitempty"`          // runs are left, and no process writes to the store
}

func (t *top) open(ctx context.Context, path, metrics string) error {
	if metrics != "" {
		u, err := url.Parse(metrics)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return usagef("%q is no address of metrics: want http://host:port", metrics)
		}
		t.url = u.Scheme + "://" + u.Host
	}
	if path == "" {
		return nil
	}
	var err error
	t.path = path
	if t.st, err = openStore(ctx, path); err != nil {
		return err
	}
	t.follower = overview.New(t.st, overview.Config{Window: t.window, Clock: t.app.now})
	return nil
}

// Close ends the reading.
func (t *top) Close() error {
	if t.st == nil {
		return nil
	}
	return t.st.Close()
}

// look tells how the synthesis stands now. A process that does not answer is an
// error where there is no store.
func (t *top) look(ctx context.Context) (standing, error) {
	s := standing{Store: t.path, At: t.app.now()}
	if t.st != nil {
		o, err := t.follower.Look(ctx)
		if err != nil {
			return s, storeError(err)
		}
		m := t.st.Manifest()
		s.Runs, s.Model, s.Seed = &o, spoken(nil, m), m.Seed
		if s.Spend, err = t.spending(); err != nil {
			return s, err
		}
		if !s.ended() {
			written, err := store.Written(ctx, t.path)
			if err != nil {
				return s, err
			}
			if s.Idle = !written; s.Idle {
				o.Left = 0 // nobody brings it nearer
			}
		}
	}
	if t.url == "" {
		return s, nil
	}
	snapshot, flights, err := process(ctx, t.url)
	switch {
	case err == nil:
		s.Process, s.Flights = &snapshot, flights
	case t.st == nil:
		return s, hinted(err, "mars synth --metrics serves them while it is at work; mars top RUN.DB needs none")
	default:
		s.Silent = oneLine(err.Error())
	}
	return s, nil
}

// spending reads the account beside the store. It grows with each call of a run
// under a budget, so it is read for a tenth of the time at most.
func (t *top) spending() (*budget.Statement, error) {
	now := t.app.now()
	if t.spend != nil && now.Sub(t.priced) < 10*t.cost {
		return t.spend, nil
	}
	s, err := budget.ReadJournal(t.path + ".spend")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	t.spend, t.priced = &s, t.app.now()
	t.cost = t.priced.Sub(now)
	return t.spend, nil
}

// process asks a synthesis for its metrics and its runs in flight.
func process(ctx context.Context, base string) (monitor.Snapshot, []monitor.Flight, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var s monitor.Snapshot
	err := fetchFrom(ctx, base+"/metrics", func(r io.Reader) (err error) { s, err = monitor.ReadMetrics(r); return err })
	if err != nil {
		return s, nil, err
	}
	var flights []monitor.Flight
	err = fetchFrom(ctx, base+"/runs", func(r io.Reader) error { return decodeJSON(r, &flights) })
	return s, flights, err
}

// maxAnswer is the most that is read of an answer, in bytes.
const maxAnswer = 16 << 20

func fetchFrom(ctx context.Context, address string, read func(io.Reader) error) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers with status %d", address, resp.StatusCode)
	}
	return read(io.LimitReader(resp.Body, maxAnswer))
}

// watch looks again and again, until all has ended or the person has seen enough.
func (t *top) watch(ctx context.Context, interval time.Duration, once bool) error {
	s, err := t.look(ctx)
	if err != nil {
		return err
	}
	if once {
		return t.app.print(s, func(w io.Writer) { writeFrame(w, s.frame(), t.width(), 0) })
	}
	var p painter
	if !t.app.json && terminal(t.app.stdout) {
		p = painter{w: t.app.stdout}
		p.begin()
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	idle := 0 // looks one after the other at which nobody worked on what is left
	for {
		if idle++; !s.Idle {
			idle = 0
		}
		if idle > 1 && p.w == nil && !t.follow { // one that has just begun may not have had the store yet
			t.app.notef("no process works on the runs that are left: mars synth with --out %s goes on with them; --follow waits for it", t.path)
			break
		}
		switch {
		case idle > 1 && p.w == nil: // it is said
		case t.app.json:
			err = t.app.printJSON(s)
		case p.w != nil:
			err = p.paint(s.frame())
		default:
			_, err = fmt.Fprintln(t.app.stdout, oneLine(s.line()))
		}
		if err != nil || s.ended() {
			break
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		next, e := t.look(ctx)
		if e != nil {
			if ctx.Err() == nil && t.st != nil {
				err = e
			}
			break // a process that has ended has no more metrics
		}
		s = next
	}
	if p.w != nil {
		p.end()
		writeFrame(&screen{w: t.app.stdout}, s.frame(), t.width(), 0)
	}
	return err
}

// width is that of the terminal, or what fits into any.
func (t *top) width() int {
	if f, ok := t.app.stdout.(*os.File); ok && terminal(f) {
		w, _ := size(f)
		return w
	}
	return 80
}

// ended reports whether there is nothing more to wait for.
func (s standing) ended() bool { return s.Runs != nil && s.Runs.Ended() }
