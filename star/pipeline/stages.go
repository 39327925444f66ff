package pipeline

import (
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Names of the stages, in order.
const (
	Import   = "import"
	FitStage = "fit"
	TaskMake = "tasks"
	Synth    = "synth"
	Select   = "select"
	Export   = "export"
	SFT      = "sft"
	GRPO     = "grpo"
	Serving  = "serve"
	Hybrid   = "hybrid"
	Compare  = "teacher"
	Evaluate = "eval"
	Auditing = "audit"
)

// Folders and files that stages leave for one another.
const (
	weights   = Out + FitStage + "/weights.json"
	trainSet  = Out + TaskMake + "/train.jsonl"
	trainGold = Out + TaskMake + "/train-gold.jsonl"
	testSet   = Out + TaskMake + "/test.jsonl"
	testGold  = Out + TaskMake + "/test-gold.jsonl"
	runs      = Out + Synth + "/run.db"
	selection = Out + Select + "/selection"
	sftRows   = Out + Export + "/sft"
	grpoRows  = Out + Export + "/grpo"
	answers   = Out + Serving + "/student.db"
	ranked    = Out + Serving + "/student.jsonl"
	planned   = Out + Hybrid + "/hybrid.db"
	taught    = Out + Compare + "/teacher.db"
)

// plan is settings with what follows from them.
type plan struct {
	Settings
	data, sealed string // the data set, and the file in it that seals it
	team         string // its file; "": the full team
	model        string // the teacher's
	student      string // the checkpoint that is asked and measured; "": none
}

// Stages are the stages of the settings, in order. Without says why no student
// is trained although the settings ask for one; "": one is.
func (s Settings) Stages(without string) []Stage {
	p := plan{Settings: s, data: Out + Import + "/data", model: s.Teacher.Model}
	if s.Data != "" {
		p.data = home(s.Data)
	}
	p.sealed = p.data + "/manifest.json"
	switch s.Team {
	case "full":
	case "lean":
		p.team = Out + LeanTeam
	default:
		p.team = home(s.Team)
	}
	if path, ok := strings.CutPrefix(p.model, "builtin:"); ok {
		p.model = "builtin:" + home(path)
	} else if p.model == "builtin" && *s.Fit {
		p.model = "builtin:" + weights
	}
	if s.Train.Off {
		without = "train is false"
	}
	if without == "" {
		p.student = Out + SFT + "/student"
		if !s.GRPO.Off {
			p.student = Out + GRPO + "/student"
		}
	}
	return []Stage{p.imports(), p.fits(), p.makes(), p.synth(), p.selects(), p.exports(without),
		p.sft(without), p.grpo(without), p.serves(without), p.plans(without), p.compares(), p.evaluates(), p.audits()}
}

// LeanTeam is the file, in the pipeline's folder, of the team called lean.
const LeanTeam = "lean.yaml"

// leanSignals are those of the rankings that the lean team asks for.
func leanSignals() []string {
	return []string{"item_cf", "item_cf_recent", "item_cf_last", "user_cf", "popularity", "popularity_recent"}
}

// home is a file that the configuration names.
func home(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return Home + filepath.ToSlash(path)
}

// off is a stage that there is not.
func off(name, why string) Stage { return Stage{Name: name, Off: why} }

func (p plan) imports() Stage {
	if p.Data != "" {
		return off(Import, "data is a data set already")
	}
	args := []string{"import", "--in", home(p.Source), "--format", p.Format, "--name", p.Name, "--out", p.data}
	for _, role := range slices.Sorted(maps.Keys(p.Map)) {
		args = append(args, "--map", role+"="+p.Map[role])
	}
	return Stage{Name: Import, Commands: []Command{{Args: args}}, Inputs: []string{home(p.Source)},
		Outputs: []string{"data/manifest.json", "data/graph.bin", "data/catalog.db"}}
}

func (p plan) fits() Stage {
	if !*p.Fit {
		return off(FitStage, "fit is false")
	}
	args := []string{"fit", "--data", p.data, "--before", p.Tasks.TrainFrom, "--seed", p.seed(), "--out", weights}
	if len(p.Signals) > 0 {
		args = append(args, "--signals", strings.Join(p.Signals, ","), "--forms", "standard")
	}
	return Stage{Name: FitStage, Inputs: []string{p.sealed}, Outputs: []string{"weights.json"}, Commands: []Command{{Args: args}}}
}

func (p plan) makes() Stage {
	set := func(limit, perUser int, out, gold string, when ...string) Command {
		args := append([]string{"tasks", "--data", p.data}, when...)
		args = append(args, "--scenario", p.Tasks.Scenario, "--negatives", p.Tasks.Negatives, "--per-user", strconv.Itoa(perUser), "--seed", p.seed())
		if limit > 0 {
			args = append(args, "--limit", strconv.Itoa(limit))
		}
		return Command{Args: append(args, "--out", out, "--gold", gold)}
	}
	before := []string{"--after", p.Tasks.TrainFrom, "--before", p.Tasks.TestFrom}
	if p.Tasks.Apart {
		before = append(before, "--apart")
	}
	return Stage{Name: TaskMake, Inputs: []string{p.sealed},
		Commands: []Command{
			set(p.Tasks.Limit, p.Tasks.PerUser, trainSet, trainGold, before...),
			set(p.Tasks.TestLimit, p.Tasks.TestUser, testSet, testGold, "--after", p.Tasks.TestFrom),
		},
		Outputs: []string{"train.jsonl", "train-gold.jsonl", "test.jsonl", "test-gold.jsonl"}}
}

func (p plan) synth() Stage {
	s := p.teaches(Synth, trainSet, runs)
	if p.Teacher.Samples > 1 {
		s.Commands[0].Args = append(s.Commands[0].Args, "--samples", strconv.Itoa(p.Teacher.Samples))
	}
	return s
}

// compares lets the teacher work on the test tasks: what the student is held to.
func (p plan) compares() Stage { return p.teaches(Compare, testSet, taught) }

func (p plan) teaches(name, tasks, out string) Stage {
	c := Command{
		Args:  append([]string{"synth", "--data", p.data, "--tasks", tasks, "--model", p.model, "--seed", p.seed(), "--out", out}, p.members(true)...),
		Aside: []string{"--concurrency", strconv.Itoa(p.Teacher.Concurrency)},
	}
	if p.Teacher.Temperature != nil {
		c.Args = append(c.Args, "--temperature", number(*p.Teacher.Temperature))
	}
	if p.Teacher.BaseURL != "" {
		c.Aside = append(c.Aside, "--base-url", p.Teacher.BaseURL)
	}
	if p.Teacher.KeyFile != "" {
		c.Aside = append(c.Aside, "--api-key-file", home(p.Teacher.KeyFile))
	}
	in := append([]string{p.sealed, tasks}, p.teamFiles(true)...)
	if path, ok := strings.CutPrefix(p.model, "builtin:"); ok {
		in = append(in, path)
	}
	return Stage{Name: name, Commands: []Command{c}, Inputs: in, Outputs: []string{filepath.Base(out)}, Resumes: true, Lasts: true}
}

func (p plan) selects() Stage {
	if p.Filters == "none" {
		return off(Select, "filters is none: all that is well formed is trained on")
	}
	s := Stage{Name: Select, Inputs: []string{runs, trainGold}, Outputs: []string{"selection"}}
	args := []string{"select", runs, "--gold", trainGold, "--out", selection}
	if p.Filters != "gold-first" {
		args = append(args, "--policy", home(p.Filters))
		s.Inputs = append(s.Inputs, home(p.Filters))
	}
	s.Commands = []Command{{Args: args}}
	return s
}

func (p plan) exports(without string) Stage {
	s := Stage{Name: Export, Inputs: []string{runs, trainGold}, Outputs: []string{"sft"}}
	told := []string{"--detail", p.Train.Told.Detail}
	if p.Train.Told.Parallel {
		told = append(told, "--parallel-calls")
	}
	if p.Train.Told.Template != "" {
		told = append(told, "--template", p.Train.Told.Template)
	}
	sft := append([]string{"export", runs, "--gold", trainGold, "--for", "trl-sft", "--out", sftRows}, told...)
	if p.Filters == "none" {
		sft = append(sft, "--all")
	} else {
		sft = append(sft, "--selection", selection)
		s.Inputs = append(s.Inputs, selection)
	}
	s.Commands = []Command{{Args: sft}}
	if without == "" && !p.GRPO.Off {
		s.Commands = append(s.Commands, Command{Args: append([]string{"export", runs, "--gold", trainGold, "--for", "trl-grpo", "--all", "--out", grpoRows}, told...)})
		s.Outputs = append(s.Outputs, "grpo")
	}
	return s
}

func (p plan) seed() string { return strconv.Itoa(p.Seed) }

// members are the flags that say who is in the team.
func (p plan) members(prompts bool) []string {
	var args []string
	if p.team != "" {
		args = append(args, "--team", p.team)
	}
	if prompts && p.Prompts != "" {
		args = append(args, "--prompts", home(p.Prompts))
	}
	return args
}

// teamFiles are the files that those flags name.
func (p plan) teamFiles(prompts bool) []string {
	var files []string
	args := p.members(prompts)
	for i := 1; i < len(args); i += 2 {
		files = append(files, args[i])
	}
	return files
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
