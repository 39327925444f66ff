package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mars-rec/mars/star/pipeline"
)

// kitchen is a pipeline of two cheap stages with a dear one between them. A
// command line is FILE and what to read; the stage's file is what it read, in
// capitals, and how it was told to write.
type kitchen struct {
	t      *testing.T
	home   string
	style  string
	only   string
	from   string
	dry    bool
	broken string // stage that fails in its middle
	ran    []string
}

func newKitchen(t *testing.T) *kitchen {
	k := &kitchen{t: t, home: t.TempDir(), style: "plain"}
	k.write("source", "one")
	return k
}

func (k *kitchen) write(name, text string) {
	k.t.Helper()
	if err := os.WriteFile(filepath.Join(k.home, name), []byte(text), 0o644); err != nil {
		k.t.Fatal(err)
	}
}

func (k *kitchen) read(name string) string {
	b, _ := os.ReadFile(filepath.Join(k.home, name))
	return string(b)
}

func (k *kitchen) stages() []pipeline.Stage {
	one := func(name, in string, args ...string) pipeline.Stage {
		return pipeline.Stage{Name: name, Inputs: []string{in}, Outputs: []string{"file"},
			Commands: []pipeline.Command{{Args: append([]string{in}, args...), Aside: []string{"--fast"}}}}
	}
	dear := one("dear", pipeline.Out+"first/file", "--style", k.style)
	dear.Resumes = true
	return []pipeline.Stage{one("first", pipeline.Home+"source"), dear, one("last", pipeline.Out+"dear/file")}
}

var errBroken = errors.New("broken")

func (k *kitchen) do(_ context.Context, job pipeline.Job) error {
	told := job.Name
	if job.Resumed {
		told += " resumed"
	}
	k.ran = append(k.ran, told)
	text, err := os.ReadFile(job.Lines[0][0])
	if err != nil {
		return err
	}
	out := filepath.Join(job.Folder, "file")
	if left, err := os.ReadFile(out); err == nil && !job.Resumed {
		k.t.Errorf("%s found %q in its folder", job.Name, left)
	}
	if job.Name == k.broken {
		return errors.Join(os.WriteFile(out, []byte("half"), 0o644), errBroken)
	}
	style := ""
	if len(job.Lines[0]) > 2 {
		style = " " + job.Lines[0][2]
	}
	return os.WriteFile(out, []byte(strings.ToUpper(strings.TrimSpace(string(text)))+style), 0o644)
}

// run runs the pipeline and returns what ran, and what became of the stages.
func (k *kitchen) run() (ran string, outcomes string, err error) {
	k.t.Helper()
	k.ran = nil
	all, err := pipeline.Run(k.t.Context(), k.stages(), pipeline.Config{
		Dir: filepath.Join(k.home, "out"), Home: k.home, Do: k.do, Only: k.only, From: k.from, Dry: k.dry,
	})
	var told []string
	for _, o := range all {
		told = append(told, fmt.Sprintf("%s %s: %s", o.Stage, o.Status, o.Why))
	}
	return strings.Join(k.ran, ", "), strings.Join(told, "\n"), err
}

// expect runs the pipeline and compares what ran; told are parts of what is
// said of the stages.
func (k *kitchen) expect(ran string, told ...string) {
	k.t.Helper()
	got, outcomes, err := k.run()
	if err != nil {
		k.t.Fatal(err)
	}
	if got != ran {
		k.t.Fatalf("ran %q, want %q:\n%s", got, ran, outcomes)
	}
	for _, part := range told {
		if !strings.Contains(outcomes, part) {
			k.t.Fatalf("no %q in\n%s", part, outcomes)
		}
	}
}

func TestWhatHasNotChangedIsSkipped(t *testing.T) {
	k := newKitchen(t)
	k.expect("first, dear, last", "first ran: it never ran")
	if got := k.read("out/last/file"); got != "ONE PLAIN" {
		t.Fatalf("the last stage made %q", got)
	}
	k.expect("", "first skipped: nothing has changed", "last skipped")

	k.write("source", "one ") // which comes out the same
	k.expect("first", "first ran: source has changed", "dear skipped")
	k.write("source", "two")
	k.expect("first, dear, last", "dear ran: first/file has changed")

	k.write("out/last/file", "damaged")
	k.expect("last", "last ran: file was changed")
	if err := os.Remove(filepath.Join(k.home, "out", "first", "file")); err != nil {
		t.Fatal(err)
	}
	k.expect("first", "first ran: file is gone")
	moved := t.TempDir()
	if err := os.Rename(k.home, filepath.Join(moved, "elsewhere")); err != nil {
		t.Fatal(err)
	}
	k.home = filepath.Join(moved, "elsewhere")
	k.expect("")
}

func TestWhatIsDearComesBack(t *testing.T) {
	k := newKitchen(t)
	k.expect("first, dear, last")
	k.style = "fancy"
	k.expect("dear, last", "dear ran: the settings have changed: --style fancy")
	k.style = "plain"
	k.expect("last", "dear back: ")
	k.style = "fancy"
	k.expect("last", "dear back: ")
	k.expect("")

	// What was set aside half done is gone on with.
	k.style, k.broken = "bold", "dear"
	if _, _, err := k.run(); !errors.Is(err, errBroken) {
		t.Fatal(err)
	}
	k.style, k.broken = "fancy", ""
	k.expect("", "dear back: ")
	k.style = "bold"
	k.expect("dear resumed, last")
}

func TestAfterAFailureItGoesOn(t *testing.T) {
	for _, c := range []struct{ broken, then string }{
		{"first", "first, dear, last"},
		{"dear", "dear resumed, last"},
		{"last", "last"},
	} {
		k := newKitchen(t)
		k.broken = c.broken
		_, _, err := k.run()
		var at *pipeline.StageError
		if !errors.As(err, &at) || at.Stage != c.broken || !errors.Is(err, errBroken) {
			t.Fatalf("%s: %v", c.broken, err)
		}
		k.broken = ""
		k.expect(c.then, c.broken+" ran: it did not come to its end")
		k.expect("")
	}
}

func TestPartsOfAPipeline(t *testing.T) {
	k := newKitchen(t)
	k.dry = true
	k.expect("", "first would run: it never ran", "dear depends: on what first comes to", "last depends: on what dear comes to")
	if _, err := os.Stat(filepath.Join(k.home, "out")); !errors.Is(err, os.ErrNotExist) {
		t.Fatal("a dry run made a folder")
	}
	k.dry, k.only = false, "dear"
	if _, _, err := k.run(); !errors.Is(err, pipeline.ErrInput) {
		t.Fatal(err)
	}
	k.only = ""
	k.expect("first, dear, last")
	k.write("source", "two")
	k.from = "dear"
	k.expect("", "first left", "dear skipped")
	k.from, k.only = "", "first"
	k.expect("first", "dear left", "last left")
	k.only = "oven"
	if _, _, err := k.run(); err == nil || !strings.Contains(err.Error(), "there are first, dear, last") {
		t.Fatal(err)
	}
}

func TestWhatIsNotAPipelinesIsLeftAlone(t *testing.T) {
	k := newKitchen(t)
	if err := os.Mkdir(filepath.Join(k.home, "out"), 0o755); err != nil {
		t.Fatal(err)
	}
	k.write("out/thesis", "years of work")
	if _, _, err := k.run(); !errors.Is(err, pipeline.ErrForeign) {
		t.Fatal(err)
	}
	if k.read("out/thesis") == "" {
		t.Fatal("the folder was emptied")
	}
}

func TestOneProcessAtATime(t *testing.T) {
	k := newKitchen(t)
	var inner error
	cfg := pipeline.Config{Dir: filepath.Join(k.home, "out"), Home: k.home}
	cfg.Do = func(ctx context.Context, job pipeline.Job) error {
		if job.Name == "first" {
			_, inner = pipeline.Run(ctx, k.stages(), cfg)
		}
		return k.do(ctx, job)
	}
	if _, err := pipeline.Run(t.Context(), k.stages(), cfg); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(inner, pipeline.ErrBusy) {
		t.Fatalf("a second pipeline at the same time: %v", inner)
	}
}

func TestSettings(t *testing.T) {
	for _, c := range []struct{ yaml, want string }{
		{"", "it is empty"},
		{"seed: 1", "want source"},
		{"source: a\ndata: b", "one of the two"},
		{"source: a\nfilter: none", `line 2: there is no key "filter" here: there are source`},
		{"source: a\ntrain: {size: 2m}", `line 2: there is no key "size" under train: there are from_scratch`},
		{"source: a\nsource: b", "line 2: source is there twice"},
		{"source: a\ntasks: 3", "line 2: want keys and values under tasks"},
		{"source: a\ngrpo: maybe", "line 2: want false, or keys and values"},
		{"source: a\nseed: many", "line 2: cannot unmarshal"},
		{"source: a\ntrain: {from_scratch: 2m, model: x}", "two students"},
		{"source: a\nteacher: {samples: 0}", "samples and concurrency are 1 or more"},
		{"source: a\nserve: {batch: 8, model: builtin}", "batch is of the student that is trained here"},
		{"source: a\nserve: {batch: 8, temperature: 1}", "batch is of the student that is trained here"},
		{"source: a\nhybrid: true\nserve: false", "hybrid needs the student"},
		{"source: a\nhybrid: true\nteacher: {model: 'openai:x'}", "want teacher.base_url"},
		{"source: a\nserve: {batch: -1}", "not negative"},
		{"source: a\n---\nsource: b", "more than one document"},
		{"source: [", "line 1"},
	} {
		path := filepath.Join(t.TempDir(), "c.yaml")
		if err := os.WriteFile(path, []byte(c.yaml), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := pipeline.Read(path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.yaml, err, c.want)
		}
	}
}

// lines are the command lines of the stages of a configuration, by stage.
func lines(t *testing.T, yaml, without string) map[string]string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ml.yaml")
	if err := os.WriteFile(path, []byte(yaml), 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := pipeline.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, stage := range s.Stages(without) {
		for _, c := range stage.Commands {
			all[stage.Name] += strings.Join(slices.Concat(c.Args, c.Aside), " ") + "\n"
		}
		if stage.Off != "" {
			all[stage.Name] = "off: " + stage.Off
		}
	}
	return all
}

func TestStages(t *testing.T) {
	for _, c := range []struct{ name, yaml, without, stage, want string }{
		{"one line", "source: log.csv", "", "import", "import --in $config/log.csv --format auto --name ml --out $out/import/data\n"},
		{"the fit is the teacher's", "source: a", "", "synth", "--model builtin:$out/fit/weights.json"},
		{"a student from nothing", "source: a", "", "sft", "train sft $out/export/sft --out $out/sft/student --preset scratch --seed 42 --from-scratch 2m"},
		{"is told little", "source: a", "", "export", "--detail brief"},
		{"by weights of what it sees", "source: a", "", "fit", "--signals item_cf,item_cf_recent,item_cf_last,user_cf,popularity,popularity_recent --forms standard"},
		{"a team of one's own shows what it shows", "source: a\nteam: t.yaml", "", "fit", "fit --data $out/import/data --before q60 --seed 42 --out $out/fit/weights.json\n"},
		{"users are kept apart", "source: a", "", "tasks", "--after q60 --before q80 --apart --scenario"},
		{"or not", "source: a\ntasks: {apart: false}", "", "tasks", "--after q60 --before q80 --scenario"},
		{"by a lean team", "source: a", "", "synth", "--team $out/lean.yaml"},
		{"GRPO goes on from there", "source: a", "", "grpo", "--model $out/sft/student"},
		{"the last one is measured", "source: a", "", "serve", "--model openai:star"},
		{"SFT only", "source: a\ngrpo: false", "", "grpo", "off: grpo is false"},
		{"no filter", "source: a\nfilters: none", "", "export", "--all"},
		{"gold first", "source: a", "", "export", "--selection $out/select/selection"},
		{"a policy", "source: a\nfilters: p.yaml", "", "select", "--policy $config/p.yaml"},
		{"parallel calls", "source: a\ntrain: {parallel_calls: true}", "", "export", "--detail brief --parallel-calls --template"},
		{"another team", "source: a\nteam: t.yaml", "", "grpo", "--team $config/t.yaml"},
		{"a large student", "source: a\ntrain: {model: Qwen/Qwen3-8B}", "", "sft", "--preset paper --seed 42 --model Qwen/Qwen3-8B"},
		{"a model of the teacher", "source: a\nteacher: {model: 'openai:x', base_url: 'http://h/v1'}", "", "synth", "--model openai:x"},
		{"needs no fit", "source: a\nteacher: {model: 'openai:x'}", "", "fit", "off: fit is false"},
		{"no training", "source: a\ntrain: false", "", "sft", "off: train is false"},
		{"then no student", "source: a\ntrain: false", "", "serve", "off: train is false, and serve.model names no student"},
		{"unless one is served", "source: a\ntrain: false\nserve: {model: builtin}", "", "eval", "eval student=$out/serve/student.db teacher="},
		{"no Python", "source: a", "there is no Python", "grpo", "off: there is no Python"},
		{"in batches", "source: a\nserve: {batch: 96, ranking: distinct}\ntrain: {python: py}", "", "serve",
			"train evaluate $out/grpo/student --data $out/import/data --tasks $out/tasks/test.jsonl --gold $out/tasks/test-gold.jsonl --detail brief" +
				" --max-tokens 1024 --ranking distinct --out $out/serve/student.jsonl --team $out/lean.yaml --batch 96 --python py\n"},
		{"in batches, then rankings are measured", "source: a\nserve: {batch: 96}", "", "eval", "eval student=$out/serve/student.jsonl teacher="},
		{"no student for batches", "source: a\ntrain: false\nserve: {batch: 96}", "", "serve", "off: train is false"},
		{"no hybrid", "source: a", "", "hybrid", "off: hybrid is false"},
		{"a hybrid", "source: a\nhybrid: true", "", "hybrid", "synth --data $out/import/data --tasks $out/tasks/test.jsonl --model builtin:$out/fit/weights.json" +
			" --model-for planner=student:openai:star --detail brief --seed 42 --max-tokens 4096 --temperature 0 --max-failures 0 --out $out/hybrid/hybrid.db --team $out/lean.yaml"},
		{"a hybrid of two servers", "source: a\nhybrid: true\nteacher: {model: 'openai:x', base_url: 'http://h/v1'}", "", "hybrid", "--model openai:x@http://h/v1 --model-for planner=student:openai:star "},
		{"a hybrid without Python", "source: a\nhybrid: true", "there is no Python", "hybrid", "off: there is no Python"},
		{"a hybrid of one that is served", "source: a\nhybrid: true\nserve: {model: 'openai:s@http://h/v1'}", "there is no Python", "hybrid", "planner=student:openai:s@http://h/v1"},
		{"the hybrid is measured", "source: a\nhybrid: true\nserve: {batch: 8}", "", "eval", "eval student=$out/serve/student.jsonl hybrid=$out/hybrid/hybrid.db teacher="},
		{"data that are there", "data: /ml", "", "tasks", "tasks --data /ml --after q60 --before q80"},
	} {
		if got := lines(t, c.yaml, c.without)[c.stage]; !strings.Contains(got, c.want) {
			t.Errorf("%s: %s is %q, want %q in it", c.name, c.stage, got, c.want)
		}
	}
}

// TestTheExampleTellsTheDefaults: what the example says is what holds where
// nothing is said.
func TestTheExampleTellsTheDefaults(t *testing.T) {
	all, err := os.ReadFile(filepath.Join("..", "..", "examples", "pipeline", "all.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	want := lines(t, "source: ../../demo/source\nout: all", "")
	for stage, got := range lines(t, string(all), "") {
		if got != want[stage] {
			t.Errorf("%s: the example makes\n%s, the defaults are\n%s", stage, got, want[stage])
		}
	}
}

// TestAblations: each configuration differs from the base in one thing, and in
// no task.
func TestAblations(t *testing.T) {
	folder := filepath.Join("..", "..", "examples", "pipeline", "ablations")
	base, err := os.ReadFile(filepath.Join(folder, "base.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	want := lines(t, string(base), "")
	for name, changed := range map[string]string{
		"gold-first": "select", "rule-teacher": "fit", "grpo": "grpo", "5m": "sft", "1m": "sft", "seed-43": "sft", "seed-44": "sft",
		"no-reflection": "synth", "no-tools": "synth", "raw": "export", "hybrid": "hybrid",
	} {
		text, err := os.ReadFile(filepath.Join(folder, name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		got := lines(t, string(text), "")
		if got["tasks"] != want["tasks"] {
			t.Errorf("%s: other tasks: %s", name, got["tasks"])
		}
		if got[changed] == want[changed] {
			t.Errorf("%s: %s is that of the base: %s", name, changed, got[changed])
		}
	}
}

// TestTheServersSettingsAreTheStages: a stage whose model server reads rankings
// otherwise is asked again, and says why.
func TestTheServersSettingsAreTheStages(t *testing.T) {
	home, ran := t.TempDir(), 0
	run := func(ranking string) (pipeline.Outcome, error) {
		stage := pipeline.Stage{Name: "serve", Serves: "student", Ranking: ranking, Outputs: []string{"file"},
			Commands: []pipeline.Command{{Args: []string{"synth"}}}}
		all, err := pipeline.Run(t.Context(), []pipeline.Stage{stage}, pipeline.Config{Dir: filepath.Join(home, "out"), Home: home,
			Do: func(_ context.Context, job pipeline.Job) error {
				ran++
				return os.WriteFile(filepath.Join(job.Folder, "file"), []byte(job.Ranking), 0o644)
			}})
		return all[0], err
	}
	for i, c := range []struct {
		ranking string
		ran     int
		why     string
	}{
		{"free", 1, "it never ran"},
		{"free", 1, "nothing has changed"},
		{"first", 2, "the settings have changed: --ranking first"},
	} {
		o, err := run(c.ranking)
		if err != nil || ran != c.ran || o.Why != c.why {
			t.Errorf("%d: %s %s: %s, after %d runs, %v", i, o.Stage, o.Status, o.Why, ran, err)
		}
	}
}
