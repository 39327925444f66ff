// Command goopenai is the workload by sashabaranov/go-openai alone.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"sync"

	openai "github.com/sashabaranov/go-openai"

	"github.com/mars-rec/mars/bench/frameworks/measure"
	"github.com/mars-rec/mars/bench/frameworks/workload"
)

type team struct {
	world  *workload.World
	client *openai.Client
	tools  []openai.Tool
}

func main() {
	measure.Main(func(_ context.Context, cfg measure.Config) (measure.Side, error) {
		c := openai.DefaultConfig("key")
		c.BaseURL, c.HTTPClient = cfg.URL, measure.HTTP()
		t := team{world: cfg.World, client: openai.NewClientWithConfig(c)}
		for _, s := range workload.Tools {
			t.tools = append(t.tools, openai.Tool{Type: openai.ToolTypeFunction,
				Function: &openai.FunctionDefinition{Name: s.Name, Description: s.Description, Parameters: s.Parameters}})
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
	reply, err := t.complete(ctx, []openai.ChatCompletionMessage{
		{Role: openai.ChatMessageRoleSystem, Content: workload.System(role)},
		{Role: openai.ChatMessageRoleUser, Content: question},
	}, nil)
	return reply.Content, err
}

func (t team) analyse(ctx context.Context, question string) (string, error) {
	talk := []openai.ChatCompletionMessage{
		{Role: openai.ChatMessageRoleSystem, Content: workload.System("analyst")},
		{Role: openai.ChatMessageRoleUser, Content: question},
	}
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
			talk = append(talk, openai.ChatCompletionMessage{Role: openai.ChatMessageRoleTool, ToolCallID: call.ID,
				Content: string(t.world.Answer(call.Function.Name, args))})
		}
	}
}

func (t team) complete(ctx context.Context, talk []openai.ChatCompletionMessage, tools []openai.Tool) (openai.ChatCompletionMessage, error) {
	resp, err := t.client.CreateChatCompletion(ctx, openai.ChatCompletionRequest{Model: "bench-1", Messages: talk, Tools: tools})
	if err != nil {
		return openai.ChatCompletionMessage{}, err
	}
	if len(resp.Choices) == 0 {
		return openai.ChatCompletionMessage{}, errors.New("no choices")
	}
	return resp.Choices[0].Message, nil
}
