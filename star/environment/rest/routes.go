package rest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	"github.com/mars-rec/mars/internal/api"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/star/environment"
	"github.com/mars-rec/mars/tasks"
)

type service struct{ *environment.Environment }

// tool is a tool as chat APIs tell of it.
type tool struct {
	Type     string         `json:"type"`
	Function model.ToolSpec `json:"function"`
}

type toolList struct {
	Tools []tool `json:"tools" jsonschema:"in the order of the training rows"`
}

type taskList struct {
	Total int          `json:"total" jsonschema:"tasks that there are"`
	Tasks []tasks.Task `json:"tasks"`
}

type wanted struct {
	Task  string `json:"task,omitempty" jsonschema:"id of a task"`
	Index *int   `json:"index,omitempty" jsonschema:"in its place: the task's place in the list, from 0"`
}

type begun struct {
	Session     string `json:"session" jsonschema:"id; whoever has it has the session"`
	Task        string `json:"task"`
	Messages    []turn `json:"messages" jsonschema:"system and user: the prompt, as in the training rows"`
	Tools       []tool `json:"tools"`
	IdleSeconds int    `json:"idle_seconds" jsonschema:"after which the session is gone if it is not used"`
}

type asked struct {
	Name      string    `json:"name" jsonschema:"of the tool"`
	Arguments arguments `json:"arguments,omitempty" jsonschema:"an object, or its JSON in a string"`
}

type answered struct {
	Content string `json:"content" jsonschema:"what the student reads; a mistake in the call begins with error:"`
}

type stepped struct {
	Message turn `json:"message" jsonschema:"the assistant's, with its tool calls; without any it is the answer"`
}

type outcome struct {
	Finished bool               `json:"finished"`
	Reward   *float64           `json:"reward,omitempty" jsonschema:"by the reward that /v1/reward tells; left out before the end and where there is no gold"`
	Parts    map[string]float64 `json:"parts,omitempty" jsonschema:"format (+1 or -1) and the others that the reward is made of (0 to 1), before they are weighted"`
	Scorer   string             `json:"scorer,omitempty" jsonschema:"the reward's name"`
	Version  string             `json:"version,omitempty" jsonschema:"the reward's version"`
	Note     string             `json:"note,omitempty" jsonschema:"what is wrong with the form, if anything"`
}

type heard struct {
	Messages []turn `json:"messages" jsonschema:"the tools' answers, one for each call"`
	outcome
}

type said struct {
	Text     *string `json:"text,omitempty" jsonschema:"the student's last words; all that it said, if tools were called by call"`
	Messages []turn  `json:"messages,omitempty" jsonschema:"in its place: the whole conversation, with or without the prompt"`
}

type rewarded struct {
	Name    string                        `json:"name" jsonschema:"under which mars score keeps the same numbers"`
	Version string                        `json:"version"`
	Parts   map[string]map[string]float64 `json:"parts" jsonschema:"what the reward is the weighted sum of: by name, each with its weight and settings"`
}

type state struct {
	Session string `json:"session"`
	Task    string `json:"task"`
	outcome
}

type health struct {
	Status string `json:"status"`
}

// routes is the table.
func (s *service) routes() []api.Route {
	return []api.Route{
		api.At("GET", "/health", "health", "Say that the server is up", func(api.Request, api.None) (health, error) { return health{"ok"}, nil }).Public(),
		api.At("GET", "/v1/tools", "tools", "What the student is told of the tools", s.tools),
		api.At("GET", "/v1/reward", "reward", "What answers are judged by", s.reward),
		api.At("GET", "/v1/tasks", "tasks", "The tasks", s.tasks).Taking(
			api.Parameter{Name: "offset", Summary: "place of the first task, from 0", Type: "integer"},
			api.Parameter{Name: "limit", Summary: "how many; 100 if not given, 1000 at most", Type: "integer"}),
		api.At("POST", "/v1/sessions", "begin", "Begin a session on a task: its prompt and tools", s.begin).Giving(http.StatusCreated),
		api.At("GET", "/v1/sessions/{id}", "state", "How far a session is", s.state),
		api.At("POST", "/v1/sessions/{id}/call", "call", "Call one tool", s.call),
		api.At("POST", "/v1/sessions/{id}/step", "step", "Take a whole message of the student's: make its calls, or end with it", s.step),
		api.At("POST", "/v1/sessions/{id}/answer", "answer", "End the session: the reward", s.answer),
		api.At("DELETE", "/v1/sessions/{id}", "end", "Forget a session", s.forget).Giving(http.StatusNoContent),
	}
}

func (s *service) specs() []tool {
	list := []tool{}
	for _, spec := range s.Tools() {
		list = append(list, tool{"function", spec})
	}
	return list
}

func (s *service) tools(api.Request, api.None) (toolList, error) { return toolList{s.specs()}, nil }

func (s *service) reward(api.Request, api.None) (rewarded, error) {
	r, ok := s.Reward()
	if !ok {
		return rewarded{}, &api.Failure{Status: http.StatusNotFound, Kind: "no_reward", Message: "there is no gold: answers get no reward"}
	}
	out := rewarded{Name: r.Name, Version: r.Version}
	return out, json.Unmarshal(r.Recipe, &out.Parts)
}

func (s *service) tasks(r api.Request, _ api.None) (taskList, error) {
	number := func(name string, otherwise, most int) (int, error) {
		text := r.Query.Get(name)
		if text == "" {
			return otherwise, nil
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > most {
			return 0, api.Invalid("%s is %q: want a number from 0 to %d", name, text, most)
		}
		return n, nil
	}
	all := s.Tasks()
	offset, err := number("offset", 0, len(all))
	if err != nil {
		return taskList{}, err
	}
	limit, err := number("limit", 100, 1000)
	return taskList{len(all), slices.Concat([]tasks.Task{}, all[offset:min(len(all), offset+limit)])}, err
}

func (s *service) begin(r api.Request, w wanted) (begun, error) {
	all := s.Tasks()
	switch {
	case (w.Task == "") == (w.Index == nil):
		return begun{}, api.Invalid("want task or index, one of the two")
	case w.Index != nil && (*w.Index < 0 || *w.Index >= len(all)):
		return begun{}, api.Invalid("index is %d: there are %d tasks, from 0", *w.Index, len(all))
	case w.Index != nil:
		w.Task = all[*w.Index].ID
	}
	session, err := s.Start(r, w.Task)
	if err != nil {
		return begun{}, err
	}
	task, prompt, err := session.Prompt()
	return begun{session.ID(), task, theirs(prompt), s.specs(), int(s.Idle().Seconds())}, err
}

func (s *service) state(r api.Request, _ api.None) (state, error) {
	session, err := s.Session(r.Path("id"))
	if err != nil {
		return state{}, err
	}
	task, _, err := session.Prompt()
	if err != nil {
		return state{}, err
	}
	out := state{Session: session.ID(), Task: task}
	if o, ok := session.Outcome(); ok {
		out.outcome = s.told(o)
	}
	return out, nil
}

func (s *service) call(r api.Request, a asked) (answered, error) {
	session, err := s.Session(r.Path("id"))
	if err != nil {
		return answered{}, err
	}
	content, err := session.Call(r, a.Name, json.RawMessage(a.Arguments))
	return answered{content}, err
}

func (s *service) step(r api.Request, m stepped) (heard, error) {
	session, err := s.Session(r.Path("id"))
	if err != nil {
		return heard{}, err
	}
	if m.Message.Role != model.Assistant {
		return heard{}, api.Invalid("the message is of role %q: want assistant", m.Message.Role)
	}
	answers, o, err := session.Step(r, ours([]turn{m.Message})[0])
	if err != nil {
		return heard{}, err
	}
	out := heard{Messages: theirs(answers)}
	if o != nil {
		out.outcome = s.told(*o)
	}
	return out, nil
}

func (s *service) answer(r api.Request, a said) (outcome, error) {
	session, err := s.Session(r.Path("id"))
	if err != nil {
		return outcome{}, err
	}
	var o environment.Outcome
	switch {
	case (a.Text == nil) == (a.Messages == nil):
		return outcome{}, api.Invalid("want text or messages, one of the two")
	case a.Text != nil:
		o, err = session.Answer(*a.Text)
	default:
		o, err = session.Judge(ours(numbered(a.Messages)))
	}
	if err != nil {
		return outcome{}, err
	}
	return s.told(o), nil
}

func (s *service) told(o environment.Outcome) outcome {
	out := outcome{Finished: true, Parts: o.Parts, Note: o.Note}
	if o.Scored {
		r, _ := s.Reward()
		out.Reward, out.Scorer, out.Version = &o.Reward, r.Name, r.Version
	}
	return out
}

func (s *service) forget(r api.Request, _ api.None) (api.None, error) {
	if _, err := s.Session(r.Path("id")); err != nil {
		return api.None{}, err
	}
	s.End(r.Path("id"))
	return api.None{}, nil
}
