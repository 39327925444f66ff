package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/model/openai/server"
)

// tokenVariable is where mars llm reads the token that clients must send.
const tokenVariable = "MARS_LLM_TOKEN"

// llmFlags are what the server is told.
type llmFlags struct {
	models *modelFlags
	model  string
	name   string
	listen listenFlags
	limit  int64
}

// llmReport says where a model is served.
type llmReport struct {
	URL   string `json:"url"`
	Model string `json:"model"`
}

func llmCommand(a *app) *cobra.Command {
	var f llmFlags
	c := &cobra.Command{
		Use:   "llm",
		Short: "Serve a model over OpenAI's API, the rule-based teacher for one",
		Long: strings.TrimSpace(`
Serve a model over OpenAI's chat completions API, with tools, JSON schemas and
streaming, until it is interrupted. By default it serves the rule-based teacher,
so that any client, mars synth included, can be tried without a network.

It listens on this machine only. --open allows another address; then
MARS_LLM_TOKEN should be set: clients must send it as their API key. Requests
from web pages of other origins are refused.`),
		Example: `  mars llm
  mars llm --model builtin:weights.json --listen 127.0.0.1:9000
  mars synth --model openai:builtin --base-url http://127.0.0.1:8088/v1 --data data/ml --tasks tasks.jsonl --out run.db
  curl http://127.0.0.1:8088/v1/models`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error { return a.llm(c, f) },
	}
	f.models = a.addModelFlags(c)
	c.Flags().StringVar(&f.model, "model", "builtin", "the model to serve")
	c.Flags().StringVar(&f.name, "name", "", "what clients call the model; the last part of its own name if not given")
	f.listen.add(c, "127.0.0.1:8088", "address to listen on; port 0 takes a free one")
	c.Flags().Int64Var(&f.limit, "max-body", 4<<20, "bytes of one request at most")
	return c
}

func (a *app) llm(c *cobra.Command, f llmFlags) error {
	if err := f.listen.check(tokenVariable); err != nil {
		return err
	}
	if f.limit < 1 {
		return usagef("--max-body is %d: want 1 or more", f.limit)
	}
	m, _, err := f.models.open(f.model)
	if err != nil {
		return err
	}
	if f.name == "" {
		f.name = served(f.model)
	}
	cfg := server.Config{Name: f.name, Token: os.Getenv(tokenVariable), Hosts: f.listen.names(), Limit: f.limit, Clock: a.now}
	l, err := f.listen.listen(c.Context())
	if err != nil {
		return err
	}
	report := llmReport{URL: "http://" + l.Addr().String() + "/v1", Model: f.name}
	if err := a.print(report, func(w io.Writer) { fmt.Fprintln(w, report.URL) }); err != nil {
		return err
	}
	if f.listen.open && cfg.Token == "" {
		a.notef("anybody who reaches this address can use the model: set %s to ask for a token", tokenVariable)
	}
	a.notef("serving %s; Ctrl-C stops it. Use it so:", f.model)
	a.notef("  mars synth --model openai:%s --base-url %s --data DIR --tasks tasks.jsonl --out run.db", report.Model, report.URL)
	return server.Serve(c.Context(), l, server.New(m, cfg), cfg)
}

// served is the name of a model among clients: that of its provider, without
// the weights, path or address by which this machine knows it.
func served(spec string) string {
	kind, name, _ := strings.Cut(spec, ":")
	if kind == "builtin" {
		return kind
	}
	name, _, _ = strings.Cut(name, "@http")
	return name
}
