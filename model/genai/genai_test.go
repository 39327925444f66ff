package genai_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/genai"
)

func TestEndpointOf(t *testing.T) {
	for name, want := range map[string]genai.Endpoint{
		"builtin":                              {Provider: "builtin", Model: "builtin"},
		"builtin:weights.json sha256:12":       {Provider: "builtin", Model: "builtin"},
		"openai:gpt-4.1":                       {Provider: "openai", Model: "gpt-4.1"},
		"openai:Qwen/Qwen3-8B":                 {Provider: "openai", Model: "Qwen/Qwen3-8B"},
		"openai:me@home@http://10.0.0.7:80/v1": {Provider: "openai", Model: "me@home", Address: "10.0.0.7", Port: 80},
		"openai:x@http://u:hush@gpu/v1?k=hush": {Provider: "openai", Model: "x", Address: "gpu", Port: 80},
		"openai:x@https://gpu/v1":              {Provider: "openai", Model: "x", Address: "gpu", Port: 443},
		"openai:x@http://[::1]:9/v1":           {Provider: "openai", Model: "x", Address: "::1", Port: 9},
		"langchain:anthropic/claude":           {Provider: "anthropic", Model: "claude"},
		"m":                                    {Provider: "m", Model: "m"},
		"":                                     {},
	} {
		if got := genai.EndpointOf(name); got != want {
			t.Errorf("%q is %+v, want %+v", name, got, want)
		}
	}
}

// TestFailures: an error and its text, as a run keeps it, are of the same class.
func TestFailures(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{&model.Error{Status: 429, Err: errors.New("status 429: slow down")}, "429"},
		{&model.Error{Status: 503, Err: errors.New("status 503: context canceled")}, "503"},
		{&model.Error{Unbilled: true, Err: fmt.Errorf("%w: 5 left", model.ErrBudget)}, genai.OverBudget},
		{&model.Error{Temporary: true, Err: fmt.Errorf("%w: again in 3 s", model.ErrOpen)}, genai.BreakerOpen},
		{fmt.Errorf("no reply within 3s: %w", context.DeadlineExceeded), genai.TimedOut},
		{&model.Error{Temporary: true, Err: errors.New("no reply within 5m0s")}, genai.TimedOut},
		{fmt.Errorf("gone: %w", context.Canceled), genai.Cancelled},
		{&model.Error{Temporary: true, Err: errors.New("connection: reset by peer")}, genai.Connection},
		{errors.New("planner: reply 1.1.2 cannot be used after a repair: no JSON"), genai.Unusable},
		{errors.New("out of ink, status 200"), genai.Other},
	} {
		text := ""
		if c.err != nil {
			c.err = fmt.Errorf("analyst/recent: generate 1.2.3: after 5 attempts: %w", c.err)
			text = c.err.Error()
		}
		if got := genai.FailureOf(c.err); got != c.want {
			t.Errorf("%v is of class %q, want %q", c.err, got, c.want)
		}
		if got := genai.FailureIn(text); got != c.want {
			t.Errorf("the text %q is of class %q, want %q", text, got, c.want)
		}
	}
}
