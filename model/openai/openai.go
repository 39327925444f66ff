// Package openai speaks to any server with OpenAI's chat completions API:
// OpenAI itself, vLLM, SGLang, Ollama, llama.cpp, and mars llm.
//
//	model.Request ──> POST {base}/chat/completions ──> model.Reply
//	  Messages          messages                         Message.Content, ToolCalls
//	  Tools             tools                            Finish
//	  Format            response_format                  Usage
//	  Sampling          temperature, top_p, seed, ...    ID, Model
//	  OnChunk           stream: true
//
// # Formats
//
// A request's format is sent as a strict json_schema. Servers that refuse it
// are served by [JSON] (response_format json_object, the schema in the
// conversation) or [Text] (the schema in the conversation only). Where tools
// are offered the schema is always in the conversation: a server that constrains
// what the model writes to a schema lets it call no tool.
//
// # What is left out
//
// Reasoning that a server reports beside the answer (reasoning_content) is not
// part of the reply: it is not the answer, no server takes it back in the next
// turn, and a record with it could not be replayed against a server without.
//
// # Failures
//
// Every failure is a [model.Error]: statuses, pages of HTML, errors under
// status 200, streams that end early, replies without a choice. This package
// makes one call for each request; [model.Retry] makes more.
package openai

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	goopenai "github.com/sashabaranov/go-openai"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/transport"
)

// DefaultBaseURL is OpenAI's own server.
const DefaultBaseURL = "https://api.openai.com/v1"

// Mode says how a request's format is sent.
type Mode string

// The modes.
const (
	Schema Mode = "schema" // as a strict JSON Schema
	JSON   Mode = "json"   // as the wish for a JSON object, the schema in the conversation
	Text   Mode = "text"   // in the conversation only
)

// Config of a [Model]. The zero value speaks to OpenAI without a key.
type Config struct {
	BaseURL string // up to and with the version, such as http://127.0.0.1:8000/v1; "": DefaultBaseURL
	Key     string // sent as a bearer token; "": none
	Mode    Mode   // "": Schema
	Limit   int64  // bytes of a response; 0: 32 MB
	Conns   int    // connections at most, further calls wait for one; 0: 256
	// Base sends the requests; nil: a transport of the model's own.
	Base  http.RoundTripper
	Clock func() time.Time // for waits that a server gives as a date; nil: time.Now
}

// Model is a model behind an HTTP server. It is safe for concurrent use.
type Model struct {
	name   string
	cfg    Config
	where  string // for errors
	http   *transport.Client
	post   *http.Request    // what all requests for whole replies have in common
	client *goopenai.Client // for streams
}

// New returns the model of that name on a server. It makes no call.
func New(name string, cfg Config) (*Model, error) {
	if name == "" {
		return nil, errors.New("openai: the model has no name")
	}
	if cfg.BaseURL == "" {
		cfg.BaseURL = DefaultBaseURL
	}
	if err := transport.CheckBase(cfg.BaseURL); err != nil {
		return nil, fmt.Errorf("openai: %s: %w", name, err)
	}
	switch cfg.Mode {
	case "":
		cfg.Mode = Schema
	case Schema, JSON, Text:
	default:
		return nil, fmt.Errorf("openai: unknown mode %q: want schema, json or text", cfg.Mode)
	}
	client := transport.New(transport.Config{Secrets: []string{cfg.Key}, Limit: cfg.Limit, Conns: cfg.Conns, Base: cfg.Base, Clock: cfg.Clock})
	c := goopenai.DefaultConfig(cfg.Key)
	c.BaseURL = strings.TrimRight(cfg.BaseURL, "/")
	c.HTTPClient = zeroes{client}
	c.EmptyMessagesLimit = 1 << 20 // blank lines and comments keep a slow stream alive; Limit bounds them
	post, err := http.NewRequest(http.MethodPost, c.BaseURL+"/chat/completions", http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("openai: %s: %w", name, err)
	}
	post.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}}
	if cfg.Key != "" {
		post.Header.Set("Authorization", "Bearer "+cfg.Key)
	}
	return &Model{name, cfg, fmt.Sprintf("openai: %s at %s", name, c.BaseURL), client, post, goopenai.NewClientWithConfig(c)}, nil
}

// Generate makes one call.
func (m *Model) Generate(ctx context.Context, req model.Request) (reply model.Reply, err error) {
	if req.OnChunk != nil {
		reply, err = m.stream(ctx, req)
	} else {
		err = m.whole(ctx, &req, &reply)
	}
	if err != nil {
		return model.Reply{}, m.failed(ctx, err)
	}
	return reply, nil
}

// failed says where a call failed, and gives an error that the client library
// found (a body that is not JSON) the form of ours.
func (m *Model) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", m.where, context.Cause(ctx))
	}
	e := &model.Error{Temporary: model.Temporary(err)}
	if known := (*model.Error)(nil); errors.As(err, &known) {
		*e = *known
	}
	e.Err = errors.New(m.http.Redact(fmt.Sprintf("%s: %v", m.where, err)))
	return e
}

func permanent(format string, args ...any) error {
	return &model.Error{Err: fmt.Errorf(format, args...)}
}
