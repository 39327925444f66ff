package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/star/training"
)

func trainServeCommand(a *app) *cobra.Command {
	var place placeFlags
	var local listenFlags
	var name string
	var ranking rankingFlag
	c := &cobra.Command{
		Use:   "serve STUDENT",
		Short: "Serve a student over OpenAI's API, on any machine",
		Long: strings.TrimSpace(`
Serve a checkpoint by transformers, with its own chat template; tool calls are
read as vLLM's hermes parser reads them. Requests that come together are answered
together, and all wait for the longest of them. It is for trying students where
there is no vLLM; to measure one on many tasks, mars train evaluate takes half as
long.`),
		Example: `  mars train serve student --listen 127.0.0.1:8000
  mars synth --data data/ml --tasks tasks.jsonl --student --model openai:star --base-url http://127.0.0.1:8000/v1 --out student.db`,
		Args: exactly("STUDENT"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := local.check("nothing: this server asks for no token"); err != nil {
				return err
			}
			if err := ranking.check(); err != nil {
				return err
			}
			all := []string{"serve", args[0], "--listen", local.address, "--name", name, "--ranking", string(ranking)}
			err := a.trainer(c.Context(), place, all, func(e training.Event) error {
				return a.print(e.Raw, func(w io.Writer) { fmt.Fprintln(w, e.Text["url"]) })
			})
			if errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		},
	}
	place.add(c)
	local.add(c, "127.0.0.1:8000", "address to listen on; port 0 takes a free one")
	c.Flags().StringVar(&name, "name", "star", "what the model is called")
	ranking.add(c)
	return c
}

func trainEvaluateCommand(a *app) *cobra.Command {
	var place placeFlags
	var world worldFlags
	var out string
	var batch, limit, maxTokens int
	var ranking rankingFlag
	c := &cobra.Command{
		Use:   "evaluate STUDENT --data DIR --tasks TASKS --gold GOLD --out RANKINGS",
		Short: "Let a student answer many tasks at once, for mars eval",
		Long: strings.TrimSpace(`
Let a checkpoint answer each task in the environment, greedily and in batches,
and write the rankings as mars eval reads them; beside them the conversations,
with form, calls and tokens of each. For runs that are recorded, serve the
student and use mars synth --student.`),
		Example: `  mars train evaluate student --data data/ml --tasks late.jsonl --gold late-gold.jsonl --detail brief --out student.jsonl
  mars eval teacher.db student.jsonl --gold late-gold.jsonl`,
		Args: exactly("STUDENT"),
		RunE: func(c *cobra.Command, args []string) (err error) {
			if err := need(c, "data", "tasks", "gold", "out"); err != nil {
				return err
			}
			if batch < 1 || limit < 0 || maxTokens < 1 {
				return usagef("--batch and --max-tokens are 1 or more, and --limit is not negative")
			}
			if err := ranking.check(); err != nil {
				return err
			}
			url, end, err := a.serveWorld(c.Context(), world)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, end()) }()
			all := []string{"evaluate", args[0], "--env", url, "--out", out, "--batch", strconv.Itoa(batch),
				"--max-tokens", strconv.Itoa(maxTokens), "--ranking", string(ranking)}
			if limit > 0 {
				all = append(all, "--limit", strconv.Itoa(limit))
			}
			return a.trainer(c.Context(), place, all, func(e training.Event) error {
				n := e.Numbers
				return a.print(e.Raw, func(w io.Writer) {
					fmt.Fprintf(w, "%s: %s tasks, %.1f%% well formed, %.1f%% in their first five, %.1f calls, %.0f tokens written and %.0f read each\n",
						out, thousands(int64(n["tasks"])), 100*n["valid"], 100*n["valid first five"], n["calls"], n["written"], n["read"])
				})
			})
		},
	}
	place.add(c)
	world.add(c)
	c.Flags().StringVar(&out, "out", "", "file of rankings to write")
	c.Flags().IntVar(&batch, "batch", 64, "tasks at once")
	c.Flags().IntVar(&maxTokens, "max-tokens", 1024, "tokens of one conversation after its prompt, what tools answer included")
	c.Flags().IntVar(&limit, "limit", 0, "at most so many tasks; 0 is all")
	ranking.add(c)
	return c
}

// rankingFlag says how a ranking is read off a student.
type rankingFlag string

func (f *rankingFlag) add(c *cobra.Command) {
	c.Flags().StringVar((*string)(f), "ranking", training.Rankings()[0],
		"how a ranking is read: free, as the student says it; distinct, never a label twice; first, all labels by how likely each is to be the first. The last two are for students made from nothing")
}

func (f rankingFlag) check() error {
	if !slices.Contains(training.Rankings(), string(f)) {
		return usagef("--ranking %s: want one of %s", f, strings.Join(training.Rankings(), ", "))
	}
	return nil
}

// trainer calls the trainer and passes on what it tells.
func (a *app) trainer(ctx context.Context, f placeFlags, args []string, hear func(training.Event) error) error {
	place, err := f.place(ctx)
	if err != nil {
		return err
	}
	python, err := a.prepare(ctx, place)
	if err != nil {
		return err
	}
	source, err := place.Source()
	if err != nil {
		return err
	}
	var told error
	err = training.Run(ctx, training.Job{Python: python, Source: source, Args: args, Hear: func(e training.Event) {
		told = errors.Join(told, hear(e))
	}})
	return errors.Join(err, told)
}
