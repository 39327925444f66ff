package ors

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/star/environment"
)

// output is the answer of a tool.
type output struct {
	Blocks   []block        `json:"blocks"`
	Metadata map[string]any `json:"metadata"`
	Reward   *float64       `json:"reward"`
	Finished bool           `json:"finished"`
}

type called struct {
	OK     bool   `json:"ok"`
	Output output `json:"output"`
}

type refused struct {
	OK     bool   `json:"ok"`
	Error  string `json:"error"`
	Reason string `json:"reason"`
}

// call calls a tool and streams what comes of it.
func (s *service) call(w http.ResponseWriter, r *http.Request) {
	q, err := read[struct {
		Name   string          `json:"name"`
		Input  json.RawMessage `json:"input"`
		TaskID *string         `json:"task_id"`
	}](r)
	if err != nil {
		fail(w, err)
		return
	}
	session, err := s.session(r)
	if err != nil {
		fail(w, err)
		return
	}
	s.stream(w, r, session, q.TaskID, func(ctx context.Context) any { return s.use(ctx, session, q.Name, q.Input) })
}

// stream does something once and sends its result in pieces. With a task id it
// sends the result of what was begun under it. What is begun is finished even
// where the client is gone, so that it can ask again. A result of nil is a
// failure.
func (s *service) stream(w http.ResponseWriter, r *http.Request, session *environment.Session, id *string, do func(context.Context) any) {
	if id != nil {
		result, ok, err := session.Again(r.Context(), *id)
		switch e := stream(w); {
		case err != nil: // the client is gone
		case !ok:
			e.send("error", "unknown task_id")
		default:
			e.send("task_id", *id)
			e.pieces(result)
		}
		return
	}
	key, err := s.Token()
	if err != nil {
		fail(w, err)
		return
	}
	e := stream(w)
	result := session.Once(key, func() []byte {
		e.send("task_id", key)
		result := do(context.WithoutCancel(r.Context()))
		if result == nil {
			return nil
		}
		return payload(result)
	})
	e.pieces(result)
}

// use is one call: of the tool that ends the episode, or of one of the
// student's.
func (s *service) use(ctx context.Context, session *environment.Session, name string, input json.RawMessage) any {
	if name == environment.AnswerSpec().Name {
		said, err := environment.AnswerText(input)
		if err != nil {
			return wrong("input_validation", err.Error())
		}
		o, err := session.Answer(said)
		if err != nil {
			return unable(err)
		}
		out := output{Blocks: []block{textBlock("The answer is taken.")}, Finished: true, Metadata: s.metadata(o)}
		if o.Scored {
			out.Reward = &o.Reward
		}
		return called{true, out}
	}
	text, err := session.Call(ctx, name, input)
	if err != nil {
		return unable(err)
	}
	return called{true, output{Blocks: []block{textBlock(text)}}}
}

// metadata says of a reward what it is made of, and by whom it was given.
func (s *service) metadata(o environment.Outcome) map[string]any {
	all := map[string]any{"parts": o.Parts, "note": o.Note}
	if r, ok := s.Reward(); ok {
		all["scorer"], all["version"] = r.Name, r.Version
	}
	return all
}

func wrong(reason, text string) refused { return refused{Error: text, Reason: reason} }

// unable tells why a call came to nothing; nil, if that is not the caller's
// fault.
func unable(err error) any {
	switch {
	case errors.Is(err, environment.ErrEnded):
		return wrong("episode_finished", err.Error())
	case errors.Is(err, environment.ErrSpent):
		return wrong("input_validation", err.Error())
	case errors.Is(err, environment.ErrNotBegun):
		return wrong("not_found", err.Error())
	}
	return nil
}

// candidate is a conversation that is to be judged.
type candidate struct {
	Messages []struct {
		Role   model.Role `json:"role"`
		Blocks []piece    `json:"blocks"`
		Detail any        `json:"detail"`
	} `json:"messages"`
	Metadata json.RawMessage `json:"metadata"`
}

// piece is a block of any type.
type piece struct {
	Type       string          `json:"type"`
	Text       string          `json:"text"`
	ID         string          `json:"id"`
	Name       string          `json:"name"`
	Input      json.RawMessage `json:"input"`
	ToolCallID string          `json:"tool_call_id"`
	Blocks     []piece         `json:"blocks"`
	Signature  any             `json:"signature"`
	IsError    bool            `json:"is_error"`
	Detail     any             `json:"detail"`
}

// scoreGroup judges whole conversations over the session's task, each by
// itself. It ends nothing.
func (s *service) scoreGroup(w http.ResponseWriter, r *http.Request) {
	q, err := read[struct {
		Candidates []candidate `json:"candidates"`
		TaskID     *string     `json:"task_id"`
	}](r)
	if err == nil && !s.Scores() {
		err = &failure{http.StatusNotFound, "there is no gold: nothing can be scored"}
	}
	if err != nil {
		fail(w, err)
		return
	}
	session, err := s.session(r)
	if err != nil {
		fail(w, err)
		return
	}
	s.stream(w, r, session, q.TaskID, func(context.Context) any {
		type score struct {
			Reward   float64        `json:"reward"`
			Metadata map[string]any `json:"metadata"`
		}
		scores := []score{}
		for _, c := range q.Candidates {
			o, err := session.Score(c.conversation())
			if err != nil {
				return unable(err)
			}
			scores = append(scores, score{o.Reward, s.metadata(o)})
		}
		return map[string]any{"scores": scores}
	})
}

// conversation puts a candidate into our words. Thoughts are not part of it;
// the result of a tool, a block of the user's, is a message of its own.
func (c candidate) conversation() []model.Message {
	var out []model.Message
	names := map[string]string{}
	for _, m := range c.Messages {
		said := model.Message{Role: m.Role}
		var texts []string
		for _, p := range m.Blocks {
			switch p.Type {
			case "text":
				texts = append(texts, p.Text)
			case "tool_call":
				names[p.ID] = p.Name
				said.ToolCalls = append(said.ToolCalls, model.ToolCall{ID: p.ID, Name: p.Name, Arguments: string(p.Input)})
			case "tool_result":
				out = append(out, model.Message{Role: model.ToolRole, Content: joined(p.Blocks), ToolCallID: p.ToolCallID, Name: names[p.ToolCallID]})
			}
		}
		if said.Content = strings.Join(texts, "\n"); said.Content != "" || len(said.ToolCalls) > 0 {
			out = append(out, said)
		}
	}
	return out
}

func joined(blocks []piece) string {
	var texts []string
	for _, b := range blocks {
		texts = append(texts, b.Text)
	}
	return strings.Join(texts, "\n")
}

// events writes server-sent events.
type events struct {
	w     http.ResponseWriter
	flush *http.ResponseController
}

func stream(w http.ResponseWriter) *events {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	return &events{w, http.NewResponseController(w)}
}

// send writes one event at once; data is one line. A client that is gone needs
// no word.
func (e *events) send(event, data string) {
	_, _ = e.w.Write([]byte("event: " + event + "\ndata: " + data + "\n\n"))
	_ = e.flush.Flush()
}

// pieces sends a result as chunks, the last of them as the end; no result is a
// failure, after which clients give the session up.
func (e *events) pieces(result []byte) {
	if result == nil {
		e.send("error", "the tool failed, and this is not the caller's fault")
		return
	}
	text := string(result)
	for len(text) > maxPiece {
		n := cut(text)
		e.send("chunk", text[:n])
		text = text[n:]
	}
	e.send("end", text)
}

// maxPiece is the length of a chunk in bytes.
const maxPiece = 4096

// cut returns where a text can be cut: within the first maxPiece bytes, between
// two characters, and not before a space, which the client would drop from the
// start of the next piece.
func cut(text string) int {
	for n := maxPiece; n > maxPiece/2; n-- {
		if !utf8.RuneStart(text[n]) {
			continue
		}
		if r, _ := utf8.DecodeRuneInString(text[n:]); !unicode.IsSpace(r) && !unicode.IsControl(r) {
			return n
		}
	}
	return maxPiece // half a piece of spaces: this loses some of them
}
