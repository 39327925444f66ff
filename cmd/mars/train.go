package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/star/environment"
	"github.com/mars-rec/mars/star/training"
)

// trainFlags are what `mars train` is told.
type trainFlags struct {
	place     placeFlags
	out       string
	model     string
	scratch   string
	preset    string
	set       []string
	lora      int
	seed      int
	minutes   float64
	resume    bool
	engine    string
	processes int
	env       string
	distinct  bool
	world     worldFlags
}

// placeFlags say where and with what the trainer's environment is made.
type placeFlags struct {
	python, index string
	gpu           bool
}

func (f *placeFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.python, "python", "", "Python 3.11 or newer to make the environment with (default: the one on the path)")
	c.Flags().StringVar(&f.index, "torch-index", os.Getenv("MARS_TORCH_INDEX"), "package index for PyTorch alone; that of PyTorch's own CPU builds makes the environment a third as large")
	c.Flags().BoolVar(&f.gpu, "gpu", false, "fetch what a GPU needs, also where none is seen")
}

// place is where the environment is.
func (f placeFlags) place(ctx context.Context) (training.Place, error) {
	cache, err := training.CacheDir()
	return training.Place{
		Cache: cache, Python: f.python, Index: f.index, GPU: f.gpu || training.HasGPU(ctx),
		System: runtime.GOOS + "/" + runtime.GOARCH,
	}, err
}

func trainCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "train",
		Short: "Train a student on exported rows, by TRL or verl",
		Long: strings.TrimSpace(`
Train a student: supervised fine-tuning (sft), then GRPO in the environment that
mars env serves (grpo), or one after the other (all). The trainer is a Python
package on TRL that is part of this program; its virtual environment is made on
first use, in the cache directory, and nothing outside of it is changed.

The configuration beside the rows holds; --preset goes over it, --set over both.
  paper    the hyper-parameters that are reported of the paper
  scratch  a small student made from nothing, on a CPU, in minutes
  smoke    a few steps, to see that everything is in its place

--out gets the checkpoint, metrics.jsonl with every number, and README.md, which
says what the student was made from and with. The first Ctrl-C ends training
after its step and saves; --resume goes on. docs/student.md has the whole way.`),
		Example: `  mars train sft sft --from-scratch 2m --preset scratch --out student
  mars train sft sft --model Qwen/Qwen3-8B --preset paper --lora 32 --out student
  mars train grpo grpo --model student --preset scratch --data data/ml --tasks tasks.jsonl --gold gold.jsonl --out student-grpo`,
		Args: knownCommand,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(trainPrepareCommand(a), trainSFTCommand(a), trainGRPOCommand(a), trainAllCommand(a), trainServeCommand(a), trainEvaluateCommand(a))
	return c
}

func trainPrepareCommand(a *app) *cobra.Command {
	var f placeFlags
	var force, ready bool
	c := &cobra.Command{
		Use:     "prepare",
		Short:   "Make the trainer's environment, and print its Python",
		Long:    "Make the virtual environment of the trainer in the cache directory, if it is not\nthere, and print the path of its Python. Training does the same on first use.",
		Example: "  mars train prepare\n  mars train prepare --python python3.12",
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			place, err := f.place(c.Context())
			if err != nil {
				return err
			}
			if python, ok, err := place.Ready(); ready && err == nil && !ok {
				return hinted(gatef("the trainer's environment is not made yet"), "mars train prepare makes it: it fetches %s", place.Size())
			} else if ready {
				return errors.Join(err, a.print(map[string]string{"python": python}, func(w io.Writer) { fmt.Fprintln(w, python) }))
			}
			if force {
				dir, err := place.Environment()
				if err == nil {
					err = os.RemoveAll(dir)
				}
				if err != nil {
					return err
				}
			}
			python, err := a.prepare(c.Context(), place)
			if err != nil {
				return err
			}
			return a.print(map[string]string{"python": python}, func(w io.Writer) { fmt.Fprintln(w, python) })
		},
	}
	f.add(c)
	c.Flags().BoolVar(&force, "force", false, "make it anew")
	c.Flags().BoolVar(&ready, "ready", false, "fetch nothing: exit code 3 if it is not there")
	return c
}

// prepare makes the environment, and says first what that takes.
func (a *app) prepare(ctx context.Context, place training.Place) (string, error) {
	if _, ok, err := place.Ready(); err == nil && !ok {
		dir, err := place.Environment()
		if err != nil {
			return "", err
		}
		a.notef("the trainer's environment is not there yet: it fetches %s, into %s", place.Size(), dir)
	}
	python, err := place.Prepare(ctx, func(what string) { a.notef("  %s", what) })
	if errors.Is(err, training.ErrPython) {
		err = hinted(err, "install one, or name it with --python; mars doctor tells what else is missing")
	}
	return python, err
}

// add adds the flags of both ways to train.
func (f *trainFlags) add(c *cobra.Command) {
	f.place.add(c)
	c.Flags().StringVar(&f.out, "out", "", "directory for the checkpoint, metrics and model card")
	c.Flags().StringVar(&f.model, "model", "", "checkpoint, or name of a model that transformers knows")
	c.Flags().StringVar(&f.preset, "preset", "", strings.Join(training.Presets(), ", "))
	c.Flags().StringArrayVar(&f.set, "set", nil, "a setting of TRL's configuration, NAME=VALUE; may be given many times")
	c.Flags().IntVar(&f.lora, "lora", 0, "train LoRA of this rank; 0 trains the whole model")
	c.Flags().IntVar(&f.seed, "seed", 42, "seed of all that is drawn")
	c.Flags().Float64Var(&f.minutes, "minutes", 0, "end and save after so long; 0 is never")
	c.Flags().BoolVar(&f.resume, "resume", false, "go on from the last checkpoint in --out")
	c.Flags().StringVar(&f.engine, "engine", "local", "local, accelerate (several GPUs of this machine) or verl (a Ray cluster; checks, and writes what submits the work)")
	c.Flags().IntVar(&f.processes, "processes", 2, "with --engine accelerate, how many processes, one for each GPU")
}

// addScratch adds the flag of a student made from nothing.
func (f *trainFlags) addScratch(c *cobra.Command) {
	c.Flags().StringVar(&f.scratch, "from-scratch", "", "make the student from nothing, of this size: "+strings.Join(training.Sizes(), ", "))
}

// addWorld adds the flags of the environment.
func (f *trainFlags) addWorld(c *cobra.Command) {
	f.world.add(c)
	c.Flags().StringVar(&f.env, "env", "", "URL of mars env, if it runs already; otherwise it is served from --data, --tasks and --gold")
}

func (f trainFlags) check(c *cobra.Command) error {
	if f.engine == "verl" {
		return nil
	}
	if err := need(c, "out"); err != nil {
		return err
	}
	if !slices.Contains([]string{"local", "accelerate"}, f.engine) {
		return usagef("--engine is %q: want local, accelerate or verl", f.engine)
	}
	if f.scratch != "" && !slices.Contains(training.Sizes(), f.scratch) {
		return usagef("--from-scratch is %q: want one of %s", f.scratch, strings.Join(training.Sizes(), ", "))
	}
	if f.preset != "" && !slices.Contains(training.Presets(), f.preset) {
		return usagef("--preset is %q: want one of %s", f.preset, strings.Join(training.Presets(), ", "))
	}
	if f.lora < 0 || f.minutes < 0 || f.processes < 1 {
		return usagef("--lora and --minutes cannot be negative, and --processes is 1 or more")
	}
	return nil
}

// arguments are those of the trainer for the rows in a directory.
func (f trainFlags) arguments(stage, rows, out string) []string {
	args := []string{stage, rows, "--out", out, "--seed", strconv.Itoa(f.seed), "--lora", strconv.Itoa(f.lora)}
	for name, value := range map[string]string{"--model": f.model, "--preset": f.preset} {
		if value != "" {
			args = append(args, name, value)
		}
	}
	if f.minutes > 0 {
		args = append(args, "--minutes", strconv.FormatFloat(f.minutes, 'f', -1, 64))
	}
	if f.resume {
		args = append(args, "--resume")
	}
	for _, s := range f.set {
		args = append(args, "--set", s)
	}
	return args
}

func trainSFTCommand(a *app) *cobra.Command {
	var f trainFlags
	c := &cobra.Command{
		Use:   "sft ROWS --out DIR",
		Short: "Supervised fine-tuning on the rows of mars export --for trl-sft",
		Long: strings.TrimSpace(`
Train a student on the conversations of mars export --for trl-sft: on what it has
to write itself, and nothing else. Brief rows have their labels permuted each time
one is drawn. The loss on the ranking is told apart from the rest.`),
		Example: `  mars train sft sft --from-scratch 2m --preset scratch --out student
  mars train sft sft --model Qwen/Qwen3-0.6B --lora 16 --out student`,
		Args: exactly("ROWS"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.check(c); err != nil {
				return err
			}
			if f.engine == "verl" {
				return a.verl(args[0])
			}
			if (f.model == "") == (f.scratch == "") {
				return usagef("give --model or --from-scratch, one of the two")
			}
			return a.trainStages(c.Context(), f, stage{"sft", args[0], f.out})
		},
	}
	f.add(c)
	f.addScratch(c)
	return c
}

func trainGRPOCommand(a *app) *cobra.Command {
	var f trainFlags
	c := &cobra.Command{
		Use:   "grpo ROWS --model STUDENT --out DIR",
		Short: "GRPO on the rows of mars export --for trl-grpo, in the environment",
		Long: strings.TrimSpace(`
Let the student work on the tasks of mars export --for trl-grpo, several times on
each, with tools and rewards of the environment, and train it towards what was
rewarded more. The environment is that of --env, or it is served here from the
data set, the tasks and the gold, told as much as the rows are.`),
		Example: `  mars train grpo grpo --model student --preset scratch --data data/ml --tasks tasks.jsonl --gold gold.jsonl --out student-grpo
  mars train grpo grpo --model student --preset paper --env http://127.0.0.1:8090 --out student-grpo`,
		Args: exactly("ROWS"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.check(c); err != nil {
				return err
			}
			if f.engine == "verl" {
				return a.verl(args[0])
			}
			if err := need(c, "model"); err != nil {
				return err
			}
			if err := f.needWorld(c); err != nil {
				return err
			}
			return a.trainStages(c.Context(), f, stage{"grpo", args[0], f.out})
		},
	}
	c.Flags().BoolVar(&f.distinct, "distinct", false, "never sample a label twice in a ranking; for students made from nothing")
	f.add(c)
	f.addWorld(c)
	return c
}

// needWorld refuses to go on without an environment.
func (f trainFlags) needWorld(c *cobra.Command) error {
	if f.env != "" {
		return nil
	}
	return need(c, "data", "tasks", "gold")
}

func trainAllCommand(a *app) *cobra.Command {
	var f trainFlags
	c := &cobra.Command{
		Use:   "all SFT-ROWS GRPO-ROWS --out DIR",
		Short: "Both, one after the other",
		Long: strings.TrimSpace(`
Supervised fine-tuning, then GRPO from where that ended: DIR/sft and DIR/grpo. A
stage whose model card is there already is not repeated.`),
		Example: `  mars train all sft grpo --from-scratch 2m --preset scratch --data data/ml --tasks tasks.jsonl --gold gold.jsonl --out student`,
		Args:    exactly("SFT-ROWS", "GRPO-ROWS"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.check(c); err != nil {
				return err
			}
			if f.engine == "verl" {
				return usagef("--engine verl takes one stage at a time: mars train sft, then mars train grpo")
			}
			if (f.model == "") == (f.scratch == "") {
				return usagef("give --model or --from-scratch, one of the two")
			}
			if err := f.needWorld(c); err != nil {
				return err
			}
			return a.trainStages(c.Context(), f,
				stage{"sft", args[0], filepath.Join(f.out, "sft")}, stage{"grpo", args[1], filepath.Join(f.out, "grpo")})
		},
	}
	f.add(c)
	f.addScratch(c)
	f.addWorld(c)
	return c
}

// verl checks rows for verl and writes what submits the work.
func (a *app) verl(dir string) error {
	command, err := training.Verl(dir)
	if err != nil {
		return err
	}
	err = a.print(map[string]string{"submit": command}, func(w io.Writer) { fmt.Fprintf(w, "cd %s && %s\n", dir, command) })
	a.notef("the rows, the tools and the reward are as the manifest says; no cluster was asked. %s runs this command", filepath.Join(dir, "submit.sh"))
	return err
}

// serveWorld serves the environment of the flags on a free port of this machine,
// until end is called, and returns its URL.
func (a *app) serveWorld(ctx context.Context, f worldFlags) (url string, end func() error, err error) {
	e, d, err := a.world(ctx, f)
	if err != nil {
		return "", nil, err
	}
	h, err := faces(e, environment.Access{}, "train")
	if err != nil {
		return "", nil, errors.Join(err, d.Close())
	}
	ctx, stop := context.WithCancel(ctx)
	urls, done := make(chan string, 1), make(chan error, 1)
	local := guardedFlags{listenFlags: listenFlags{address: "127.0.0.1:0"}}
	go func() {
		done <- a.serve(ctx, local, environment.Access{}, h, func(url string) error { urls <- url; return nil })
	}()
	select {
	case url = <-urls:
		return url, func() error { stop(); return errors.Join(<-done, d.Close()) }, nil
	case err := <-done:
		stop()
		return "", nil, errors.Join(err, d.Close())
	}
}
