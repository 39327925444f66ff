package langchain

import (
	"github.com/tmc/langchaingo/llms"

	"github.com/mars-rec/mars/model"
)

// messages puts a conversation into langchaingo's words.
func (m *Model) messages(conversation []model.Message) []llms.MessageContent {
	var out []llms.MessageContent
	for _, msg := range conversation {
		role, parts := llms.ChatMessageTypeHuman, []llms.ContentPart{}
		if msg.Content != "" && msg.Role != model.ToolRole {
			parts = append(parts, llms.TextContent{Text: msg.Content})
		}
		switch msg.Role {
		case model.System:
			role = llms.ChatMessageTypeSystem
		case model.Assistant:
			role = llms.ChatMessageTypeAI
			for _, c := range msg.ToolCalls {
				parts = append(parts, llms.ToolCall{ID: c.ID, Type: "function", FunctionCall: &llms.FunctionCall{Name: c.Name, Arguments: c.Arguments}})
			}
		case model.ToolRole:
			role = llms.ChatMessageTypeTool
			parts = append(parts, llms.ToolCallResponse{ToolCallID: msg.ToolCallID, Name: msg.Name, Content: msg.Content})
		}
		if m.traits.OnePart && role == llms.ChatMessageTypeAI {
			for _, part := range parts {
				out = append(out, llms.MessageContent{Role: role, Parts: []llms.ContentPart{part}})
			}
			continue
		}
		out = append(out, llms.MessageContent{Role: role, Parts: parts})
	}
	return out
}

// options puts the rest of a request into call options.
func (m *Model) options(req model.Request) []llms.CallOption {
	var options []llms.CallOption
	if len(req.Tools) > 0 && !m.traits.NoTools {
		specs := make([]llms.Tool, len(req.Tools))
		for i, t := range req.Tools {
			specs[i] = llms.Tool{Type: "function", Function: &llms.FunctionDefinition{Name: t.Name, Description: t.Description, Parameters: t.Parameters}}
		}
		options = append(options, llms.WithTools(specs))
	}
	if req.Format != nil {
		options = append(options, llms.WithJSONMode())
	}
	if req.Stop != "" {
		options = append(options, llms.WithStopWords([]string{req.Stop}))
	}
	s := req.Sampling
	if s.Temperature != nil {
		options = append(options, llms.WithTemperature(*s.Temperature))
	} else if m.traits.Temperature != 0 {
		options = append(options, llms.WithTemperature(m.traits.Temperature))
	}
	if s.TopP != nil {
		options = append(options, llms.WithTopP(*s.TopP))
	}
	if s.MaxTokens > 0 {
		options = append(options, llms.WithMaxTokens(s.MaxTokens))
	}
	if s.Seed != nil {
		options = append(options, llms.WithSeed(int(*s.Seed)))
	}
	return options
}
