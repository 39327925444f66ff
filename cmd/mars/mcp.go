package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/star/environment"
	"github.com/mars-rec/mars/star/environment/mcp"
)

// mcpFlags are what `mars mcp` is told.
type mcpFlags struct {
	world  worldFlags
	listen guardedFlags
	task   string
}

// mcpReport says where the tools are served.
type mcpReport struct {
	URL string `json:"url"`
}

func mcpCommand(a *app) *cobra.Command {
	var f mcpFlags
	c := &cobra.Command{
		Use:   "mcp",
		Short: "Serve tasks and tools to agent hosts, by the Model Context Protocol",
		Long: strings.TrimSpace(`
Serve the student's tools, as of a task's moment, to any host that speaks the
Model Context Protocol: over standard input and output, or with --listen over
streamable HTTP. One session is one episode. Its task is the one that --task
names, or the one that the tool begin is called with; the tool answer ends it.
With --gold the answer's result has the reward, the paper's or that of --reward;
without it only whether it is well formed.`),
		Example: `  mars mcp --data data/books --tasks tasks.jsonl --task classic-u0007
  mars mcp --data data/books --tasks tasks.jsonl --gold gold.jsonl --listen 127.0.0.1:8091`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error { return a.mcp(c, f) },
	}
	f.world.add(c)
	f.listen.add(c, "", "address to listen on, /mcp; port 0 takes a free one; not given: standard input and output")
	c.Flags().StringVar(&f.task, "task", "", "id of the task of every session")
	return c
}

func (a *app) mcp(c *cobra.Command, f mcpFlags) (err error) {
	if err := need(c, "data", "tasks"); err != nil {
		return err
	}
	overHTTP := f.listen.address != ""
	if !overHTTP && (f.listen.tokenEnv != "" || f.listen.open || len(f.listen.hosts) > 0) {
		return usagef("--token-env, --open and --host are for --listen")
	}
	var access environment.Access
	if overHTTP {
		if access, err = f.listen.access(); err != nil {
			return err
		}
	}
	e, d, err := a.world(c.Context(), f.world)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if f.task != "" && !e.Has(f.task) {
		return usagef("%s has no task %q: its first of %d is %s", f.world.tasks, f.task, len(e.Tasks()), e.Tasks()[0].ID)
	}
	cfg := mcp.Config{Task: f.task, Access: access}
	if !overHTTP {
		return a.mcpStandard(c.Context(), c.InOrStdin(), e, cfg)
	}
	h, err := mcp.New(e, cfg)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/mcp", h)
	return a.serve(c.Context(), f.listen, access, mux, func(url string) error {
		report := mcpReport{url + "/mcp"}
		if err := a.print(report, func(w io.Writer) { fmt.Fprintln(w, report.URL) }); err != nil {
			return err
		}
		a.notef("serving; Ctrl-C stops it")
		return nil
	})
}

// mcpStandard serves one session over standard input and output, where nothing
// else may be written.
func (a *app) mcpStandard(ctx context.Context, in io.Reader, e *environment.Environment, cfg mcp.Config) error {
	if terminal(a.stdout) {
		a.notef("waiting for a host that speaks the Model Context Protocol; --listen serves it over HTTP")
	}
	err := mcp.Serve(ctx, e, cfg, &sdk.IOTransport{Reader: io.NopCloser(in), Writer: open{a.stdout}, MaxLineLength: 1 << 20})
	if errors.Is(err, context.Canceled) {
		return nil // an interrupt is how it ends
	}
	return err
}

// open is a writer that stays open.
type open struct{ io.Writer }

func (open) Close() error { return nil }
