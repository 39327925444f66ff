// Package model is the seam to language models: one method, [Model.Generate],
// from a [Request] to a [Reply].
//
// A Model is immutable. Tools and the shape of the answer travel in the
// request, so one Model serves every agent of a team at once. Adapters live in
// sub-packages (openai, langchain, builtin); what every model needs around it
// is a wrapper from Model to Model, usable alone: [Retry] with fallbacks,
// [Limiter], [Breaker], [Timeout] here, and the packages cache and budget. All of
// them, in the order that makes sense:
//
//	                ┌─> cache ─> budget ─> limit ─> breaker ─> timeout ─> adapter
//	record ─> retry ┤
//	                └─> cache ─> budget ─> limit ─> ...      (a fallback)
//
// A record of a run is outermost: what is replayed costs nothing. Each attempt
// is looked up, paid and counted for itself, under the model that is asked.
//
// # What is canonical
//
// A [Reply] is the parsed form of what a provider sent. Its Message is the
// canonical part; the rest (usage, finish reason, the provider's ids) says how
// it came about and goes into the meta data of the log.
package model

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/mars-rec/mars/message"
)

// Role says who speaks in a conversation.
type Role string

// The roles of a conversation, as every chat API names them.
const (
	System    Role = "system"
	User      Role = "user"
	Assistant Role = "assistant"
	ToolRole  Role = "tool"
)

// Message is one message of a conversation.
type Message struct {
	Ref        message.ID `json:"-"` // the envelope that holds it, for lineage
	Role       Role       `json:"role"`
	Content    string     `json:"content"`
	ToolCalls  []ToolCall `json:"tool_calls,omitempty"`   // assistant only
	ToolCallID string     `json:"tool_call_id,omitempty"` // tool only: the call that is answered
	Name       string     `json:"name,omitempty"`         // tool only: the tool's name
}

// Kind implements [message.Body]: a message that is put before a model.
func (Message) Kind() message.Kind { return "prompt" }

// ToolCall is a model's wish to call a tool. Arguments is the text that the
// model wrote, a JSON object if the model did well.
type ToolCall struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

// CallID is the id of the nth call, from 1, of the reply at that ID.
func CallID(reply message.ID, n int) string {
	return "call_" + strings.ReplaceAll(string(reply), ".", "_") + "_" + strconv.Itoa(n)
}

// ToolSpec tells a model what a tool does and takes.
type ToolSpec struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Parameters  json.RawMessage `json:"parameters"` // JSON Schema of the arguments, an object
}

// Format is the shape asked of a reply's content: JSON that follows a schema.
type Format struct {
	Name   string          `json:"name"` // letters, digits, _ and -
	Schema json.RawMessage `json:"schema"`
}

// Sampling says how a reply is drawn. The zero value leaves it to the provider.
type Sampling struct {
	Temperature *float64 `json:"temperature,omitempty"`
	TopP        *float64 `json:"top_p,omitempty"`
	MaxTokens   int      `json:"max_tokens,omitempty"`
	Seed        *int64   `json:"seed,omitempty"`
}

// Request is what a model is asked.
type Request struct {
	Messages []Message  `json:"messages"`
	Tools    []ToolSpec `json:"tools,omitempty"`
	Format   *Format    `json:"format,omitempty"`
	Stop     string     `json:"stop,omitempty"` // the reply ends before this text, where the provider can; "": by itself
	Sampling Sampling   `json:"sampling,omitzero"`
	// OnChunk, if not nil, asks the adapter to stream and receives the content
	// as it comes. A retry starts again with a chunk whose Reset is set. Only
	// the whole reply counts.
	OnChunk func(Chunk) `json:"-"`
	// Who asks, for accounts: an agent's address. It reaches no model.
	Caller string `json:"-"`
	// Where the reply will stand, for those who watch: the run, and the path ID
	// in it. They reach no model.
	Run  string     `json:"-"`
	Path message.ID `json:"-"`
	// Sample tells several draws of one request apart, for caches. It reaches
	// no model.
	Sample int `json:"-"`
}

// Chunk is a piece of a reply as it streams.
type Chunk struct {
	Content string
	Reset   bool // what came before is void: the call is tried again
}

// Reply is a model's answer. Message.Role is Assistant.
type Reply struct {
	Message  Message
	Finish   string         // the provider's finish reason: "stop", "tool_calls", "length", ...
	Model    string         // the name of the model that answered, as the provider gives it
	ID       string         // the provider's id of the reply
	Usage    *message.Usage // nil: unknown
	Attempts int            // calls made, retries included; 0 means 1
	Cached   bool           // by a cache of replies: nothing was paid
	By       string         // the fallback that answered, as the user named it; "": the model that was asked
}

// Output is a reply as it stands in the log: what the model said, and why it
// stopped ("length" means that the reply is cut).
type Output struct {
	Message Message `json:"message"`
	Finish  string  `json:"finish,omitempty"`
}

// Kind implements [message.Body].
func (Output) Kind() message.Kind { return "reply" }

// Model answers requests. Generate is safe for concurrent use and keeps
// nothing of the request. An error means that there is no reply: retries, if
// any, have been made.
type Model interface {
	Generate(ctx context.Context, req Request) (Reply, error)
}

// Func makes a [Model] of a function.
type Func func(ctx context.Context, req Request) (Reply, error)

// Generate calls f.
func (f Func) Generate(ctx context.Context, req Request) (Reply, error) { return f(ctx, req) }
