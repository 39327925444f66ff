// Package builtin is the rule-based teacher: a [model.Model] that needs no
// network and no key, and gives the same answer to the same request. It is no language
// model, and says so. It is there so that the whole of the system can be run,
// tested and understood before anything is paid for, and because a good
// combination of the classical signals is a teacher worth learning from.
//
// It reads a request and nothing else, under any prompt: what is asked from the
// name and the schema of the format, what can be called from the tools, what
// was found from the tools' results and from the evidence lines of package
// phase.
//
//	format      it reads                             it answers
//	plan        the roles in the schema              a subtask for each
//	analysis    the tools; then their results        tool calls; then their sentences as claims
//	reflection  the evidence                         silent and contradicting signals, named;
//	                                                 once, User-CF among more neighbours
//	recommend   the evidence, the moment             the candidates by the fused score
//	summary     the summary so far, history lines    counts, folded
//	none        the tools; then their results        with tools: as a student, all of the above
//	                                                 in one voice; without: who it is
//
// Every number that it writes stands in what it was given. At a temperature above
// 0 it draws how far it trusts each ranking; all else stays as it is.
package builtin

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/mars-rec/mars/graph/rank"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
)

// Name is what the model calls itself in its replies.
const Name = "builtin"

// Config of a [Model]. The zero value works.
type Config struct {
	// Weights fuse the evidence into a ranking; nil: [rank.Default]. A task
	// from before the weights were fitted is refused.
	Weights *rank.Weights
}

// Model is the rule-based teacher. It is safe for concurrent use.
type Model struct {
	weights rank.Weights
}

// New returns the teacher.
func New(cfg Config) *Model {
	if cfg.Weights == nil {
		return &Model{rank.Default()}
	}
	return &Model{*cfg.Weights}
}

// Generate answers the request. A request that it has no rule for is a
// [model.Error]; usage is unknown, since it has no tokens.
func (m *Model) Generate(ctx context.Context, req model.Request) (model.Reply, error) {
	if err := ctx.Err(); err != nil {
		return model.Reply{}, err
	}
	said, err := m.answer(req)
	if err != nil {
		return model.Reply{}, &model.Error{Err: fmt.Errorf("builtin: %w", err)}
	}
	said.Role = model.Assistant
	finish := "stop"
	if len(said.ToolCalls) > 0 {
		finish = "tool_calls"
	}
	if req.Stop != "" {
		said.Content, _, _ = strings.Cut(said.Content, req.Stop)
	}
	if req.OnChunk != nil {
		stream(said.Content, req.OnChunk)
	}
	return model.Reply{Message: said, Finish: finish, Model: Name}, nil
}

// answer finds the rule for what is asked.
func (m *Model) answer(req model.Request) (model.Message, error) {
	format := req.Format
	if format == nil {
		format = model.Instructed(req.Messages)
	}
	if format == nil && len(req.Tools) > 0 {
		return m.student(req, question(req.Messages))
	}
	if format == nil {
		return model.Message{Content: introduction}, nil
	}
	var s schema
	if err := json.Unmarshal(format.Schema, &s); err != nil {
		return model.Message{}, fmt.Errorf("the schema of format %q: %w", format.Name, err)
	}
	text := question(req.Messages)
	var body any
	var err error
	switch format.Name {
	case "plan":
		body, err = plan(&s, text)
	case "analysis":
		if wanted := calls(&s, req, text); len(wanted) > 0 {
			return model.Message{ToolCalls: wanted}, nil
		}
		body, err = analysis(&s, req.Messages, text)
	case "reflection":
		body, err = reflection(&s, text)
	case "recommend":
		body, err = m.recommend(req, &s, text)
	case "summary":
		body = summary(text)
	default:
		err = fmt.Errorf("there is no rule for the format %q: there are rules for plan, analysis, reflection, recommend and summary", format.Name)
	}
	if err != nil {
		return model.Message{}, err
	}
	content, err := message.Marshal(body)
	return model.Message{Content: string(content)}, err
}

// introduction is the answer to a request that asks for no format.
const introduction = "I am builtin, the rule-based teacher of MARS. I am not a language model: " +
	"I answer requests whose format is plan, analysis, reflection, recommend or summary, by fixed rules over the tools' evidence, and this request asks for no format."

// question is what the user's messages say, one after the other.
func question(messages []model.Message) string {
	var b strings.Builder
	for _, m := range messages {
		if m.Role == model.User {
			b.WriteString(m.Content)
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// stream gives a text out in pieces of some words, none of which ends within a
// letter.
func stream(text string, onChunk func(model.Chunk)) {
	const piece = 64
	for len(text) > 0 {
		n := min(piece, len(text))
		for n < len(text) && !utf8.RuneStart(text[n]) {
			n++
		}
		onChunk(model.Chunk{Content: text[:n]})
		text = text[n:]
	}
}
