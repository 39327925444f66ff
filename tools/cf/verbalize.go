package cf

import (
	"bytes"
	"context"
	_ "embed" // the prompt
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
)

//go:embed verbalize.md
var verbalizePrompt string

// Memory keeps what a model wrote, so that no sentence is paid for twice.
// Package tools/stored has one on disk. It is safe for concurrent use.
type Memory interface {
	Get(ctx context.Context, key string) (text string, ok bool, err error)
	Put(ctx context.Context, key, text string) error
}

// Verbalizer has a model write sentences anew, offline: evidence that is stored
// ahead of time can be worded as richly as one likes. What the model writes
// replaces a sentence only if it holds the same facts ([Faithful]); otherwise
// the sentence stays. It is safe for concurrent use.
type Verbalizer struct {
	model  model.Model
	name   string
	memory Memory

	mu    sync.Mutex
	tally Tally
}

// Tally counts what became of sentences.
type Tally struct {
	Rewritten int `json:"rewritten"` // replaced by what the model wrote
	Kept      int `json:"kept"`      // left as they were: what the model wrote did not hold the same facts
	Cached    int `json:"cached"`    // of all, those that the model had been asked before
}

// NewVerbalizer returns a verbalizer of a model. The name is part of what a
// sentence is remembered by. memory may be nil.
func NewVerbalizer(m model.Model, name string, memory Memory) *Verbalizer {
	return &Verbalizer{model: m, name: name, memory: memory}
}

// Tally returns the counts so far.
func (v *Verbalizer) Tally() Tally {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.tally
}

// Sentence returns the sentence as the model writes it, or as it is if the
// model changes what it says. An error means that the model did not answer.
func (v *Verbalizer) Sentence(ctx context.Context, sentence string) (string, error) {
	req := model.Request{Messages: []model.Message{{Role: model.System, Content: strings.TrimSpace(verbalizePrompt)}, {Role: model.User, Content: sentence}}}
	key := model.Digest(v.name, req)
	written, cached := "", false
	var err error
	if v.memory != nil {
		if written, cached, err = v.memory.Get(ctx, key); err != nil {
			return "", fmt.Errorf("verbalize: %w", err)
		}
	}
	if !cached {
		reply, err := v.model.Generate(ctx, req)
		if err != nil {
			return "", fmt.Errorf("verbalize: %w", err)
		}
		if written = strings.TrimSpace(reply.Message.Content); reply.Finish == "length" {
			written = "" // cut
		}
		if v.memory != nil {
			if err := v.memory.Put(ctx, key, written); err != nil {
				return "", fmt.Errorf("verbalize: %w", err)
			}
		}
	}
	faithful := Faithful(sentence, written) == nil
	v.mu.Lock()
	defer v.mu.Unlock()
	if cached {
		v.tally.Cached++
	}
	if !faithful {
		v.tally.Kept++
		return sentence, nil
	}
	v.tally.Rewritten++
	return written, nil
}

// Result returns a tool's result with its sentences written anew; everything
// else keeps its bytes. A result that does not begin with its evidence is
// returned as it is.
func (v *Verbalizer) Result(ctx context.Context, value json.RawMessage) (json.RawMessage, error) {
	var r struct {
		Evidence []string `json:"evidence"`
	}
	if err := json.Unmarshal(value, &r); err != nil {
		return nil, fmt.Errorf("verbalize: %w", err)
	}
	before, err := message.Marshal(r.Evidence)
	if err != nil {
		return nil, fmt.Errorf("verbalize: %w", err)
	}
	rest, ok := bytes.CutPrefix(value, append([]byte(`{"evidence":`), before...))
	if !ok {
		return value, nil
	}
	for i, s := range r.Evidence {
		if r.Evidence[i], err = v.Sentence(ctx, s); err != nil {
			return nil, err
		}
	}
	after, err := message.Marshal(r.Evidence)
	if err != nil {
		return nil, fmt.Errorf("verbalize: %w", err)
	}
	return bytes.Join([][]byte{[]byte(`{"evidence":`), after, rest}, nil), nil
}
