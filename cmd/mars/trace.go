package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/store"
	"github.com/mars-rec/mars/trajectories/traces"
)

// otlpFlags say whether runs are told to a collector of traces.
type otlpFlags struct {
	url     string
	content bool
}

func (f *otlpFlags) add(c *cobra.Command, usage string) {
	c.Flags().StringVar(&f.url, "otlp", "", usage)
	c.Flags().BoolVar(&f.content, "otlp-content", false, "put what was said into the spans: prompts, replies, arguments and results of tools, texts of failures")
}

// fromEnvironment stands for the collector that the environment names.
const fromEnvironment = "env"

// open makes the exporter; nothing is sent yet.
func (f *otlpFlags) open(ctx context.Context) (*traces.Exporter, error) {
	cfg := traces.ExportConfig{URL: f.url, Version: buildVersion()}
	if f.url == fromEnvironment {
		cfg.URL = ""
	}
	x, err := traces.NewExporter(ctx, cfg)
	if err != nil {
		return nil, usagef("--otlp: %w", err)
	}
	return x, nil
}

func traceCommand(a *app) *cobra.Command {
	var f otlpFlags
	c := &cobra.Command{
		Use:   "trace RUN.DB [ID]",
		Short: "Show recorded runs as OpenTelemetry traces, or send them to a collector",
		Long: strings.TrimSpace(`
Make OpenTelemetry traces of recorded runs: a span for the run, for each agent, for
each call of a model or a tool, with times, tokens and failures, named by the
conventions for generative AI. The log of a run has all that they need, so any run
can be traced, at any time; its trace and its spans have the same ids each time.

Without flags, print where the time of each run went. With --json, print a line of
OTLP's JSON for each run, which collectors read. With --otlp, send them to a
collector over HTTP: to its URL, or with --otlp env to where OTEL_EXPORTER_OTLP_ENDPOINT
says; keys and the like are taken from OTEL_EXPORTER_OTLP_HEADERS and its kin.
mars synth --otlp does so with each run when it has ended.

Spans hold no texts unless --otlp-content is given.`),
		Example: `  mars trace run.db classic-42
  mars trace run.db --otlp http://127.0.0.1:4318
  mars trace run.db classic-42 --otlp env --otlp-content
  mars trace run.db --json > traces.jsonl`,
		Args: between(1, "RUN.DB", "ID"),
		RunE: func(c *cobra.Command, args []string) error {
			st, err := openStore(c.Context(), args[0])
			if err != nil {
				return err
			}
			defer st.Close()
			return storeError(a.trace(c.Context(), st, args[1:], f))
		},
	}
	f.add(c, "URL of a collector that takes OTLP over HTTP, such as http://127.0.0.1:4318; env: as OTEL_EXPORTER_OTLP_ENDPOINT says")
	return c
}

// trace shows or sends the run of the id that is given, or all that have begun.
func (a *app) trace(ctx context.Context, st *store.Store, ids []string, f otlpFlags) (err error) {
	cfg := traces.Config{Content: f.content}
	sent := struct {
		Runs  int    `json:"runs"`
		Spans int    `json:"spans"`
		To    string `json:"to"`
	}{To: f.url}
	show := func(t *trajectories.Trajectory) error {
		spans := traces.Spans(t, cfg)
		if a.json {
			return traces.WriteJSON(jsonScreen{a.stdout}, buildVersion(), spans)
		}
		s := &screen{w: a.stdout}
		writeTrace(s, t, spans)
		return s.err
	}
	if f.url != "" {
		x, err := f.open(ctx)
		if err != nil {
			return err
		}
		defer x.Close(context.WithoutCancel(ctx)) //nolint:errcheck // all that was sent has been acknowledged
		bar := a.progress("trace", 0, thousands)
		defer bar.Close()
		show = func(t *trajectories.Trajectory) error {
			spans := traces.Spans(t, cfg)
			if err := x.Export(ctx, spans); err != nil {
				return hinted(fmt.Errorf("run %s: %w", t.Run.ID, err), "is a collector there that takes OTLP over HTTP? The runs before it are sent")
			}
			sent.Runs, sent.Spans = sent.Runs+1, sent.Spans+len(spans)
			bar.Add(1)
			return nil
		}
	}
	if err := eachBegun(ctx, st, ids, show); err != nil || f.url == "" {
		return err
	}
	return a.print(sent, func(w io.Writer) {
		fmt.Fprintf(w, "%s runs, %s spans sent to %s\n", thousands(int64(sent.Runs)), thousands(int64(sent.Spans)), sent.To)
	})
}

// eachBegun hands on the run of the id that is given, or, without one, all that
// have begun.
func eachBegun(ctx context.Context, st *store.Store, ids []string, work func(*trajectories.Trajectory) error) error {
	one := func(id string) error {
		t, err := st.Trajectory(ctx, id)
		if err != nil {
			return err
		}
		return work(t)
	}
	if len(ids) > 0 {
		return one(ids[0])
	}
	for r, err := range st.Runs(ctx) {
		if err != nil {
			return err
		}
		if r.Status == trajectories.Pending {
			continue
		}
		if err := one(r.ID); err != nil {
			return err
		}
	}
	return nil
}

// barWidth is how many characters show when a span was.
const barWidth = 24

// writeTrace shows where the time of a run went.
func writeTrace(w io.Writer, t *trajectories.Trajectory, spans []traces.Span) {
	whole := spans[0].End.Sub(spans[0].Start)
	fmt.Fprintf(w, "run %s: %s, %s; trace %s\n", t.Run.ID, t.Run.Status, brief(whole), spans[0].Trace)
	for _, s := range spans {
		depth := strings.Count(string(s.Path), ".")
		name := strings.Repeat("  ", depth) + s.Name
		if s.Failure != "" {
			name += " (" + s.Failure + ")"
		}
		fmt.Fprintf(w, "%s %9s  %-8s %s\n", bar(s, spans[0]), brief(s.End.Sub(s.Start)), s.Path, name)
	}
}

// bar draws when a span was within the whole.
func bar(s, whole traces.Span) string {
	length := max(whole.End.Sub(whole.Start), 1)
	at := func(t time.Time) int { return int(int64(barWidth) * int64(t.Sub(whole.Start)) / int64(length)) }
	from, to := min(at(s.Start), barWidth-1), at(s.End)
	to = min(max(to, from+1), barWidth)
	return strings.Repeat("·", from) + strings.Repeat("█", to-from) + strings.Repeat("·", barWidth-to)
}

// brief writes a time with three digits or so.
func brief(d time.Duration) string {
	switch {
	case d >= time.Minute:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(time.Microsecond).String()
}

// jsonScreen is where JSON is written to: what a terminal would obey stands in its
// strings, and is written as the escape that it has there.
type jsonScreen struct{ w io.Writer }

func (s jsonScreen) Write(b []byte) (int, error) {
	_, err := io.WriteString(s.w, printable(string(b)))
	return len(b), err
}
