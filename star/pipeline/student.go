package pipeline

import (
	"cmp"
	"strconv"
	"strings"
)

// sft trains the student on the selected rows.
func (p plan) sft(without string) Stage {
	if without != "" {
		return off(SFT, without)
	}
	args := []string{"train", "sft", sftRows, "--out", Out + SFT + "/student", "--preset", p.Train.Told.Preset, "--seed", p.trainingSeed()}
	in := []string{sftRows}
	if t := p.Train.Told; t.FromScratch != "" {
		args = append(args, "--from-scratch", t.FromScratch)
	} else {
		model := t.Model
		if strings.HasPrefix(model, ".") { // a checkpoint, not a name
			model = home(model)
		}
		args = append(args, "--model", model)
	}
	return p.trains(SFT, append(args, p.SFT.args()...), in)
}

// grpo trains it further, in the environment.
func (p plan) grpo(without string) Stage {
	switch {
	case without != "":
		return off(GRPO, without)
	case p.GRPO.Off:
		return off(GRPO, "grpo is false")
	}
	sft := Out + SFT + "/student"
	args := []string{"train", "grpo", grpoRows, "--model", sft, "--out", Out + GRPO + "/student", "--preset", p.Train.Told.Preset, "--seed", p.trainingSeed(),
		"--data", p.data, "--tasks", trainSet, "--gold", trainGold}
	args = append(append(args, p.members(false)...), p.GRPO.Told.args()...)
	return p.trains(GRPO, args, append([]string{grpoRows, sft + "/training.json", sft + "/model.safetensors", p.sealed, trainSet, trainGold}, p.teamFiles(false)...))
}

func (p plan) trainingSeed() string {
	if s := p.Train.Told.Seed; s != nil {
		return strconv.Itoa(*s)
	}
	return p.seed()
}

func (p plan) trains(name string, args, in []string) Stage {
	return Stage{Name: name, Commands: []Command{{Args: args, Aside: p.python()}}, Inputs: in, Resumes: true, Python: true,
		Outputs: []string{"student/model.safetensors", "student/training.json"}}
}

// python are the flags that say where the trainer is.
func (p plan) python() []string {
	var args []string
	if t := p.Train.Told; t.Python != "" {
		args = append(args, "--python", t.Python)
	}
	if t := p.Train.Told; t.TorchIndex != "" {
		args = append(args, "--torch-index", t.TorchIndex)
	}
	if p.Train.Told.GPU {
		args = append(args, "--gpu")
	}
	return args
}

func (s Stint) args() []string {
	var args []string
	if s.Minutes > 0 {
		args = append(args, "--minutes", number(s.Minutes))
	}
	if s.LoRA > 0 {
		args = append(args, "--lora", strconv.Itoa(s.LoRA))
	}
	for _, one := range s.Set {
		args = append(args, "--set", one)
	}
	return args
}

// serves asks the student about the test tasks.
func (p plan) serves(without string) Stage {
	f := p.Serve.Told
	switch {
	case p.Serve.Off:
		return off(Serving, "serve is false")
	case without != "" && f.Model == "":
		return off(Serving, without+", and serve.model names no student")
	case f.Batch > 0:
		return p.answersInBatches()
	}
	c := Command{
		Args: append([]string{"synth", "--student", "--data", p.data, "--tasks", testSet, "--detail", p.Train.Told.Detail, "--seed", p.seed(),
			"--max-tokens", strconv.Itoa(f.MaxTokens), "--max-failures", "0", "--out", answers}, p.members(false)...),
		Aside: []string{"--concurrency", strconv.Itoa(f.Concurrency)},
	}
	s := Stage{Name: Serving, Inputs: append([]string{p.sealed, testSet}, p.teamFiles(false)...), Outputs: []string{"student.db"}, Resumes: true, Lasts: true}
	if f.Model != "" {
		c.Args = append(c.Args, "--model", f.Model)
	} else {
		c.Args = append(c.Args, "--model", "openai:star", "--response-format", "text")
		s.Serves, s.Python, s.Ranking = p.student, true, f.Ranking
		s.Inputs = append(s.Inputs, p.student+"/model.safetensors", p.student+"/training.json")
	}
	if f.Model != "builtin" {
		c.Args = append(c.Args, "--temperature", number(f.Temperature))
	}
	if f.KeyFile != "" {
		c.Aside = append(c.Aside, "--api-key-file", home(f.KeyFile))
	}
	s.Commands = []Command{c}
	return s
}

// answersInBatches asks the student without a server.
func (p plan) answersInBatches() Stage {
	f := p.Serve.Told
	c := Command{
		Args: append([]string{"train", "evaluate", p.student, "--data", p.data, "--tasks", testSet, "--gold", testGold, "--detail", p.Train.Told.Detail,
			"--max-tokens", strconv.Itoa(f.MaxTokens), "--ranking", f.Ranking, "--out", ranked}, p.members(false)...),
		Aside: append([]string{"--batch", strconv.Itoa(f.Batch)}, p.python()...),
	}
	in := append([]string{p.sealed, testSet, testGold, p.student + "/model.safetensors", p.student + "/training.json"}, p.teamFiles(false)...)
	return Stage{Name: Serving, Commands: []Command{c}, Inputs: in, Outputs: []string{"student.jsonl"}, Python: true}
}

// plans lets the student plan for the teacher's team on the test tasks.
func (p plan) plans(without string) Stage {
	f := p.Serve.Told
	switch {
	case !p.Hybrid:
		return off(Hybrid, "hybrid is false")
	case without != "" && f.Model == "":
		return off(Hybrid, without+", and serve.model names no student")
	}
	model := p.model
	if p.Teacher.BaseURL != "" {
		model += "@" + p.Teacher.BaseURL
	}
	s := p.teaches(Hybrid, testSet, planned)
	c := Command{
		Args: append([]string{"synth", "--data", p.data, "--tasks", testSet, "--model", model, "--model-for", "planner=student:" + cmp.Or(f.Model, "openai:star"),
			"--detail", p.Train.Told.Detail, "--seed", p.seed(), "--max-tokens", strconv.Itoa(f.MaxTokens), "--temperature", number(f.Temperature),
			"--max-failures", "0", "--out", planned}, p.members(true)...),
		Aside: []string{"--concurrency", strconv.Itoa(f.Concurrency)},
	}
	if key := cmp.Or(f.KeyFile, p.Teacher.KeyFile); key != "" {
		c.Aside = append(c.Aside, "--api-key-file", home(key))
	}
	if f.Model == "" {
		s.Serves, s.Python, s.Ranking = p.student, true, f.Ranking
		s.Inputs = append(s.Inputs, p.student+"/model.safetensors", p.student+"/training.json")
	}
	s.Commands = []Command{c}
	return s
}

// answered is what the student answered: its runs, or its rankings.
func (p plan) answered() string {
	if p.Serve.Told.Batch > 0 {
		return ranked
	}
	return answers
}

// evaluates measures student and teacher on the test tasks.
func (p plan) evaluates() Stage {
	args := []string{"eval"}
	in := []string{testSet, testGold, taught}
	if !p.Serve.Off && (p.student != "" || p.Serve.Told.Model != "") {
		args = append(args, "student="+p.answered())
		in = append(in, p.answered())
	}
	if p.Hybrid && (p.student != "" || p.Serve.Told.Model != "") {
		args = append(args, "hybrid="+planned)
		in = append(in, planned)
	}
	args = append(args, "teacher="+taught, "--gold", testGold, "--tasks", testSet, "--seed", p.seed(), "--measure", p.Eval.Measure, "--out", Out+Evaluate+"/results")
	if *p.Eval.Baselines {
		args = append(args, "--baselines")
	}
	if *p.Fit {
		args = append(args, "--weights", weights)
		in = append(in, weights)
	}
	return Stage{Name: Evaluate, Commands: []Command{{Args: args}}, Inputs: in, Outputs: []string{"results/results.json"}}
}

// audits looks for leaks in the runs and in the rows.
func (p plan) audits() Stage {
	if p.Audit.Off {
		return off(Auditing, "audit is false")
	}
	derive := strconv.Itoa(p.Audit.Told.Derive)
	return Stage{Name: Auditing, Inputs: []string{runs, sftRows, trainGold}, Outputs: []string{"runs.md", "rows.md"},
		Commands: []Command{
			{Args: []string{"audit", runs, "--gold", trainGold, "--derive", derive, "--page", Out + Auditing + "/runs.md"}},
			{Args: []string{"audit", sftRows, "--runs", runs, "--gold", trainGold, "--page", Out + Auditing + "/rows.md"}},
		}}
}
