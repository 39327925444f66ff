package export

import (
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/trajectories/filter"
)

// chatRow is a conversation in OpenAI's messages, with the tools as a string of
// JSON. TRL, verl, ms-swift and axolotl all take it.
type chatRow struct {
	Messages   []chatMessage `json:"messages" parquet:"messages,list"`
	Tools      string        `json:"tools" parquet:"tools"`
	Run        string        `json:"run" parquet:"run"`
	Candidates []string      `json:"candidates" parquet:"candidates,list"` // items, in the order of their labels
}

type chatMessage struct {
	Role      model.Role `json:"role" parquet:"role"`
	Name      string     `json:"name,omitempty" parquet:"name,optional"`
	Content   string     `json:"content" parquet:"content"`
	Answers   string     `json:"tool_call_id,omitempty" parquet:"tool_call_id,optional"`
	ToolCalls []chatCall `json:"tool_calls,omitempty" parquet:"tool_calls,list,optional"`
}

type chatCall struct {
	ID       string       `json:"id,omitempty" parquet:"id,optional"`
	Type     string       `json:"type" parquet:"type"`
	Function chatFunction `json:"function" parquet:"function"`
}

// chatFunction has its arguments as a string of JSON: as an object, Arrow would
// fill the keys that other calls have with nulls.
type chatFunction struct {
	Name      string `json:"name" parquet:"name"`
	Arguments string `json:"arguments" parquet:"arguments"`
}

// chatMessages writes messages in OpenAI's form; with ids, each call has one,
// and each answer that of its call.
func chatMessages(messages []model.Message, ids bool) []chatMessage {
	out := make([]chatMessage, len(messages))
	for i, m := range messages {
		out[i] = chatMessage{Role: m.Role, Name: m.Name, Content: m.Content}
		if ids {
			out[i].Answers = m.ToolCallID
		}
		for _, c := range m.ToolCalls {
			call := chatCall{Type: "function", Function: chatFunction{c.Name, c.Arguments}}
			if ids {
				call.ID = c.ID
			}
			out[i].ToolCalls = append(out[i].ToolCalls, call)
		}
	}
	return out
}

// chat makes the rows of those who take a [chatRow].
func (b *bench) chat(t *filter.Sample, messages []model.Message, ids bool) chatRow {
	return chatRow{chatMessages(messages, ids), b.tools, t.Run.ID, t.Run.Task.Candidates}
}
