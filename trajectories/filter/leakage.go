package filter

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories"
)

// Leakage keeps runs in which nothing that the student reads is dated at or
// after the moment of the task, and the right item is nowhere unless as a
// candidate among the others; see [Marked] and [Dated].
func Leakage() Filter {
	return Each("no leakage", func(_ context.Context, s *Sample, g gold.Gold) (Drop, error) {
		messages, err := s.Conversation(trajectories.Linear{})
		if err != nil {
			return Drop{untold, err.Error()}, nil
		}
		if detail := Dated(s.Run.Task, messages); detail != "" {
			return Drop{"it was told of something at or after the moment of its task", detail}, nil
		}
		told, err := trajectories.DetailOf(messages)
		if err != nil {
			return Drop{}, err
		}
		if detail := Marked(s.Run.Task, messages, g, told); detail != "" {
			return Drop{"the right item is marked beside the candidates", detail}, nil
		}
		return Drop{}, nil
	})
}

// Marked says where a conversation tells more of a right item than that it is a
// candidate, "" if nowhere: the prompt is made of the task and the candidates
// only, in the words of the detail, and in what tools answered every mention of
// the item has its label.
func Marked(task tasks.Task, messages []model.Message, g gold.Gold, detail trajectories.Detail) string {
	if !opens(task, messages, detail) {
		return "the prompt says more than the task and its candidates"
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
				return fmt.Sprintf("message %d, the answer of %s, tells of the right item %s beside the candidates", i, m.Name, item)
			}
		}
	}
	return ""
}

// opens reports whether a conversation begins as [trajectories.Detail.Opening]
// has it.
func opens(task tasks.Task, messages []model.Message, detail trajectories.Detail) bool {
	if len(messages) < 2 {
		return false
	}
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
	return err == nil && opening[0].Content == messages[0].Content && opening[1].Content == messages[1].Content
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

// Dated says where a conversation was told of something at or after the moment
// of the task, "" if nowhere. It reads dates, 2019-12-21, and times,
// 2019-12-21T15:42:40Z, in the prompt and in what tools answered, outside of
// titles (what stands between double quotes, and fields of that name). A day is
// after the moment if it is after the moment's day, in UTC: what happened
// earlier on the same day may be told. The moment itself may be named in a
// sentence, as "before 2019-12-21T15:42:40Z" does, but nothing may have it as
// its own time. A year alone says when an item came out, and is not read.
func Dated(task tasks.Task, messages []model.Message) string {
	for i, m := range messages {
		if m.Role == model.Assistant || m.Role == model.System {
			continue
		}
		var answer any
		found := ""
		if m.Role == model.ToolRole && json.Unmarshal([]byte(m.Content), &answer) == nil {
			found = late(answer, "", task.AsOf)
		} else {
			found = lateText(m.Content, task.AsOf)
		}
		if found != "" {
			who := "the prompt"
			if m.Role == model.ToolRole {
				who = "the answer of " + m.Name
			}
			return fmt.Sprintf("message %d, %s, has %s, and the moment is %s", i, who, found, task.AsOf.UTC().Format(time.RFC3339))
		}
	}
	return ""
}

// late returns a date from the moment on in a tool's answer, "" if there is none.
func late(v any, key string, moment time.Time) string {
	switch v := v.(type) {
	case string:
		if key == "title" {
			return ""
		}
		if t, err := time.Parse(time.RFC3339, v); err == nil && !t.Before(moment) {
			return v
		}
		return lateText(v, moment)
	case []any:
		for _, e := range v {
			if found := late(e, key, moment); found != "" {
				return found
			}
		}
	case map[string]any:
		first := ""
		for k, e := range v { // of several the least, whatever the order of the map
			if found := late(e, k, moment); found != "" && (first == "" || found < first) {
				first = found
			}
		}
		return first
	}
	return ""
}

var (
	titleForm = regexp.MustCompile(`"[^"\n]*"`)
	dateForm  = regexp.MustCompile(`\b[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:]{5,8}(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2}))?`)
)

// lateText returns a date after the moment in a text, "" if there is none.
func lateText(text string, moment time.Time) string {
	if !strings.Contains(text, "-") {
		return ""
	}
	text = titleForm.ReplaceAllString(text, `""`)
	day := moment.UTC().Truncate(24 * time.Hour)
	for _, found := range dateForm.FindAllString(text, -1) {
		if t, err := time.Parse(time.RFC3339, found); err == nil {
			if t.After(moment) {
				return found
			}
			continue
		}
		if t, err := time.Parse(time.DateOnly, found[:len(time.DateOnly)]); err == nil && t.After(day) {
			return found
		}
	}
	return ""
}
