package pipeline

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/mars-rec/mars/star/training"
)

// Settings is a pipeline's configuration, as its YAML file says. What is not
// said is filled in by [Read].
type Settings struct {
	// Name is what the data set is called; the file's name without .yaml.
	Name string `yaml:"-"`

	Source string            `yaml:"source"` // what mars import reads; or
	Data   string            `yaml:"data"`   // a data set directory that is there
	Format string            `yaml:"format"` // of Source; "auto"
	Map    map[string]string `yaml:"map"`    // columns of Source, by role

	Out     string `yaml:"out"` // the pipeline's folder; the file's name without .yaml
	Seed    int    `yaml:"seed"`
	Team    string `yaml:"team"`    // YAML file; "lean": the team for a student from nothing; "full"
	Prompts string `yaml:"prompts"` // folder

	Tasks Tasks `yaml:"tasks"`
	Fit   *bool `yaml:"fit"` // builtin weighs its evidence by a fit on what was before the tasks
	// Signals are those that are fitted, as standard scores alone; nil: all, in
	// all forms, or those of the lean team's rankings. What no ranking shows, a
	// student who reads rankings cannot learn.
	Signals []string `yaml:"signals"`
	Teacher Teacher  `yaml:"teacher"`
	// Filters are "gold-first", the paper's; "none": all that is well formed; or
	// a policy of mars select.
	Filters string `yaml:"filters"`

	Train Switch[Train] `yaml:"train"`
	SFT   Stint         `yaml:"sft"`
	GRPO  Switch[Stint] `yaml:"grpo"`
	Serve Switch[Serve] `yaml:"serve"`
	// Hybrid also lets the student plan for the teacher's team, and measures that.
	Hybrid bool `yaml:"hybrid"`

	Eval  Eval          `yaml:"eval"`
	Audit Switch[Audit] `yaml:"audit"`
}

// Tasks says which tasks are made. Those of training lie before TestFrom, those
// of the test at it and after; a fit sees what lies before TrainFrom.
type Tasks struct {
	Scenario  string `yaml:"scenario"`
	Negatives string `yaml:"negatives"`
	PerUser   int    `yaml:"per_user"`
	TestUser  int    `yaml:"test_per_user"` // of the test, if other than PerUser
	Limit     int    `yaml:"limit"`         // users, for each of the two; 0: all
	TestLimit int    `yaml:"test_limit"`    // users of the test, if other than Limit
	TrainFrom string `yaml:"train_from"`
	TestFrom  string `yaml:"test_from"`
	// Apart leaves users who go on at TestFrom out of the tasks to train on: the
	// test is then on other users, too.
	Apart bool `yaml:"apart"`
}

// Teacher says who the teacher is.
type Teacher struct {
	Model       string   `yaml:"model"`
	BaseURL     string   `yaml:"base_url"`
	KeyFile     string   `yaml:"api_key_file"`
	Temperature *float64 `yaml:"temperature"`
	Samples     int      `yaml:"samples"`
	Concurrency int      `yaml:"concurrency"`
}

// Train says which student is trained, and where.
type Train struct {
	FromScratch string `yaml:"from_scratch"`   // a size; or
	Model       string `yaml:"model"`          // a checkpoint, or a name that transformers knows
	Detail      string `yaml:"detail"`         // full, brief or raw
	Parallel    bool   `yaml:"parallel_calls"` // what members did at once are parallel calls
	Template    string `yaml:"template"`       // chat template of the rows
	Preset      string `yaml:"preset"`
	Seed        *int   `yaml:"seed"` // of training, if other than that of everything
	// Optional lets the pipeline go on without a student where there is no
	// Python; otherwise that is an error.
	Optional   bool   `yaml:"optional"`
	Python     string `yaml:"python"`
	TorchIndex string `yaml:"torch_index"`
	GPU        bool   `yaml:"gpu"`
}

// Stint says how long and with what a stage of training works.
type Stint struct {
	Minutes float64  `yaml:"minutes"` // 0: to the end
	LoRA    int      `yaml:"lora"`
	Set     []string `yaml:"set"` // NAME=VALUE of TRL's configuration
}

// Serve says how the student is asked about the test tasks.
type Serve struct {
	// Batch, if not 0, lets the trainer answer so many tasks at once, greedily and
	// without a server: rankings alone, as far as they can be read. Otherwise each
	// answer is a recorded run, and one that is malformed is none.
	Batch int `yaml:"batch"`
	// Model is a student that is served already, openai:NAME@URL, or builtin;
	// "": the one that was trained, on a server that the pipeline starts.
	Model       string  `yaml:"model"`
	KeyFile     string  `yaml:"api_key_file"`
	MaxTokens   int     `yaml:"max_tokens"` // of a reply; with Batch, of a conversation
	Temperature float64 `yaml:"temperature"`
	Ranking     string  `yaml:"ranking"` // how a ranking is read: free, distinct or first, as mars train serve has it
	Concurrency int     `yaml:"concurrency"`
}

// Eval says what is measured.
type Eval struct {
	Baselines *bool  `yaml:"baselines"`
	Measure   string `yaml:"measure"`
}

// Audit says how much is audited.
type Audit struct {
	Derive int `yaml:"derive"` // runs that are made again; 0: all
}

// Switch is a part of the pipeline that may be turned off: false, true, or what
// it is told.
type Switch[T any] struct {
	Off  bool
	Told T
}

// UnmarshalYAML implements [yaml.Unmarshaler].
func (s *Switch[T]) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		on := true
		if err := n.Decode(&on); err != nil {
			return fmt.Errorf("line %d: want false, or keys and values", n.Line)
		}
		s.Off = !on
		return nil
	}
	return n.Decode(&s.Told)
}

func (s Switch[T]) told() any { return s.Told }

// maxConfig is the most bytes that a configuration may have.
const maxConfig = 1 << 20

// Read reads a configuration. It is read strictly: a key that there is not is an
// error that names its line.
func Read(path string) (Settings, error) {
	f, err := os.Open(path)
	if err != nil {
		return Settings{}, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return Settings{}, err
	}
	if len(text) > maxConfig {
		return Settings{}, fmt.Errorf("%s has more than %d bytes", path, maxConfig)
	}
	name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	s, err := parse(text, name)
	if err != nil {
		return s, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func parse(text []byte, name string) (Settings, error) {
	s := Settings{
		Name: name, Out: name, Format: "auto", Seed: 42, Filters: "gold-first",
		Tasks:   Tasks{Scenario: "all", Negatives: "uniform", PerUser: 3, TrainFrom: "q60", TestFrom: "q80", Apart: true},
		Teacher: Teacher{Model: "builtin", Samples: 1, Concurrency: 4},
		Serve:   Switch[Serve]{Told: Serve{Concurrency: 4, Ranking: "free"}},
		Audit:   Switch[Audit]{Told: Audit{Derive: 100}},
		Eval:    Eval{Measure: "mean_hr"},
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var file yaml.Node
	if err := dec.Decode(&file); errors.Is(err, io.EOF) {
		return s, errors.New("it is empty: want at least source, what mars import reads, or data, a data set")
	} else if err != nil {
		return s, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := dec.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return s, errors.New("there is more than one document")
	}
	if err := known(file.Content[0], s, ""); err != nil {
		return s, err
	}
	if err := file.Decode(&s); err != nil {
		var types *yaml.TypeError
		if errors.As(err, &types) {
			return s, errors.New(types.Errors[0])
		}
		return s, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	s.fill()
	return s, s.check()
}

// fill puts in what depends on what was said.
func (s *Settings) fill() {
	yes := true
	if s.Fit == nil {
		on := s.Teacher.Model == "builtin"
		s.Fit = &on
	}
	if s.Eval.Baselines == nil {
		s.Eval.Baselines = &yes
	}
	t := &s.Train.Told
	if t.FromScratch == "" && t.Model == "" && !s.Train.Off {
		t.FromScratch = "2m"
	}
	if s.Tasks.TestUser == 0 {
		s.Tasks.TestUser = s.Tasks.PerUser
	}
	if s.Tasks.TestLimit == 0 {
		s.Tasks.TestLimit = s.Tasks.Limit
	}
	if f := &s.Serve.Told; f.MaxTokens == 0 && f.Batch > 0 {
		f.MaxTokens = 1024
	} else if f.MaxTokens == 0 {
		f.MaxTokens = 4096
	}
	small := t.FromScratch != ""
	set := func(to *string, small, large string, isSmall bool) {
		if *to == "" && isSmall {
			*to = small
		} else if *to == "" {
			*to = large
		}
	}
	set(&t.Detail, "brief", "full", small)
	set(&t.Template, "qwen3-instruct-2507-training", "", small)
	set(&t.Preset, "scratch", "paper", small)
	set(&s.Team, "lean", "full", small)
	if s.Team == "lean" && s.Signals == nil {
		s.Signals = leanSignals()
	}
}

// check refuses what makes no sense.
func (s Settings) check() error {
	t := s.Train.Told
	switch {
	case (s.Source == "") == (s.Data == ""):
		return errors.New("want source, what mars import reads, or data, a data set that is there: one of the two")
	case s.Data != "" && (s.Format != "auto" || len(s.Map) > 0):
		return errors.New("format and map are of source, and there is none")
	case s.Out == "" || filepath.Clean(s.Out) == ".":
		return errors.New("out is the folder of the configuration: want a folder of its own")
	case t.FromScratch != "" && t.Model != "":
		return errors.New("train: from_scratch and model are two students: give one")
	case t.Detail != "full" && t.Detail != "brief" && t.Detail != "raw":
		return fmt.Errorf("train: detail is %q: want full, brief or raw", t.Detail)
	case s.Teacher.Samples < 1 || s.Teacher.Concurrency < 1 || s.Serve.Told.Concurrency < 1:
		return errors.New("samples and concurrency are 1 or more")
	case !slices.Contains(training.Rankings(), s.Serve.Told.Ranking):
		return fmt.Errorf("serve: ranking is %q: want one of %s", s.Serve.Told.Ranking, strings.Join(training.Rankings(), ", "))
	case s.Serve.Told.Batch < 0 || s.Serve.Told.MaxTokens < 0:
		return errors.New("serve: batch and max_tokens are not negative")
	case s.Serve.Told.Batch > 0 && (s.Serve.Told.Model != "" || s.Serve.Told.Temperature != 0):
		return errors.New("serve: batch is of the student that is trained here, and greedy: leave out batch, or model and temperature")
	case s.Hybrid && s.Serve.Off:
		return errors.New("hybrid needs the student that serve asks, and serve is false")
	case s.Hybrid && s.Teacher.BaseURL == "" && !strings.HasPrefix(s.Teacher.Model, "builtin"):
		return errors.New("hybrid has two models at work: want teacher.base_url, so that the student's server is not taken for the teacher's")
	case s.Tasks.PerUser < 1 || s.Tasks.TestUser < 1 || s.Tasks.Limit < 0 || s.Tasks.TestLimit < 0 || s.Audit.Told.Derive < 0:
		return errors.New("per_user is 1 or more, and limit and derive are not negative")
	case s.SFT.Minutes < 0 || s.GRPO.Told.Minutes < 0 || s.SFT.LoRA < 0 || s.GRPO.Told.LoRA < 0:
		return errors.New("minutes and lora are not negative")
	}
	return nil
}
