package ors

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/star/environment"
	"github.com/mars-rec/mars/tasks"
)

// spec is what the standard calls a task's specification. The id says all; the
// rest is for whoever looks at it.
type spec struct {
	ID       string `json:"id"`
	Dataset  string `json:"dataset"`
	Scenario string `json:"scenario"`
}

func specOf(t tasks.Task) spec { return spec{t.ID, t.Dataset, t.Scenario} }

type tool struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	InputSchema json.RawMessage `json:"input_schema"`
}

type toolList struct {
	Tools              []tool            `json:"tools"`
	TerminalTool       map[string]string `json:"terminal_tool"`
	SupportsScoreGroup bool              `json:"supports_score_group"`
	MessageBlockTypes  []string          `json:"message_block_types"`
}

func (s *service) version(*http.Request) (any, error) {
	return map[string]any{"version": "mars", "build_sha": nil}, nil
}

func (s *service) environments(*http.Request) (any, error) { return []string{Name}, nil }

func (s *service) splits(*http.Request) (any, error) {
	return []map[string]string{{"name": s.split, "type": s.split}}, nil
}

func (s *service) tools(*http.Request) (any, error) {
	end := environment.AnswerSpec()
	list := toolList{
		TerminalTool:       map[string]string{"name": end.Name, "arg": "text", "description": end.Description},
		SupportsScoreGroup: s.Scores(),
		MessageBlockTypes:  []string{"text", "reasoning", "tool_call", "tool_result"},
	}
	for _, t := range slices.Concat(s.Tools(), []model.ToolSpec{end}) {
		list.Tools = append(list.Tools, tool{t.Name, t.Description, t.Parameters})
	}
	return list, nil
}

// taskTools are the tools of a session: those of every task.
func (s *service) taskTools(r *http.Request) (any, error) {
	if _, err := s.session(r); err != nil {
		return nil, err
	}
	return s.tools(r)
}

func (s *service) known(split string) error {
	if split != s.split {
		return invalid("there is no split %q: there is %s", split, s.split)
	}
	return nil
}

func (s *service) tasks(r *http.Request) (any, error) {
	q, err := read[struct {
		Split string `json:"split"`
	}](r)
	if err != nil {
		return nil, err
	}
	return s.between(q.Split, 0, len(s.Tasks()))
}

func (s *service) between(split string, start, stop int) (any, error) {
	if err := s.known(split); err != nil {
		return nil, err
	}
	specs := []spec{}
	for _, t := range s.Tasks()[start:max(start, stop)] {
		specs = append(specs, specOf(t))
	}
	return map[string]any{"tasks": specs, "env_name": Name}, nil
}

func (s *service) count(r *http.Request) (any, error) {
	q, err := read[struct {
		Split string `json:"split"`
	}](r)
	if err != nil {
		return nil, err
	}
	return map[string]int{"num_tasks": len(s.Tasks())}, s.known(q.Split)
}

// at returns the task at an index, which counts from the end if it is negative.
func (s *service) at(split string, index int) (tasks.Task, error) {
	all := s.Tasks()
	if err := s.known(split); err != nil {
		return tasks.Task{}, err
	}
	if index < 0 {
		index += len(all)
	}
	if index < 0 || index >= len(all) {
		return tasks.Task{}, invalid("there is no task %d: there are %d", index, len(all))
	}
	return all[index], nil
}

func (s *service) task(r *http.Request) (any, error) {
	q, err := read[struct {
		Split string `json:"split"`
		Index int    `json:"index"`
	}](r)
	if err != nil {
		return nil, err
	}
	t, err := s.at(q.Split, q.Index)
	return map[string]any{"task": specOf(t), "env_name": Name}, err
}

// taskRange follows Python's slices: bounds may be missing, negative or too far.
func (s *service) taskRange(r *http.Request) (any, error) {
	q, err := read[struct {
		Split string `json:"split"`
		Start *int   `json:"start"`
		Stop  *int   `json:"stop"`
	}](r)
	if err != nil {
		return nil, err
	}
	n := len(s.Tasks())
	bound := func(p *int, otherwise int) int {
		if p == nil {
			return otherwise
		}
		i := *p
		if i < 0 {
			i += n
		}
		return min(max(i, 0), n)
	}
	return s.between(q.Split, bound(q.Start, 0), bound(q.Stop, n))
}

// open makes a session without a task, and tells its id as an event.
func (s *service) open(w http.ResponseWriter, _ *http.Request) {
	session, err := s.Open()
	if err != nil {
		fail(w, err)
		return
	}
	e := stream(w)
	e.send("task_id", session.ID())
	e.send("end", "")
}

// create begins a task in a session.
func (s *service) create(r *http.Request) (any, error) {
	q, err := read[struct {
		EnvName *string `json:"env_name"`
		Spec    *spec   `json:"task_spec"`
		Split   *string `json:"split"`
		Index   *int    `json:"index"`
		Toolset *string `json:"toolset_name"`
	}](r)
	if err != nil {
		return nil, err
	}
	session, err := s.session(r)
	if err != nil {
		return nil, err
	}
	switch {
	case q.EnvName != nil && *q.EnvName != Name:
		return nil, &failure{http.StatusNotFound, fmt.Sprintf("there is no environment %q: there is %q", *q.EnvName, Name)}
	case q.Toolset != nil:
		return nil, invalid("there is no toolset %q: the environment brings its own tools", *q.Toolset)
	case (q.Spec != nil) == (q.Split != nil && q.Index != nil):
		return nil, invalid("want task_spec, or split and index")
	}
	id := ""
	if q.Spec != nil {
		id = q.Spec.ID
	} else {
		t, err := s.at(*q.Split, *q.Index)
		if err != nil {
			return nil, err
		}
		id = t.ID
	}
	return map[string]string{"sid": session.ID()}, session.Begin(r.Context(), id)
}

func (s *service) ping(r *http.Request) (any, error) {
	_, err := s.session(r)
	return map[string]string{"status": "ok"}, err
}

// remove ends a session. One that is gone already is no error: clients delete
// what they began and what they opened.
func (s *service) remove(r *http.Request) (any, error) {
	id := r.Header.Get("X-Session-ID")
	if id == "" {
		return nil, invalid("the header X-Session-ID is missing")
	}
	s.End(id)
	return map[string]string{"sid": id}, nil
}

func (s *service) opening(r *http.Request) ([]model.Message, error) {
	session, err := s.session(r)
	if err != nil {
		return nil, err
	}
	_, messages, err := session.Prompt()
	return messages, err
}

// prompt is system and user as two blocks, since blocks have no roles.
func (s *service) prompt(r *http.Request) (any, error) {
	messages, err := s.opening(r)
	if err != nil {
		return nil, err
	}
	blocks := []block{}
	for _, m := range messages {
		blocks = append(blocks, textBlock(m.Content))
	}
	return blocks, nil
}

// messages is the prompt with its roles.
func (s *service) messages(r *http.Request) (any, error) {
	messages, err := s.opening(r)
	if err != nil {
		return nil, err
	}
	all := []map[string]any{}
	for _, m := range messages {
		all = append(all, map[string]any{"role": m.Role, "blocks": []block{textBlock(m.Content)}, "detail": nil})
	}
	return all, nil
}

// block is a piece of text.
type block struct {
	Type   string `json:"type"`
	Text   string `json:"text"`
	Detail any    `json:"detail"`
}

func textBlock(text string) block { return block{Type: "text", Text: text} }

// payload writes what a stream carries; what has no JSON form is told as an
// error of the tool.
func payload(v any) []byte {
	b, err := message.Marshal(v)
	if err != nil {
		b = fmt.Appendf(nil, `{"ok":false,"error":%q,"reason":null}`, "the result has no JSON form")
	}
	return b
}
