package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/agents"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/star/environment"
	"github.com/mars-rec/mars/star/environment/mcp"
	"github.com/mars-rec/mars/star/environment/ors"
	"github.com/mars-rec/mars/star/environment/rest"
	"github.com/mars-rec/mars/tasks/datasets"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/trajectories"
)

// worldFlags say what an environment is made of.
type worldFlags struct {
	data, tasks, gold string
	reward            string
	team              teamFlags
	detail            string
	sessions          int
	idle              time.Duration
}

func (f *worldFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.data, "data", "", "data set directory made by mars import")
	c.Flags().StringVar(&f.tasks, "tasks", "", "task file made by mars tasks")
	c.Flags().StringVar(&f.gold, "gold", "", "what the users really took, made by mars tasks")
	c.Flags().StringVar(&f.reward, "reward", "", "YAML file with the parts of a reward and their weights, as mars score reads it; the paper's reward if not given")
	c.Flags().StringVar(&f.team.file, "team", "", "YAML file of the team that taught the student; its tools and roles are the student's")
	c.Flags().StringVar(&f.detail, "detail", "full", "how much the student is told: full, brief or raw, as mars export was")
	c.Flags().IntVar(&f.sessions, "sessions", 1024, "sessions open at once")
	c.Flags().DurationVar(&f.idle, "idle", 15*time.Minute, "time after which a session that is not used is gone")
}

// world opens the environment. The data set must be closed after it.
func (a *app) world(ctx context.Context, f worldFlags) (e *environment.Environment, d *datasets.Dataset, err error) {
	if f.sessions < 1 || f.idle < time.Second {
		return nil, nil, usagef("--sessions must be 1 or more, and --idle a second or more")
	}
	if f.reward != "" && f.gold == "" {
		return nil, nil, usagef("--reward needs --gold: without it answers get no reward")
	}
	cfg := environment.Config{Sessions: f.sessions, Idle: f.idle, Clock: a.now, Report: func(err error) { a.notef("%v", err) }}
	if cfg.Detail, err = trajectories.ParseDetail(f.detail); err != nil {
		return nil, nil, usagef("--%w", err)
	}
	team, err := f.team.team()
	if err != nil {
		return nil, nil, err
	}
	if cfg.Reward, err = composition(f.reward); err != nil {
		return nil, nil, err
	}
	if cfg.Tasks, err = readTasks(f.tasks); err != nil {
		return nil, nil, err
	}
	if f.gold != "" {
		if cfg.Gold, err = readGold(f.gold); err != nil {
			return nil, nil, err
		}
	}
	if d, err = openData(f.data); err != nil {
		return nil, nil, err
	}
	cfg.Source, cfg.Form = d, formOf(team)
	cfg.Tools = taught(team, toolbox(d.Manifest().Recipe.Format))
	if err = fits(ctx, d, f.tasks, cfg.Tasks...); err == nil {
		e, err = environment.New(cfg)
		err = hinted(err, "give the tasks and the gold that were made of this data set")
	}
	if err != nil {
		return nil, nil, errors.Join(err, d.Close())
	}
	return e, d, nil
}

// roleNames are the roles that a plan of the team may give work to.
func roleNames(team orchestrator.Team) []string {
	var names []string
	for _, s := range team.Seats {
		if s.Kind == "analyst" {
			names = append(names, path.Base(string(s.Name)))
		}
	}
	return names
}

// formOf says what a conversation of the team has: its phases, and the roles to
// whom its plan may give work.
func formOf(team orchestrator.Team) trajectories.Form {
	form := trajectories.Form{Roles: roleNames(team)}
	has := func(kind string) bool {
		return slices.ContainsFunc(team.Seats, func(s agents.Seat) bool { return s.Kind == kind })
	}
	if !has("planner") {
		form.Without = append(form.Without, trajectories.PlanPhase)
	}
	if !has("reflector") {
		form.Without = append(form.Without, trajectories.ReflectionPhase)
	}
	if len(toolSpecs(team)) == 0 {
		form.Without = append(form.Without, trajectories.ToolPhase)
	}
	return form
}

// taught are the tools that a student of the team has: those that the rows of
// mars export tell of.
func taught(team orchestrator.Team, all []tools.Named) []tools.Named {
	var have []tools.Named
	for _, spec := range toolSpecs(team) {
		i := slices.IndexFunc(all, func(t tools.Named) bool { return t.Name == spec.Name })
		have = append(have, all[i])
	}
	return have
}

// envFlags are what `mars env` is told.
type envFlags struct {
	world  worldFlags
	listen guardedFlags
	split  string
}

// envReport says where an environment is served.
type envReport struct {
	URL         string `json:"url"`
	Description string `json:"openapi"`
	MCP         string `json:"mcp"`
	Tasks       int    `json:"tasks"`
	Reward      string `json:"reward"` // its name
	Version     string `json:"version"`
}

func envCommand(a *app) *cobra.Command {
	var f envFlags
	c := &cobra.Command{
		Use:   "env",
		Short: "Serve tasks, tools and rewards to trainers",
		Long: strings.TrimSpace(`
Serve each task as an episode: the student's prompt, the tools as of the task's
moment, and the reward of the answer, the same numbers as mars score gives. What
the users really took never leaves the server except as a reward. The reward is
the paper's; --reward takes one of weighted parts, as mars score does.

One address speaks three protocols:
  /v1/...   plain HTTP in JSON; /openapi.json describes it
  /mars/... Open Reward Standard, for the openreward client and TRL's OpenRewardSpec
  /mcp      Model Context Protocol, streamable HTTP

It listens on this machine only. --open allows another address; then name with
--token-env an environment variable that holds a token: clients must send it as
a bearer token or as their API key. Requests from web pages of other origins are
refused.`),
		Example: `  mars env --data data/books --tasks tasks.jsonl --gold gold.jsonl
  mars env --data data/books --tasks tasks.jsonl --gold gold.jsonl --listen 0.0.0.0:8090 --open --token-env MARS_ENV_TOKEN
  mars env --data data/books --tasks tasks.jsonl --gold gold.jsonl --reward reward.yaml
  curl -s http://127.0.0.1:8090/v1/sessions -H 'Content-Type: application/json' -d '{"index":0}'`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error { return a.env(c, f) },
	}
	f.world.add(c)
	f.listen.add(c, "127.0.0.1:8090", "address to listen on; port 0 takes a free one")
	c.Flags().StringVar(&f.split, "split", "train", "what the Open Reward Standard calls these tasks: train, validation or test")
	return c
}

func (a *app) env(c *cobra.Command, f envFlags) (err error) {
	if err := need(c, "data", "tasks", "gold"); err != nil {
		return err
	}
	access, err := f.listen.access()
	if err != nil {
		return err
	}
	e, d, err := a.world(c.Context(), f.world)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	h, err := faces(e, access, f.split)
	if err != nil {
		return usagef("%w", err)
	}
	return a.serve(c.Context(), f.listen, access, h, func(url string) error {
		by, _ := e.Reward()
		report := envReport{url, url + "/openapi.json", url + "/mcp", len(e.Tasks()), by.Name, by.Version}
		if err := a.print(report, func(w io.Writer) { fmt.Fprintln(w, report.URL) }); err != nil {
			return err
		}
		a.notef("serving %s tasks, judged by %s (version %s); Ctrl-C stops it. Try it so:", thousands(int64(report.Tasks)), by.Name, by.Version)
		a.notef("  curl -s %s/v1/sessions -H 'Content-Type: application/json' -d '{\"index\":0}'", url)
		return nil
	})
}

// faces puts all protocols at one address.
func faces(e *environment.Environment, access environment.Access, split string) (http.Handler, error) {
	plain, err := rest.New(e, access)
	if err != nil {
		return nil, err
	}
	standard, err := ors.New(e, ors.Config{Access: access, Split: split})
	if err != nil {
		return nil, err
	}
	protocol, err := mcp.New(e, mcp.Config{Access: access})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/v1/", plain)
	mux.Handle("/openapi.json", plain)
	mux.Handle("/mcp", protocol)
	mux.Handle("/", standard)
	return mux, nil
}
