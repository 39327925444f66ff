package export

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/filter"
)

// lint holds a conversation against the promises of the package.
func lint(t *filter.Sample, messages []model.Message, g gold.Gold, toolNames map[string]bool, detail trajectories.Detail) error {
	if err := lintRoles(messages, toolNames); err != nil {
		return err
	}
	form, err := t.Form()
	if err != nil {
		return err
	}
	if _, err := trajectories.Parse(messages, t.Run.Task.Labels(), form); err != nil {
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
	if marked := filter.Marked(t.Run.Task, messages, g, detail); marked != "" {
		return errors.New(marked)
	}
	return nil
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
