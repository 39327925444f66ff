// Package langchain adapts tools between this module and langchaingo, both
// ways, so that research code can use ours there and theirs here.
//
//	ours    JSON object ──> JSON                 Wrap  ──> langchaingo's tools.Tool
//	theirs  text ──> text                        Adopt ──> tools.Named
//
// A tool of langchaingo takes one text. One of ours, wrapped, takes its
// arguments as JSON in that text, and its description says which. One of
// theirs, adopted, has the one argument "input" and its answer is a JSON
// string.
package langchain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	langchaingo "github.com/tmc/langchaingo/tools"

	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tools"
)

// Wrap makes a tool of langchaingo of one of ours. A mistake of the caller is
// an answer that begins with "error: ", since an error would end langchaingo's
// agent; any other error is one there too.
func Wrap(t tools.Tool) langchaingo.Tool { return wrapped{t} }

type wrapped struct{ tool tools.Tool }

func (w wrapped) Name() string { return w.tool.Spec().Name }

func (w wrapped) Description() string {
	spec := w.tool.Spec()
	return fmt.Sprintf("%s The input is a JSON object that follows this schema: %s", spec.Description, spec.Parameters)
}

func (w wrapped) Call(ctx context.Context, input string) (string, error) {
	result := tools.Result{Tool: w.Name()}
	value, err := w.tool.Call(ctx, json.RawMessage(unfenced(input)))
	if bad := (*tools.InputError)(nil); errors.As(err, &bad) {
		result.Error = bad.Reason
	} else if err != nil {
		return "", err
	}
	result.Value = value
	return result.Content(), nil
}

// unfenced drops the code fence in which langchaingo's agents often get the
// input from a model.
func unfenced(input string) string {
	s := strings.TrimSpace(input)
	if inner, ok := strings.CutPrefix(s, "```"); ok {
		if inner, ok := strings.CutSuffix(inner, "```"); ok {
			return strings.TrimPrefix(inner, "json")
		}
	}
	return s
}

// Adopt makes one of our tools of langchaingo's. Characters that the name of a
// function cannot have become underscores. What it answers is foreign text and
// passes [phase.Clean].
//
// Such a tool knows nothing of a view: whether it can see past a task's moment,
// and whether it answers the same call alike, is for the caller to know.
func Adopt(t langchaingo.Tool) tools.Named {
	type arguments struct {
		Input string `json:"input"`
	}
	call := func(ctx context.Context, _ tasks.View, a arguments) (string, error) {
		answer, err := t.Call(ctx, a.Input)
		if err != nil {
			return "", fmt.Errorf("%s: %w", t.Name(), err)
		}
		return phase.Clean(answer), nil
	}
	return tools.Define(function(t.Name()), t.Description(), call)
}

// function makes a name that providers take for that of a function.
func function(name string) string {
	name = strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, name)
	return name[:min(64, len(name))]
}
