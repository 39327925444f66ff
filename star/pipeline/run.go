package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// runner is a pipeline at work.
type runner struct {
	Config
	stages  []Stage
	state   *state
	started bool     // From has come
	stale   []string // in a dry run: stages whose outputs are not known
}

// stage brings one stage up to date.
func (r *runner) stage(ctx context.Context, s Stage) (Outcome, error) {
	r.started = r.started || s.Name == r.From
	switch {
	case s.Off != "":
		return Outcome{s.Name, Absent, s.Off}, nil
	case !r.started || r.Only != "" && r.Only != s.Name:
		return Outcome{s.Name, Left, "not asked for"}, nil
	}
	if r.Dry {
		for _, in := range s.Inputs {
			if of := maker(in); slices.Contains(r.stale, of) {
				r.stale = append(r.stale, s.Name)
				return Outcome{s.Name, Depends, "on what " + of + " comes to"}, nil
			}
		}
	}
	now := record{Commands: s.lines(), Inputs: map[string]string{}}
	for _, in := range s.Inputs {
		digest, err := r.digest(ctx, r.place(in))
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%s %w", r.place(in), ErrInput)
		}
		if err != nil {
			return Outcome{}, err
		}
		now.Inputs[in] = digest
	}
	then, known := r.state.Stages[s.Name]
	why, resumed, err := r.reason(ctx, s, then, known, now)
	if err != nil || why == "" {
		return Outcome{s.Name, Skipped, "nothing has changed"}, err
	}
	if r.Dry {
		r.stale = append(r.stale, s.Name)
		return Outcome{s.Name, Would, why}, nil
	}
	if !resumed {
		back, err := r.clear(s, then, known, now)
		if err != nil {
			return Outcome{}, err
		}
		if then, ok := r.state.Stages[s.Name]; back && ok {
			again, _, err := r.reason(ctx, s, then, true, now)
			if err != nil || again == "" {
				return Outcome{s.Name, Back, "made earlier with these settings: " + why}, err
			}
			resumed = true
		}
	}
	return Outcome{s.Name, Ran, why}, r.do(ctx, s, now, why, resumed)
}

// maker is the stage whose folder a file is in.
func maker(file string) string {
	name, inside := strings.CutPrefix(file, Out)
	if !inside {
		return ""
	}
	name, _, _ = strings.Cut(name, "/")
	return name
}

// do runs a stage, and records that it begins and what came of it.
func (r *runner) do(ctx context.Context, s Stage, now record, why string, resumed bool) error {
	job := Job{Stage: s, Folder: r.folder(s.Name), Resumed: resumed}
	if s.Serves != "" {
		job.Serving = r.place(s.Serves)
	}
	for _, c := range s.Commands {
		var line []string
		for _, arg := range append(slices.Clone(c.Args), c.Aside...) {
			line = append(line, r.place(arg))
		}
		job.Lines = append(job.Lines, line)
	}
	r.state.Stages[s.Name] = now
	if err := r.state.save(r.Dir); err != nil {
		return err
	}
	if err := os.MkdirAll(job.Folder, 0o755); err != nil {
		return err
	}
	if r.Hear != nil {
		r.Hear(Outcome{s.Name, Begins, why})
	}
	if err := r.Do(ctx, job); err != nil {
		return err
	}
	outputs := map[string]string{}
	for _, name := range s.Outputs {
		digest, err := r.digest(ctx, filepath.Join(job.Folder, name))
		if err != nil {
			return fmt.Errorf("it ended, and did not leave %s: %w", name, err)
		}
		outputs[name] = digest
	}
	now.Outputs = outputs
	r.state.Stages[s.Name] = now
	return r.state.save(r.Dir)
}

// reason says why a stage must run, "" if it need not, and whether it goes on
// with what is in its folder.
func (r *runner) reason(ctx context.Context, s Stage, then record, known bool, now record) (why string, resumed bool, err error) {
	switch {
	case !known:
		return "it never ran", false, nil
	case then.key() != now.key():
		return then.difference(now), false, nil
	case then.Outputs == nil:
		return "it did not come to its end", s.Resumes, nil
	}
	for _, name := range s.Outputs {
		digest, err := r.digest(ctx, filepath.Join(r.folder(s.Name), name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return name + " is gone", s.Lasts, nil
		case ctx.Err() != nil:
			return "", false, ctx.Err()
		case err != nil:
			return fmt.Sprintf("%s cannot be read (%v)", name, err), s.Lasts, nil
		case digest != then.Outputs[name]:
			return name + " was changed", s.Lasts, nil
		}
	}
	return "", false, nil
}

// clear empties a stage's folder. What is dear is set aside; and what was set
// aside for what is wanted now comes back, with its record.
func (r *runner) clear(s Stage, then record, known bool, now record) (back bool, err error) {
	folder := r.folder(s.Name)
	if s.Resumes && known && then.key() != now.key() {
		if _, err := os.Stat(folder); err == nil {
			name := s.Name + "-" + then.key()
			aside := filepath.Join(r.Dir, asideFolder, name)
			r.state.Aside[name] = then
			if err := r.state.save(r.Dir); err != nil {
				return false, err
			}
			if err := errors.Join(os.RemoveAll(aside), os.MkdirAll(filepath.Dir(aside), 0o755), os.Rename(folder, aside)); err != nil {
				return false, err
			}
		}
	}
	if err := os.RemoveAll(folder); err != nil {
		return false, err
	}
	name := s.Name + "-" + now.key()
	earlier, ok := r.state.Aside[name]
	if !ok || known && then.key() == now.key() {
		return false, nil
	}
	if err := os.Rename(filepath.Join(r.Dir, asideFolder, name), folder); errors.Is(err, fs.ErrNotExist) {
		delete(r.state.Aside, name)
		return false, nil
	} else if err != nil {
		return false, err
	}
	r.state.Stages[s.Name] = earlier
	delete(r.state.Aside, name)
	return true, r.state.save(r.Dir)
}

// place puts folders in the place of the prefixes.
func (r *runner) place(arg string) string {
	for _, p := range []struct{ prefix, dir string }{{Out, r.Dir}, {Home, r.Home}} { // an argument has one of them at most
		if before, after, ok := strings.Cut(arg, p.prefix); ok {
			return before + filepath.Join(p.dir, after)
		}
	}
	return arg
}

func (r *runner) folder(stage string) string { return filepath.Join(r.Dir, stage) }

// lines are what of a stage's command lines counts, that of its server included.
func (s Stage) lines() [][]string {
	var out [][]string
	for _, c := range s.Commands {
		out = append(out, c.Args)
	}
	if s.Serves != "" {
		out = append(out, []string{"serve", s.Serves, "--ranking", s.Ranking})
	}
	return out
}

// difference says in what a stage is asked for something else than it was.
func (then record) difference(now record) string {
	for _, in := range slices.Sorted(maps.Keys(now.Inputs)) {
		before, known := then.Inputs[in]
		switch {
		case !known:
			return shown(in) + " is read now"
		case before != now.Inputs[in]:
			return shown(in) + " has changed"
		}
	}
	for _, in := range slices.Sorted(maps.Keys(then.Inputs)) {
		if _, still := now.Inputs[in]; !still {
			return shown(in) + " is no longer read"
		}
	}
	was, is := slices.Concat(then.Commands...), slices.Concat(now.Commands...)
	flag := ""
	for i, arg := range is {
		if strings.HasPrefix(arg, "--") {
			flag = arg + " "
		}
		if i >= len(was) || was[i] != arg {
			if strings.HasPrefix(arg, "--") {
				flag = ""
			}
			return "the settings have changed: " + flag + shown(arg)
		}
	}
	return "the settings have changed"
}

func shown(file string) string {
	return strings.NewReplacer(Out, "", Home, "").Replace(file)
}
