// Command raw is the workload by net/http and encoding/json alone: what anybody
// would write who needs nothing else, and what the others are measured against.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/mars-rec/mars/bench/frameworks/measure"
	"github.com/mars-rec/mars/bench/frameworks/workload"
)

type message struct {
	Role       string     `json:"role"`
	Content    string     `json:"content"`
	ToolCalls  []toolCall `json:"tool_calls,omitempty"`
	ToolCallID string     `json:"tool_call_id,omitempty"`
}

type toolCall struct {
	ID       string   `json:"id"`
	Type     string   `json:"type"`
	Function function `json:"function"`
}

type function struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

type tool struct {
	Type     string `json:"type"`
	Function struct {
		Name        string          `json:"name"`
		Description string          `json:"description"`
		Parameters  json.RawMessage `json:"parameters"`
	} `json:"function"`
}

type request struct {
	Model    string    `json:"model"`
	Messages []message `json:"messages"`
	Tools    []tool    `json:"tools,omitempty"`
}

type response struct {
	Choices []struct {
		Message      message `json:"message"`
		FinishReason string  `json:"finish_reason"`
	} `json:"choices"`
	Usage struct {
		PromptTokens     int `json:"prompt_tokens"`
		CompletionTokens int `json:"completion_tokens"`
	} `json:"usage"`
}

type team struct {
	world *workload.World
	http  *http.Client
	url   string
	tools []tool
}

func main() {
	measure.Main(func(_ context.Context, cfg measure.Config) (measure.Side, error) {
		t := team{world: cfg.World, http: measure.HTTP(), url: cfg.URL + "/chat/completions"}
		for _, s := range workload.Tools {
			one := tool{Type: "function"}
			one.Function.Name, one.Function.Description, one.Function.Parameters = s.Name, s.Description, s.Parameters
			t.tools = append(t.tools, one)
		}
		return measure.Runner{World: cfg.World, Run: t.run}, nil
	})
}

func (t team) run(ctx context.Context, task workload.Task) error {
	text, err := t.ask(ctx, "planner", task.Planner())
	if err != nil {
		return err
	}
	plan, err := workload.ReadPlan(text)
	if err != nil {
		return err
	}
	analyses, errs := make([]string, len(workload.Analysts)), make([]error, len(workload.Analysts))
	var wg sync.WaitGroup
	for i, role := range workload.Analysts {
		wg.Go(func() { analyses[i], errs[i] = t.analyse(ctx, task.Analyst(role, plan.Goal(role))) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	reflection, err := t.ask(ctx, "reflector", task.Reflector(plan.Summary, analyses))
	if err != nil {
		return err
	}
	if text, err = t.ask(ctx, "ranker", task.Ranker(analyses, reflection)); err != nil {
		return err
	}
	_, err = workload.ReadRanking(text)
	return err
}

func (t team) ask(ctx context.Context, role, question string) (string, error) {
	reply, err := t.complete(ctx, []message{{Role: "system", Content: workload.System(role)}, {Role: "user", Content: question}}, nil)
	return reply.Content, err
}

func (t team) analyse(ctx context.Context, question string) (string, error) {
	talk := []message{{Role: "system", Content: workload.System("analyst")}, {Role: "user", Content: question}}
	for {
		reply, err := t.complete(ctx, talk, t.tools)
		if err != nil || len(reply.ToolCalls) == 0 {
			return reply.Content, err
		}
		talk = append(talk, reply)
		for _, call := range reply.ToolCalls {
			var args workload.Arguments
			if err := json.Unmarshal([]byte(call.Function.Arguments), &args); err != nil {
				return "", err
			}
			talk = append(talk, message{Role: "tool", ToolCallID: call.ID, Content: string(t.world.Answer(call.Function.Name, args))})
		}
	}
}

func (t team) complete(ctx context.Context, talk []message, tools []tool) (message, error) {
	body, err := json.Marshal(request{Model: "bench-1", Messages: talk, Tools: tools})
	if err != nil {
		return message{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url, bytes.NewReader(body))
	if err != nil {
		return message{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer key")
	resp, err := t.http.Do(req)
	if err != nil {
		return message{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return message{}, err
	}
	if resp.StatusCode != http.StatusOK {
		return message{}, fmt.Errorf("status %d: %s", resp.StatusCode, text)
	}
	var out response
	if err := json.Unmarshal(text, &out); err != nil {
		return message{}, err
	}
	if len(out.Choices) == 0 {
		return message{}, errors.New("no choices")
	}
	return out.Choices[0].Message, nil
}
