// Package mcp serves an environment by the Model Context Protocol, over
// standard input and output or streamable HTTP, to any agent host and to
// trainers whose tools are MCP servers.
//
//	initialize          instructions: how the student works, the system message
//	prompts/get task    the task, the user message
//	tools/call begin    the same as a tool, for hosts without prompts
//	tools/call item_cf  ... the student's tools, as of the task's moment
//	tools/call answer   all that was said ─> structuredContent {"finished":true,"reward":1.67,...}
//
// One MCP session is one episode. Its task is the one that the server was made
// for, or the one that begin names. The id of an HTTP session is that of the
// episode's, so that who ends one ends the other.
package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mars-rec/mars/internal/guard"
	"github.com/mars-rec/mars/star/environment"
	"github.com/mars-rec/mars/tools"
)

// Config of a server.
type Config struct {
	environment.Access
	Task string // of every session; "": clients choose by begin
}

func (c Config) check(e *environment.Environment) error {
	if c.Task != "" && !e.Has(c.Task) {
		return fmt.Errorf("mcp: task %s: %w", c.Task, environment.ErrNoTask)
	}
	return nil
}

// New returns the handler that serves e over streamable HTTP, at any path.
func New(e *environment.Environment, cfg Config) (http.Handler, error) {
	if err := cfg.check(e); err != nil {
		return nil, err
	}
	limit := cfg.Limit
	if limit == 0 {
		limit = 1 << 20
	}
	streamable := sdk.NewStreamableHTTPHandler(func(r *http.Request) *sdk.Server {
		if r.Header.Get(sessionHeader) != "" {
			return nil // it has its server
		}
		return (&episode{env: e, task: cfg.Task}).server()
	}, &sdk.StreamableHTTPOptions{
		JSONResponse: true, SessionTimeout: e.Idle(), MaxRequestBodyBytes: limit,
		DisableLocalhostProtection: true, // the guard knows under which names the server may be addressed
	})
	g := guard.Config{Token: cfg.Token, Hosts: cfg.Hosts, Limit: limit}
	return g.Local(g.Known(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet: // a stream of news, of which there is none
			w.Header().Set("Allow", "POST, DELETE")
			http.Error(w, "there is no stream to get", http.StatusMethodNotAllowed)
			return
		case http.MethodDelete:
			defer e.End(r.Header.Get(sessionHeader))
		}
		streamable.ServeHTTP(w, r)
	}))), nil
}

const sessionHeader = "Mcp-Session-Id"

// Serve serves one session over a transport, such as [sdk.StdioTransport],
// until the client or ctx ends it.
func Serve(ctx context.Context, e *environment.Environment, cfg Config, transport sdk.Transport) error {
	if err := cfg.check(e); err != nil {
		return err
	}
	p := &episode{env: e, task: cfg.Task}
	defer func() { e.End(p.id) }()
	return p.server().Run(ctx, transport)
}

// episode is what one MCP session works on.
type episode struct {
	env *environment.Environment

	mu   sync.Mutex
	id   string // of the environment's session; "": none yet
	task string // "": not chosen
}

// open makes the environment's session and returns its id, "" if there is room
// for none: then calls say so.
func (p *episode) open() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.id == "" {
		if s, err := p.env.Open(); err == nil {
			p.id = s.ID()
		}
	}
	return p.id
}

// session returns the environment's session, with its task begun. Another task
// than the one that it has is refused.
func (p *episode) session(ctx context.Context, task string) (*environment.Session, error) {
	id := p.open()
	if id == "" {
		return nil, environment.ErrFull
	}
	s, err := p.env.Session(id)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case task != "" && p.task != "" && task != p.task:
		return nil, fmt.Errorf("%w: %s", environment.ErrBegun, p.task)
	case task == "" && p.task == "":
		return nil, fmt.Errorf("%w: call begin with the id of one", environment.ErrNotBegun)
	case task == "":
		task = p.task
	}
	if err := s.Begin(ctx, task); err != nil && !errors.Is(err, environment.ErrBegun) {
		return nil, err
	}
	p.task = task
	return s, nil
}

// server makes the MCP server of the episode.
func (p *episode) server() *sdk.Server {
	s := sdk.NewServer(&sdk.Implementation{Name: "mars", Version: "1"}, &sdk.ServerOptions{
		Instructions: p.env.System(),
		Capabilities: &sdk.ServerCapabilities{},
		GetSessionID: p.open,
	})
	s.AddPrompt(&sdk.Prompt{Name: "task", Description: "The task: the user, the moment, the candidates"}, p.prompt)
	begin := beginTool()
	s.AddTool(&sdk.Tool{Name: begin.Spec().Name, Description: begin.Spec().Description, InputSchema: begin.Spec().Parameters}, p.begin(begin))
	readOnly := &sdk.ToolAnnotations{ReadOnlyHint: true, IdempotentHint: true}
	for _, spec := range p.env.Tools() {
		s.AddTool(&sdk.Tool{Name: spec.Name, Description: spec.Description, InputSchema: spec.Parameters, Annotations: readOnly}, p.call)
	}
	end := environment.AnswerSpec()
	s.AddTool(&sdk.Tool{Name: end.Name, Description: end.Description, InputSchema: end.Parameters}, p.answer)
	return s
}

func (p *episode) prompt(ctx context.Context, _ *sdk.GetPromptRequest) (*sdk.GetPromptResult, error) {
	s, err := p.session(ctx, "")
	if err != nil {
		return nil, err
	}
	_, messages, err := s.Prompt()
	if err != nil {
		return nil, err
	}
	last := messages[len(messages)-1]
	return &sdk.GetPromptResult{Messages: []*sdk.PromptMessage{{Role: "user", Content: &sdk.TextContent{Text: last.Content}}}}, nil
}

type beginArguments struct {
	Task string `json:"task,omitzero" jsonschema:"the id of a task; not needed where the server has one task"`
}

func beginTool() tools.Tool {
	return tools.New("begin", "Begins the task and tells it: the user, the moment, the candidates. Call it first.",
		func(_ context.Context, a beginArguments) (beginArguments, error) { return a, nil })
}

func (p *episode) begin(tool tools.Tool) sdk.ToolHandler {
	return func(ctx context.Context, r *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		var a beginArguments
		raw, err := tool.Call(ctx, r.Params.Arguments)
		if err == nil {
			err = json.Unmarshal(raw, &a)
		}
		if err != nil {
			return mistaken(err)
		}
		s, err := p.session(ctx, a.Task)
		if err != nil {
			return mistaken(err)
		}
		_, messages, err := s.Prompt()
		if err != nil {
			return mistaken(err)
		}
		return text(messages[len(messages)-1].Content), nil
	}
}

func (p *episode) call(ctx context.Context, r *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
	s, err := p.session(ctx, "")
	if err != nil {
		return mistaken(err)
	}
	content, err := s.Call(ctx, r.Params.Name, r.Params.Arguments)
	if err != nil {
		return mistaken(err)
	}
	result := text(content)
	result.IsError = strings.HasPrefix(content, "error: ")
	return result, nil
}

// ending is what answer gives besides its text.
type ending struct {
	Finished bool               `json:"finished"`
	Reward   *float64           `json:"reward,omitempty"`
	Parts    map[string]float64 `json:"parts"`
	Note     string             `json:"note,omitempty"`
	Scorer   string             `json:"scorer,omitempty"` // the reward's name and version
	Version  string             `json:"version,omitempty"`
}

func (p *episode) answer(ctx context.Context, r *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
	said, err := environment.AnswerText(r.Params.Arguments)
	if err != nil {
		return mistaken(err)
	}
	s, err := p.session(ctx, "")
	if err != nil {
		return mistaken(err)
	}
	o, err := s.Answer(said)
	if err != nil {
		return mistaken(err)
	}
	out := ending{Finished: true, Parts: o.Parts, Note: o.Note}
	if o.Scored {
		r, _ := p.env.Reward()
		out.Reward, out.Scorer, out.Version = &o.Reward, r.Name, r.Version
	}
	result := text("The answer is taken.")
	result.StructuredContent = out
	return result, nil
}

func text(s string) *sdk.CallToolResult {
	return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: s}}}
}

// mistaken tells the caller what is wrong, as the answer of the tool, so that a
// model can read it.
func mistaken(err error) (*sdk.CallToolResult, error) {
	result := text("error: " + err.Error())
	result.IsError = true
	return result, nil
}
