package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/graph/rank"
	"github.com/mars-rec/mars/internal/guard"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/cache"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/star"
	"github.com/mars-rec/mars/star/service"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/datasets"
	"github.com/mars-rec/mars/trajectories"
)

// serveFlags are what `mars serve` is told.
type serveFlags struct {
	guardedFlags
	models      *modelFlags
	team        teamFlags
	data, model string
	compare     string
	stored      string
	detail      string
	weights     string
	candidates  int
	time        time.Duration
	atOnce      int
	perMinute   int
	maxTokens   int
	temperature float64
	keep        time.Duration
}

// serveReport says where a student is served.
type serveReport struct {
	URL         string `json:"url"`
	Description string `json:"openapi"`
	Metrics     string `json:"metrics"`
	Model       string `json:"model"`
}

func serveCommand(a *app) *cobra.Command {
	var f serveFlags
	c := &cobra.Command{
		Use:   "serve --data DIR --model MODEL",
		Short: "Serve the student: recommendations with their reasons, over HTTP",
		Long: strings.TrimSpace(`
Serve the student: a user of the data set, or the history of one who is not in
it, comes in; a ranking comes out, with the plan, the analyses and the evidence
behind it if that is asked for. Candidates may be given, or are found in the
graph. Where the student gives no ranking in time, the fused score of the graph's
signals answers in its place, and the answer says so.

  POST /v1/recommend          {"user":"7","n":5,"explain":true}
  POST /v1/recommend/stream   the same, as it is written
  POST /v1/compare            teacher and student side by side, with --compare
  /health  /metrics (Prometheus)  /openapi.json

The model runs on a server of its own: vLLM, SGLang, transformers serve, or any
other with OpenAI's API; builtin plays the student by fixed rules. At temperature
0 it is asked the same once: with --detail brief all requests with as many
candidates begin alike, so that plan and tool calls are known, and one call of
the model answers.

It listens on this machine only. --open allows another address; then name with
--token-env an environment variable that holds the key that clients must send.
Requests from web pages of other origins are refused.`),
		Example: `  mars serve --data data/books --model builtin
  mars serve --data data/ml --model openai:star --base-url http://127.0.0.1:8000/v1
  mars serve --data data/ml --model openai:star@http://127.0.0.1:8000/v1 --compare builtin:weights.json
  curl -s http://127.0.0.1:8080/v1/recommend -H 'Content-Type: application/json' -d '{"user":"7","n":5}'`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error { return a.serveStudent(c, f) },
	}
	f.models = a.addModelFlags(c)
	f.add(c, "127.0.0.1:8080", "address to listen on; port 0 takes a free one")
	fl := c.Flags()
	fl.StringVar(&f.data, "data", "", "data set directory made by mars import")
	fl.StringVar(&f.model, "model", "", "the student's model")
	fl.StringVar(&f.team.file, "team", "", "YAML file of the team that taught the student; its tools and roles are the student's")
	fl.StringVar(&f.detail, "detail", "full", "how much the student is told: full, brief or raw, as the rows that it was trained on")
	fl.StringVar(&f.compare, "compare", "", "model of a teacher to compare the student with")
	fl.StringVar(&f.stored, "stored", "", storedHelp)
	fl.StringVar(&f.weights, "weights", "", "weights of the fall-back, made by mars fit; the built-in ones if not given")
	fl.IntVar(&f.candidates, "candidates", 20, "how many candidates are found where a request gives none")
	fl.DurationVar(&f.time, "time", 30*time.Second, "time for the student, after which the fall-back answers")
	fl.IntVar(&f.atOnce, "at-once", 64, "requests worked on at once; more are told to come again")
	fl.IntVar(&f.perMinute, "per-minute", 0, "requests a minute of each key; 0 is no bound")
	fl.IntVar(&f.maxTokens, "max-tokens", 4096, "tokens of one reply at most")
	fl.Float64Var(&f.temperature, "temperature", 0, "temperature of the student's replies; -1 is its server's own")
	fl.DurationVar(&f.keep, "keep", 10*time.Minute, "at temperature 0, how long a reply is given again where the same is asked, before the model is asked anew; 0 keeps none")
	return c
}

func (a *app) serveStudent(c *cobra.Command, f serveFlags) (err error) {
	if err := need(c, "data", "model"); err != nil {
		return err
	}
	if f.candidates < 2 || f.candidates > 100 || f.time <= 0 || f.atOnce < 1 || f.perMinute < 0 || f.maxTokens < 1 {
		return usagef("--candidates must be 2 to 100, --time, --at-once and --max-tokens more than 0, --per-minute 0 or more")
	}
	if f.temperature < 0 && f.temperature != -1 || f.keep < 0 {
		return usagef("--temperature is %g, --keep %s: want 0 or more, or -1 for the temperature of the server", f.temperature, f.keep)
	}
	access, err := f.access()
	if err != nil {
		return err
	}
	data, err := openData(f.data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, data.Close()) }()
	cfg := service.Config{
		Data:  service.Data{Name: data.Manifest().Name, Graph: data.Graph(), Catalog: data.Catalog()},
		Model: f.model, Candidates: f.candidates, Time: f.time, AtOnce: f.atOnce, PerMinute: f.perMinute,
		Guard: guard.Config{Token: access.Token, Hosts: access.Hosts}, Clock: a.now, Report: func(err error) { a.notef("%v", err) },
	}
	if cfg.Attributes, err = data.Attributes(c.Context()); err != nil {
		return err
	}
	if f.weights != "" {
		w, err := rank.Load(f.weights)
		if err != nil {
			return hinted(err, "mars fit writes weights")
		}
		cfg.Weights = &w
	}
	closers, err := f.recommenders(c.Context(), data, &cfg)
	defer func() { err = errors.Join(err, closers()) }()
	if err != nil {
		return err
	}
	h, err := service.New(cfg)
	if err != nil {
		return err
	}
	return a.serve(c.Context(), f.guardedFlags, access, h, func(url string) error {
		report := serveReport{url, url + "/openapi.json", url + "/metrics", f.model}
		if err := a.print(report, func(w io.Writer) { fmt.Fprintln(w, report.URL) }); err != nil {
			return err
		}
		a.notef("serving recommendations from %s by %s; Ctrl-C stops it. Try it so:", data.Manifest().Name, f.model)
		a.notef("  curl -s %s/v1/recommend -H 'Content-Type: application/json' -d '{\"user\":\"%s\",\"n\":5,\"explain\":true}'", url, someUser(data))
		return nil
	})
}

// someUser is a user to try the service with: the first there is.
func someUser(d *datasets.Dataset) string {
	cut := d.Graph().At(d.Graph().End())
	for u := range cut.AllUsers() {
		return cut.UserID(u)
	}
	return "USER"
}

// recommenders puts the student, and the teacher if there is one, into the
// configuration. What they opened is closed by the function it returns.
func (f *serveFlags) recommenders(ctx context.Context, data *datasets.Dataset, cfg *service.Config) (closers func() error, err error) {
	closers = func() error { return nil }
	team, err := f.team.team()
	if err != nil {
		return closers, err
	}
	named := toolbox(data.Manifest().Recipe.Format)
	if f.stored != "" {
		evidence, wrapped, err := openStored(ctx, data, f.stored)
		if err != nil {
			return closers, err
		}
		closers, named = evidence.Close, wrapped
	}
	open := func(spec string) (model.Model, error) {
		m, _, err := f.models.open(spec) // weights that are too late for a request refuse it themselves
		return m, err
	}
	m, err := open(f.model)
	if err != nil {
		return closers, err
	}
	sampling := model.Sampling{MaxTokens: f.maxTokens}
	if f.temperature >= 0 {
		sampling.Temperature = &f.temperature
	}
	if f.temperature == 0 && f.keep > 0 {
		if m, err = remembering(f.model, m, f.keep, cfg.Clock); err != nil {
			return closers, err
		}
	}
	detail, err := trajectories.ParseDetail(f.detail)
	if err != nil {
		return closers, usagef("--%w", err)
	}
	student := star.Student{
		Model: m, Name: f.model, Tools: taught(team, named), Clock: cfg.Clock,
		Sampling: sampling, Config: star.Config{Form: formOf(team), Detail: detail},
	}
	cfg.Student = func(ctx context.Context, v tasks.View, hear func(model.Chunk)) (star.Answer, error) {
		s := student
		s.OnChunk = hear
		return s.Recommend(ctx, v)
	}
	if f.compare == "" {
		return closers, nil
	}
	if m, err = open(f.compare); err != nil {
		return closers, err
	}
	book, err := f.team.book(team)
	if err != nil {
		return closers, err
	}
	teacher := orchestrator.Config{Team: team, Tools: named, Model: orchestrator.Model{Name: f.compare, Model: m}, Cast: book.Cast, Clock: cfg.Clock}
	cfg.Teacher = func(ctx context.Context, v tasks.View, _ func(model.Chunk)) (star.Answer, error) {
		return teach(ctx, teacher, v)
	}
	return closers, nil
}

// remembering is the model, which is asked the same once in a while.
func remembering(name string, m model.Model, keep time.Duration, now func() time.Time) (model.Model, error) {
	const most = 1024 // replies; beginnings are few, and used all the time
	shelf, err := cache.Memory(most, keep, now)
	if err != nil {
		return nil, err
	}
	return cache.New(shelf, cache.Config{}).Wrap(name, m), nil
}

// teach lets a team work on a view.
func teach(ctx context.Context, cfg orchestrator.Config, v tasks.View) (star.Answer, error) {
	cfg.Source = oneView{v}
	o, err := orchestrator.New(cfg)
	if err != nil {
		return star.Answer{}, err
	}
	var log trajectories.Recorder
	got, err := o.Run(ctx, v.Task(), &log, nil)
	return star.Answer{Ranking: got.Ranking, Trajectory: log.Trajectory(trajectories.Run{ID: v.Task().ID, Task: v.Task()})}, err
}

// oneView is a source of one view.
type oneView struct{ view tasks.View }

func (o oneView) View(tasks.Task) (tasks.View, error) { return o.view, nil }
