// Command eino is the workload by cloudwego/eino: a graph of the team in which
// each analyst is a ReAct agent, with the openai model of eino-ext.
package main

import (
	"context"
	"encoding/json"

	"github.com/cloudwego/eino-ext/components/model/openai"
	"github.com/cloudwego/eino/components/tool"
	"github.com/cloudwego/eino/components/tool/utils"
	"github.com/cloudwego/eino/compose"
	"github.com/cloudwego/eino/flow/agent/react"
	"github.com/cloudwego/eino/schema"

	"github.com/mars-rec/mars/bench/frameworks/measure"
	"github.com/mars-rec/mars/bench/frameworks/workload"
)

// state is what the nodes of one run share.
type state struct {
	task     workload.Task
	plan     workload.Plan
	analyses []string
}

func main() {
	measure.Main(func(ctx context.Context, cfg measure.Config) (measure.Side, error) {
		team, err := compile(ctx, cfg)
		return measure.Runner{World: cfg.World, Run: func(ctx context.Context, t workload.Task) error {
			_, err := team.Invoke(ctx, t)
			return err
		}}, err
	})
}

func compile(ctx context.Context, cfg measure.Config) (compose.Runnable[workload.Task, workload.Ranking], error) {
	llm, err := openai.NewChatModel(ctx, &openai.ChatModelConfig{APIKey: "key", BaseURL: cfg.URL, Model: "bench-1", HTTPClient: measure.HTTP()})
	if err != nil {
		return nil, err
	}
	var tools []tool.BaseTool
	for _, s := range workload.Tools {
		t, err := utils.InferTool(s.Name, s.Description, func(_ context.Context, a workload.Arguments) (json.RawMessage, error) {
			return cfg.World.Answer(s.Name, a), nil
		})
		if err != nil {
			return nil, err
		}
		tools = append(tools, t)
	}
	b := builder{Graph: compose.NewGraph[workload.Task, workload.Ranking](compose.WithGenLocalState(func(context.Context) *state { return &state{} }))}
	b.lambda("ask planner", compose.InvokableLambda(func(ctx context.Context, t workload.Task) ([]*schema.Message, error) {
		return conversation("planner", t.Planner()), compose.ProcessState(ctx, func(_ context.Context, s *state) error {
			s.task = t
			return nil
		})
	}))
	b.check(b.AddChatModelNode("planner", llm))
	b.lambda("plan", compose.InvokableLambda(func(ctx context.Context, m *schema.Message) (workload.Plan, error) {
		p, err := workload.ReadPlan(m.Content)
		if err != nil {
			return p, err
		}
		return p, compose.ProcessState(ctx, func(_ context.Context, s *state) error {
			s.plan = p
			return nil
		})
	}))
	b.lambda("ask reflector", compose.InvokableLambda(func(ctx context.Context, said map[string]any) (out []*schema.Message, err error) {
		return out, compose.ProcessState(ctx, func(_ context.Context, s *state) error {
			for _, role := range workload.Analysts {
				s.analyses = append(s.analyses, said[role].(*schema.Message).Content)
			}
			out = conversation("reflector", s.task.Reflector(s.plan.Summary, s.analyses))
			return nil
		})
	}))
	b.check(b.AddChatModelNode("reflector", llm))
	b.lambda("ask ranker", compose.InvokableLambda(func(ctx context.Context, m *schema.Message) (out []*schema.Message, err error) {
		return out, compose.ProcessState(ctx, func(_ context.Context, s *state) error {
			out = conversation("ranker", s.task.Ranker(s.analyses, m.Content))
			return nil
		})
	}))
	b.check(b.AddChatModelNode("ranker", llm))
	b.lambda("ranking", compose.InvokableLambda(func(_ context.Context, m *schema.Message) (workload.Ranking, error) {
		return workload.ReadRanking(m.Content)
	}))
	b.edges(compose.START, "ask planner", "planner", "plan")
	for _, role := range workload.Analysts {
		agent, err := react.NewAgent(ctx, &react.AgentConfig{ToolCallingModel: llm, ToolsConfig: compose.ToolsNodeConfig{Tools: tools}})
		if err != nil {
			return nil, err
		}
		b.lambda("ask "+role, compose.InvokableLambda(func(ctx context.Context, p workload.Plan) (out []*schema.Message, err error) {
			return out, compose.ProcessState(ctx, func(_ context.Context, s *state) error {
				out = conversation("analyst", s.task.Analyst(role, p.Goal(role)))
				return nil
			})
		}))
		graph, options := agent.ExportGraph()
		b.check(b.AddGraphNode(role, graph, append(options, compose.WithOutputKey(role))...))
		b.edges("plan", "ask "+role, role, "ask reflector")
	}
	b.edges("ask reflector", "reflector", "ask ranker", "ranker", "ranking", compose.END)
	if b.err != nil {
		return nil, b.err
	}
	return b.Compile(ctx, compose.WithNodeTriggerMode(compose.AllPredecessor))
}

func conversation(role, question string) []*schema.Message {
	return []*schema.Message{schema.SystemMessage(workload.System(role)), schema.UserMessage(question)}
}

// builder keeps the first error.
type builder struct {
	*compose.Graph[workload.Task, workload.Ranking]
	err error
}

func (b *builder) check(err error) {
	if b.err == nil {
		b.err = err
	}
}

func (b *builder) lambda(name string, l *compose.Lambda) { b.check(b.AddLambdaNode(name, l)) }

func (b *builder) edges(names ...string) {
	for i := range len(names) - 1 {
		b.check(b.AddEdge(names[i], names[i+1]))
	}
}
