package export

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories"
)

// lint holds a conversation against the promises of the package.
func lint(t *trajectories.Trajectory, messages []model.Message, g gold.Gold, toolNames map[string]bool, detail trajectories.Detail) error {
	if err := lintRoles(messages, toolNames); err != nil {
		return err
	}
	roles, err := t.Roles()
	if err != nil {
		return err
	}
	if _, err := trajectories.Parse(messages, t.Run.Task.Labels(), roles); err != nil {
		return err
	}
	for i, m := range messages {
		if token := templateToken(m.Content); token != "" {
			return fmt.Errorf("message %d holds %q, which chat templates obey", i, token)
		}
		for _, c := range m.ToolCalls {
			if token := templateToken(c.Arguments); token != "" {
				return fmt.Errorf("message %d: the arguments of %s hold %q, which chat templates obey", i, c.Name, token)
			}
		}
	}
	return lintGold(t.Run.Task, messages, g, detail)
}

// lintRoles checks the order of the roles: system, user, then the assistant,
// who has the last word; tools answer between its messages.
func lintRoles(messages []model.Message, toolNames map[string]bool) error {
	if len(messages) < 3 || messages[0].Role != model.System || messages[1].Role != model.User {
		return errors.New("the conversation does not start with system, user, assistant")
	}
	for i, m := range messages[2:] {
		i += 2
		before := messages[i-1]
		switch m.Role {
		case model.Assistant:
			if before.Role == model.Assistant {
				return fmt.Errorf("messages %d and %d are both the assistant's", i-1, i)
			}
			if m.Content == "" && len(m.ToolCalls) == 0 {
				return fmt.Errorf("message %d is empty", i)
			}
			for _, c := range m.ToolCalls {
				if !toolNames[c.Name] {
					return fmt.Errorf("message %d calls %q, which is not among the tools", i, c.Name)
				}
			}
		case model.ToolRole:
			if before.Role == model.User {
				return fmt.Errorf("message %d answers nobody", i)
			}
		default:
			return fmt.Errorf("message %d is of role %s", i, m.Role)
		}
	}
	if last := messages[len(messages)-1]; last.Role != model.Assistant || len(last.ToolCalls) > 0 {
		return errors.New("the last message is not the assistant's answer")
	}
	return nil
}

// templateToken returns a token of a chat template, or a tag that a template
// writes itself, that stands in a text; "" if none does.
func templateToken(text string) string {
	for _, mark := range []string{"<", ">", "INST]"} { // each token has one of them
		for from := 0; ; {
			at := strings.Index(text[from:], mark)
			if at < 0 {
				break
			}
			at += from
			for _, token := range templateTokens() {
				before := strings.Index(token, mark)
				if before >= 0 && at >= before && strings.HasPrefix(text[at-before:], token) {
					return token
				}
			}
			from = at + len(mark)
		}
	}
	return ""
}

// templateTokens are what no text of a row may hold.
func templateTokens() [13]string {
	return [...]string{"<|", "|>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<tools>", "</tools>", "<think>", "</think>", "<｜", "[INST]", "[/INST]"}
}

// lintGold checks that a right item is nowhere unless as a candidate: the
// prompt is made of the task and the candidates only, and in what tools
// answered every mention of the item carries its label.
func lintGold(task tasks.Task, messages []model.Message, g gold.Gold, detail trajectories.Detail) error {
	labels := task.Labels()
	lines := task.Candidates // whose texts a brief prompt does not tell
	if detail == trajectories.Full {
		lines = nil
	}
	for line := range strings.Lines(messages[1].Content) {
		if label, _, ok := strings.Cut(line, " | "); ok && slices.Contains(labels, label) {
			lines = append(lines, strings.TrimRight(line, "\n"))
		}
	}
	opening, err := detail.Opening(task, lines)
	if err != nil {
		return err
	}
	if opening[0].Content != messages[0].Content || opening[1].Content != messages[1].Content {
		return errors.New("the prompt says more than the task and its candidates")
	}
	for i, m := range messages {
		if m.Role != model.ToolRole {
			continue
		}
		for _, item := range g.Items {
			label, _ := task.Label(item)
			if labelled(m.Content, item, label) {
				continue // as nearly always
			}
			var answer any
			if json.Unmarshal([]byte(m.Content), &answer) != nil {
				continue // an error, in words: tools do not name items in it that they were not asked for
			}
			if told(answer, item, label) {
				return fmt.Errorf("message %d, the answer of %s, tells of the right item %s beside the candidates", i, m.Name, item)
			}
		}
	}
	return nil
}

// told reports whether a tool's answer names the item without its label.
func told(v any, item, label string) bool {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if told(e, item, label) {
				return true
			}
		}
	case map[string]any:
		if v["item"] == item && (label == "" || v["label"] != label) {
			return true
		}
		for _, key := range []string{"items", "history"} {
			if list, ok := v[key].([]any); ok {
				for _, e := range list {
					if e == item {
						return true
					}
				}
			}
		}
		for _, e := range v {
			if told(e, item, label) {
				return true
			}
		}
	}
	return false
}
