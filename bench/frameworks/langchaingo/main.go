// Command langchaingo is the workload by tmc/langchaingo's openai model, as its
// guide to tools shows it: GenerateContent with a conversation that grows.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"sync"

	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/llms/openai"

	"github.com/mars-rec/mars/bench/frameworks/measure"
	"github.com/mars-rec/mars/bench/frameworks/workload"
)

type team struct {
	world *workload.World
	llm   llms.Model
	tools []llms.Tool
}

func main() {
	measure.Main(func(_ context.Context, cfg measure.Config) (measure.Side, error) {
		llm, err := openai.New(openai.WithToken("key"), openai.WithModel("bench-1"), openai.WithBaseURL(cfg.URL), openai.WithHTTPClient(measure.HTTP()))
		if err != nil {
			return nil, err
		}
		t := team{world: cfg.World, llm: llm}
		for _, s := range workload.Tools {
			t.tools = append(t.tools, llms.Tool{Type: "function",
				Function: &llms.FunctionDefinition{Name: s.Name, Description: s.Description, Parameters: s.Parameters}})
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
	reply, err := t.complete(ctx, []llms.MessageContent{
		llms.TextParts(llms.ChatMessageTypeSystem, workload.System(role)),
		llms.TextParts(llms.ChatMessageTypeHuman, question),
	})
	if err != nil {
		return "", err
	}
	return reply.Content, nil
}

func (t team) analyse(ctx context.Context, question string) (string, error) {
	talk := []llms.MessageContent{
		llms.TextParts(llms.ChatMessageTypeSystem, workload.System("analyst")),
		llms.TextParts(llms.ChatMessageTypeHuman, question),
	}
	for {
		reply, err := t.complete(ctx, talk, llms.WithTools(t.tools))
		if err != nil {
			return "", err
		}
		if len(reply.ToolCalls) == 0 {
			return reply.Content, nil
		}
		said := llms.TextParts(llms.ChatMessageTypeAI, reply.Content)
		for _, call := range reply.ToolCalls {
			said.Parts = append(said.Parts, call)
		}
		talk = append(talk, said)
		for _, call := range reply.ToolCalls {
			var args workload.Arguments
			if err := json.Unmarshal([]byte(call.FunctionCall.Arguments), &args); err != nil {
				return "", err
			}
			talk = append(talk, llms.MessageContent{Role: llms.ChatMessageTypeTool, Parts: []llms.ContentPart{llms.ToolCallResponse{
				ToolCallID: call.ID, Name: call.FunctionCall.Name, Content: string(t.world.Answer(call.FunctionCall.Name, args))}}})
		}
	}
}

func (t team) complete(ctx context.Context, talk []llms.MessageContent, options ...llms.CallOption) (*llms.ContentChoice, error) {
	resp, err := t.llm.GenerateContent(ctx, talk, options...)
	if err != nil {
		return nil, err
	}
	if len(resp.Choices) == 0 {
		return nil, errors.New("no choices")
	}
	return resp.Choices[0], nil
}
