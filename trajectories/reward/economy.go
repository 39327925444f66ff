package reward

import (
	"encoding/json"
	"strings"

	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
)

// thrift is the part "economy" of a conversation that may make so many calls.
func thrift(messages []model.Message, allowed int) float64 {
	failed := map[string]bool{}
	for _, m := range messages {
		if m.Role == model.ToolRole && isError(m) {
			failed[m.ToolCallID] = true
		}
	}
	calls, useful := 0, 0
	made := map[string]bool{}
	for _, m := range messages {
		for _, c := range m.ToolCalls {
			calls++
			arguments, err := phase.Spaced(json.RawMessage(c.Arguments))
			if err != nil {
				arguments = c.Arguments
			}
			if key := c.Name + " " + arguments; !made[key] && !failed[c.ID] {
				made[key] = true
				useful++
			}
		}
	}
	if calls == 0 {
		return 0
	}
	return float64(useful) / float64(calls) * min(1, float64(allowed)/float64(calls))
}

// isError reports whether a tool's answer says what was wrong with the call.
func isError(m model.Message) bool { return strings.HasPrefix(m.Content, "error: ") }
