package export

import (
	"fmt"
	"reflect"

	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories/filter"
)

// VerlRL is the name of the export for reinforcement learning with verl.
const VerlRL = "verl-rl"

type verlRLRow struct {
	DataSource  string          `json:"data_source" parquet:"data_source"`
	AgentName   string          `json:"agent_name" parquet:"agent_name"`
	Prompt      []promptMessage `json:"prompt" parquet:"prompt,list"`
	Ability     string          `json:"ability" parquet:"ability"`
	RewardModel rewardModel     `json:"reward_model" parquet:"reward_model"`
	ExtraInfo   any             `json:"extra_info" parquet:"extra_info"` // its type depends on the tools
}

type rewardModel struct {
	Style       string `json:"style" parquet:"style"`
	GroundTruth string `json:"ground_truth" parquet:"ground_truth"`
}

type toolKwargs struct {
	Create createKwargs `json:"create_kwargs" parquet:"create_kwargs"`
}

type createKwargs struct {
	UserID string `json:"user_id" parquet:"user_id"`
	TaskID string `json:"task_id" parquet:"task_id"`
}

// verlRL writes one row for each task:
//
//	{"data_source":"star","agent_name":"tool_agent","prompt":[...],"ability":"rec",
//	 "reward_model":{"style":"rule","ground_truth":"i123"},
//	 "extra_info":{"split":"train","index":0,"need_tools_kwargs":true,"candidates":["i7",...],
//	   "tools_kwargs":{"item_cf":{"create_kwargs":{"user_id":"u7","task_id":"classic-u7"}}, ...}}}
//
// The ground truth is one item: verl's rewards take a string. Where the reward
// weighs what is grounded, extra_info has the prompt too: verl does not tell it
// to rewards.
func verlRL() consumer {
	return consumer{VerlRL, []Format{Parquet}, func(s *sheet) (any, error) {
		row, tools := verlRLType(s.cfg)
		s.task = true
		s.row = func(t *filter.Sample, g gold.Gold, n int) (any, error) {
			prompt, err := s.prompt(t, g)
			if err != nil {
				return nil, err
			}
			if len(g.Items) != 1 {
				return nil, fmt.Errorf("%d items are right, and verl's rewards take one", len(g.Items))
			}
			task := t.Run.Task
			kwargs := reflect.New(tools).Elem()
			for i := range kwargs.NumField() {
				kwargs.Field(i).Set(reflect.ValueOf(toolKwargs{createKwargs{task.User, task.ID}}))
			}
			out := reflect.New(row).Elem()
			for i, v := range []any{"star", "tool_agent", prompt, "rec", rewardModel{"rule", g.Items[0]}} {
				out.Field(i).Set(reflect.ValueOf(v))
			}
			extra := out.Field(5)
			for i, v := range []any{s.split, n, true, task.Candidates} {
				extra.Field(i).Set(reflect.ValueOf(v))
			}
			extra.Field(4).Set(kwargs)
			if toldOf(s.cfg) {
				extra.Field(5).Set(reflect.ValueOf(prompt))
			}
			return out.Interface(), nil
		}
		return reflect.New(row).Elem().Interface(), nil
	}, []string{"grpo.sh", "tools.yaml", "mars_tools.py", rewardFile}}
}

// verlRLType is verlRLRow with the types that depend on the tools: verl looks
// its arguments up by the tool's name, so they are a struct with a field for
// each tool; a map would come out of parquet as a list.
func verlRLType(cfg Config) (row, tools reflect.Type) {
	field := func(i int, name, options string, t reflect.Type) reflect.StructField {
		return reflect.StructField{Name: fmt.Sprintf("F%d", i), Type: t,
			Tag: reflect.StructTag(fmt.Sprintf("json:%q parquet:%q", name, name+options))}
	}
	var fields []reflect.StructField
	for i, spec := range cfg.Tools {
		fields = append(fields, field(i, spec.Name, "", reflect.TypeFor[toolKwargs]()))
	}
	tools = reflect.StructOf(fields)
	about := []reflect.StructField{
		field(0, "split", "", reflect.TypeFor[string]()),
		field(1, "index", "", reflect.TypeFor[int]()),
		field(2, "need_tools_kwargs", "", reflect.TypeFor[bool]()),
		field(3, "candidates", ",list", reflect.TypeFor[[]string]()),
		field(4, "tools_kwargs", "", tools),
	}
	if toldOf(cfg) {
		about = append(about, field(5, "prompt", ",list", reflect.TypeFor[[]promptMessage]()))
	}
	extra := reflect.StructOf(about)
	known := reflect.TypeFor[verlRLRow]()
	fields = nil
	for i := range known.NumField() {
		fields = append(fields, known.Field(i))
	}
	fields[5].Type = extra
	return reflect.StructOf(fields), tools
}

// toldOf reports whether the reward asks what the student was told.
func toldOf(cfg Config) bool { return cfg.Reward != nil && cfg.Reward.Weighs("grounded") }
