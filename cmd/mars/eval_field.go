package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mars-rec/mars/eval"
	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/graph/rank"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/datasets"
	"github.com/mars-rec/mars/tasks/gold"
)

// field is who is measured on what.
type field struct {
	sets    []eval.Set
	systems []eval.System
	runs    []evalRun
	data    *datasets.Dataset // nil: not needed
}

// Close releases what was opened.
func (f *field) Close() error {
	if f.data == nil {
		return nil
	}
	return f.data.Close()
}

// source is a system as the command line names it.
type source struct {
	name string // "": it goes by what it is
	at   string // a path or a URL
	set  string // "": all that fit
	text string // as it was given
}

func (s source) service() bool {
	return strings.HasPrefix(s.at, "http://") || strings.HasPrefix(s.at, "https://")
}

func (s source) rankings() bool { return !s.service() && strings.HasSuffix(s.at, ".jsonl") }

// parseSources reads [NAME=]SOURCE[@SET].
func parseSources(args []string) ([]source, error) {
	var all []source
	for _, arg := range args {
		s := source{at: arg, text: arg}
		if _, err := os.Stat(arg); errors.Is(err, fs.ErrNotExist) { // a file may be called anything
			if name, at, ok := strings.Cut(arg, "="); ok && !strings.ContainsAny(name, "/?") {
				s.name, s.at = name, at
			}
			if k := strings.LastIndex(s.at, "@"); k > 0 && !s.service() {
				s.at, s.set = s.at[:k], s.at[k+1:]
			}
		}
		if s.at == "" {
			return nil, usagef("system %q: want [NAME=]SOURCE[@SET]", arg)
		}
		all = append(all, s)
	}
	return all, nil
}

// field opens what is measured.
func (a *app) field(ctx context.Context, sources []source, e evaluation) (_ *field, err error) {
	f := &field{}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	prices, err := parsePrices(e.prices)
	if err != nil {
		return nil, err
	}
	runs := map[string]recorded{}
	var first *recorded
	for _, s := range sources {
		if s.service() || s.rankings() {
			continue
		}
		run, err := readRun(ctx, s.at, prices)
		if err != nil {
			return nil, err
		}
		runs[s.at] = run
		if first == nil {
			first = &run
		}
		if run.data != first.data {
			return nil, hinted(fmt.Errorf("%s and %s were made with different data sets", first.path, s.at), "measure them apart")
		}
	}
	if f.sets, err = e.sets(first); err != nil {
		return nil, err
	}
	if err := f.open(first, e); err != nil {
		return nil, err
	}
	for _, s := range sources {
		if err := f.add(a, s, runs[s.at], len(sources), e); err != nil {
			return nil, err
		}
	}
	controls, err := f.controls(ctx, e)
	f.systems = append(f.systems, controls...)
	return f, err
}

// open opens the data set, where something needs it.
func (f *field) open(first *recorded, e evaluation) (err error) {
	data := ""
	for _, s := range f.sets {
		if s.Recipe != nil {
			data = s.Recipe.Data
		}
	}
	switch {
	case first != nil && (e.baselines || e.weights != "" || e.cfg.Full || e.data != ""):
		data = first.data
		f.data, err = first.setup.open(e.data)
	case e.data != "":
		f.data, err = openData(e.data)
	case e.baselines || e.weights != "" || e.cfg.Full:
		return usagef("--data is missing: the data set that the tasks were made of")
	default:
		return nil
	}
	if err != nil {
		return err
	}
	if data == "" {
		return nil
	}
	for _, s := range f.sets {
		for _, c := range s.Cases {
			if err := f.data.Manifest().Holds(data, c.Task.AsOf); err != nil {
				return hinted(fmt.Errorf("what is measured was made with the data set %s as it was before %w", f.data.Dir(), err),
					"--data names the data set that it was made with")
			}
		}
	}
	return nil
}

// sets reads the tasks and their gold: those of the first run if there is one
// and nothing else is said, otherwise those of the task files.
func (e evaluation) sets(first *recorded) ([]eval.Set, error) {
	var sets []eval.Set
	for k, path := range e.gold {
		golds, err := readGold(path)
		if err != nil {
			return nil, err
		}
		tasksPath, recipe := beside(path)
		if len(e.tasks) > 0 {
			tasksPath = e.tasks[k]
			recipe = nil
			if r, err := gold.ReadRecipe(tasksPath); err == nil {
				recipe = &r
			} else if !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
		}
		set := eval.Set{Name: strings.TrimSuffix(filepath.Base(tasksPath), ".jsonl"), Recipe: recipe}
		var list []tasks.Task
		switch {
		case first != nil && len(e.gold) == 1 && len(e.tasks) == 0:
			list = first.tasks
			if tasksPath == "" {
				set.Name = strings.TrimSuffix(filepath.Base(first.path), filepath.Ext(first.path))
			}
		case tasksPath == "":
			return nil, hinted(usagef("%s: no recipe beside it says which tasks it belongs to", path), "give --tasks TASKS for each --gold")
		default:
			if err := unchanged(tasksPath, recipe); err != nil {
				return nil, err
			}
			if list, err = tasks.ReadFile(tasksPath); err != nil {
				return nil, err
			}
		}
		for _, t := range list {
			if e.scenario != "" && t.Scenario != e.scenario {
				continue
			}
			c, err := caseOf(t, golds, path)
			if err != nil {
				return nil, err
			}
			set.Cases = append(set.Cases, c)
		}
		if len(set.Cases) == 0 {
			return nil, hinted(fmt.Errorf("%s: no task of the scenario %q to measure", path, e.scenario), "leave --scenario out, or name another")
		}
		sets = append(sets, set)
	}
	return sets, nil
}

// beside finds the task file, and its recipe, that a gold file was made with:
// the recipe in the same folder that names it.
func beside(goldPath string) (tasksPath string, _ *gold.Recipe) {
	found, _ := filepath.Glob(filepath.Join(filepath.Dir(goldPath), "*.recipe.json"))
	for _, path := range found {
		tasksPath := strings.TrimSuffix(path, ".recipe.json")
		if r, err := gold.ReadRecipe(tasksPath); err == nil && r.Gold.File == filepath.Base(goldPath) {
			if digest, err := fileDigest(goldPath); err == nil && digest == r.Gold.SHA256 {
				return tasksPath, &r
			}
		}
	}
	return "", nil
}

// unchanged refuses a task file that is not the one that its recipe speaks of.
func unchanged(tasksPath string, recipe *gold.Recipe) error {
	digest, err := fileDigest(tasksPath)
	if err != nil {
		return hinted(err, "mars tasks makes it")
	}
	if recipe != nil && digest != recipe.Tasks.SHA256 {
		return hinted(fmt.Errorf("%s is not the file that its recipe speaks of", tasksPath), "make the tasks anew, or take the recipe away if the file was changed on purpose")
	}
	return nil
}

// add adds a system of the command line.
func (f *field) add(a *app, s source, run recorded, systems int, e evaluation) error {
	name := s.name
	switch {
	case s.service():
		if name == "" {
			name = s.at
		}
		f.systems = append(f.systems, eval.Service(name, s.at, eval.ServiceConfig{Now: a.now, Token: os.Getenv("MARS_SERVICE_TOKEN")}))
		return nil
	case s.rankings():
		answers, err := eval.ReadRankings(s.at)
		if err != nil {
			return err
		}
		if name == "" {
			name = strings.TrimSuffix(filepath.Base(s.at), ".jsonl")
		}
		system := eval.Rankings(name, answers)
		system.Sets, err = f.where(s, func(set eval.Set) bool {
			return slices.ContainsFunc(set.Cases, func(c gold.Case) bool { _, ok := answers[c.Task.ID]; return ok })
		})
		if err == nil && len(system.Sets) > 1 {
			err = usagef("%s: its ids are those of tasks in %s: say which with %s@SET", s.text, strings.Join(system.Sets, " and "), s.text)
		}
		if err == nil {
			f.systems = append(f.systems, system)
		}
		return err
	}
	if e.cfg.Full {
		return hinted(usagef("%s: a run ranked the candidates of its tasks, not all items", s.at), "leave --full out, or the run")
	}
	if name == "" {
		name = "teacher (" + run.setup.Model + ")"
		if systems > 1 {
			name = s.at + " (" + run.setup.Model + ")"
		}
	}
	system := eval.Rankings(name, run.answers)
	var err error
	if system.Sets, err = f.where(s, run.of); err != nil {
		return err
	}
	f.systems = append(f.systems, system)
	for _, set := range f.sets {
		if slices.Contains(system.Sets, set.Name) {
			f.runs = append(f.runs, evalRun{Store: s.at, Model: run.setup.Model, System: name, Set: set.Name, Unanswered: run.unanswered(set), Further: run.further})
		}
	}
	return nil
}

// where returns the sets that a system answers.
func (f *field) where(s source, fits func(eval.Set) bool) ([]string, error) {
	var names []string
	for _, set := range f.sets {
		if s.set == "" && fits(set) || s.set == set.Name {
			names = append(names, set.Name)
		}
	}
	if len(names) > 0 {
		return names, nil
	}
	var all []string
	for _, set := range f.sets {
		all = append(all, set.Name)
	}
	if s.set != "" {
		return nil, usagef("%s: there is no set %s: there are %s", s.text, s.set, strings.Join(all, ", "))
	}
	return nil, hinted(fmt.Errorf("%s answers none of the tasks of %s", s.at, strings.Join(all, ", ")), "give the gold file that was made with its tasks")
}

// controls returns the classical rankers, and the fusion if it is asked for.
func (f *field) controls(ctx context.Context, e evaluation) ([]eval.System, error) {
	var systems []eval.System
	if e.baselines {
		g := f.data.Graph()
		for _, r := range rank.Controls() {
			systems = append(systems, eval.Control(r))
		}
		systems = append(systems, eval.Trained("ease", g, func(ctx context.Context, cut *graph.Cut) (rank.Learned, error) {
			return rank.TrainEASE(ctx, cut, rank.EASEConfig{})
		}), eval.Trained("ials", g, func(ctx context.Context, cut *graph.Cut) (rank.Learned, error) {
			return rank.TrainIALS(ctx, cut, rank.IALSConfig{})
		}))
		if len(e.controls) > 0 {
			var names []string
			for _, s := range systems {
				names = append(names, s.Name)
			}
			for _, c := range e.controls {
				if !slices.Contains(names, c) {
					return nil, usagef("--controls: there is no %q: there are %s", c, strings.Join(names, ", "))
				}
			}
			systems = slices.DeleteFunc(systems, func(s eval.System) bool { return !slices.Contains(e.controls, s.Name) })
		}
	}
	if e.weights == "" {
		return systems, nil
	}
	weights, err := rank.Load(e.weights)
	if err != nil {
		return nil, err
	}
	for _, set := range f.sets {
		for _, c := range set.Cases {
			if err := weights.CheckTask(c.Task.AsOf); err != nil {
				return nil, fmt.Errorf("task %s: %w", c.Task.ID, err)
			}
		}
	}
	attributes, err := f.data.Attributes(ctx)
	if err != nil {
		return nil, err
	}
	return append(systems, eval.Control(rank.Fused("fitted fusion", weights, attributes))), nil
}
