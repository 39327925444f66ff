package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/datasets"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/tools/catalog"
	"github.com/mars-rec/mars/tools/cf"
	"github.com/mars-rec/mars/tools/stored"
	"github.com/mars-rec/mars/tools/translate"
)

// toolbox returns the tools that agents have, in the order in which a model is
// told of them, worded for a data set of the format.
func toolbox(format string) []tools.Named {
	words := translate.For(format)
	return slices.Concat(cf.Tools(cf.Config{Words: words}), catalog.Tools(catalog.Config{Words: words}))
}

// toolFlags say what a tool sees.
type toolFlags struct{ data, asOf, user, task, stored string }

func toolCommand(a *app) *cobra.Command {
	var f toolFlags
	c := &cobra.Command{
		Use:   "tool [NAME ['ARGUMENTS']]",
		Short: "Call a tool of the agents by hand",
		Long: strings.TrimSpace(`
Call one tool as an agent would, with arguments as a JSON object, on the data as
of a moment. Without a name: list the tools and what they take.

A tool sees only what happened strictly before the moment. With --task it sees
what the agents see that work on that task: its moment, user and candidates. With --stored it is
answered as of the moment of the stored evidence, which must not be later.`),
		Example: `  mars tool
  mars tool item_cf '{"item":"318","k":20}' --data data/ml --as-of 2018-01-01T00:00:00Z --json
  mars tool user_profile --data data/ml --user 42
  mars tool item_cf '{"window":"last:10"}' --data data/ml --task tasks.jsonl#classic-42`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 2 {
				return usagef("%s: unexpected argument %q: the arguments of a tool are one JSON object, in quotes", c.CommandPath(), args[2])
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.listTools()
			}
			return a.callTool(c, f, args[0], strings.Join(args[1:], ""))
		},
	}
	c.Flags().StringVar(&f.data, "data", "", "data set directory made by mars import")
	c.Flags().StringVar(&f.asOf, "as-of", "", "moment: 2018-01-31, a time in RFC 3339, or a quantile of the log as q80 (default: after the last interaction)")
	c.Flags().StringVar(&f.user, "user", "", "user that the tool is called for")
	c.Flags().StringVar(&f.task, "task", "", "task that the tool is called for: TASKS#ID")
	c.Flags().StringVar(&f.stored, "stored", "", storedHelp)
	return c
}

// callTool is the command with a name.
func (a *app) callTool(c *cobra.Command, f toolFlags, name, arguments string) (err error) {
	if err := f.check(c, name); err != nil {
		return err
	}
	d, err := openData(f.data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	task, err := f.view(c.Context(), d)
	if err != nil {
		return err
	}
	view, err := d.View(task)
	if err != nil {
		return err
	}
	named := toolbox(d.Manifest().Recipe.Format)
	if f.stored != "" {
		var s *stored.Store
		if s, named, err = openStored(c.Context(), d, f.stored); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.Close()) }()
	}
	set, err := tools.Open(view, named...)
	if err != nil {
		return err
	}
	tool, _ := set.Find(name)
	value, err := tool.Call(c.Context(), json.RawMessage(arguments))
	if err != nil {
		return mistaken(err)
	}
	var failed error
	err = a.print(value, func(w io.Writer) { failed = writeResult(w, value) })
	return errors.Join(err, failed)
}

// check refuses a tool that is not there and flags that mean nothing together.
func (f toolFlags) check(c *cobra.Command, name string) error {
	var names []string
	for _, n := range toolbox("") {
		names = append(names, n.Name)
	}
	switch {
	case !slices.Contains(names, name):
		return hinted(usagef("there is no tool %q: there are %s", name, strings.Join(names, ", ")), "mars tool lists them with what they take")
	case f.task != "" && (c.Flags().Changed("as-of") || f.user != ""):
		return usagef("--task names the moment and the user itself: leave out --as-of and --user")
	}
	return need(c, "data")
}

// view returns the task whose view the tool gets: one of a task file, or one of
// a moment and perhaps a user, without candidates.
func (f toolFlags) view(ctx context.Context, d *datasets.Dataset) (tasks.Task, error) {
	if f.task == "" {
		at, err := gold.ParseMoment(f.asOf, d.Graph())
		if err != nil {
			return tasks.Task{}, usagef("--as-of: %w", err)
		}
		if at.IsZero() {
			at = d.Graph().End()
		}
		return tasks.Task{ID: "by-hand", Dataset: d.Manifest().Name, User: f.user, AsOf: at.Truncate(time.Second)}, nil
	}
	path, id, ok := strings.Cut(f.task, "#")
	if !ok || id == "" {
		return tasks.Task{}, usagef("--task %s names no task: want TASKS#ID", f.task)
	}
	all, err := readTasks(path)
	if err != nil {
		return tasks.Task{}, err
	}
	for _, t := range all {
		if t.ID == id {
			return t, fits(ctx, d, path, t)
		}
	}
	return tasks.Task{}, usagef("%s has no task %q: its first of %d is %s", path, id, len(all), all[0].ID)
}

// mistaken makes a tool's answer to a wrong call an error of the command line,
// with the flag that is missing.
func mistaken(err error) error {
	if missing := (*translate.Missing)(nil); errors.As(err, &missing) {
		hint := "give --task TASKS#ID"
		if missing.What == "user" {
			hint = "give --user ID, or --task TASKS#ID"
		}
		return hinted(usagef("%w", err), "%s", hint)
	}
	if bad := (*tools.InputError)(nil); errors.As(err, &bad) {
		return usagef("%w", err)
	}
	return err
}

// writeResult tells a person what a tool says: its sentences, and how it ranks
// the candidates.
func writeResult(w io.Writer, value json.RawMessage) error {
	var r struct {
		Evidence []string         `json:"evidence"`
		Rankings []phase.Evidence `json:"rankings"`
	}
	if err := json.Unmarshal(value, &r); err != nil {
		return err
	}
	for _, s := range r.Evidence {
		fmt.Fprintln(w, s)
	}
	if len(r.Rankings) > 0 {
		fmt.Fprint(w, "\n", phase.WriteEvidence(r.Rankings))
	}
	return nil
}

// listTools is the command without a name.
func (a *app) listTools() error {
	specs := []model.ToolSpec{}
	for _, n := range toolbox("") {
		specs = append(specs, n.ToolSpec)
	}
	var failed error
	err := a.print(specs, func(w io.Writer) {
		for i, s := range specs {
			if i > 0 {
				fmt.Fprintln(w)
			}
			failed = errors.Join(failed, writeSpec(w, s))
		}
	})
	return errors.Join(err, failed)
}

// writeSpec tells a person what a tool does and takes.
func writeSpec(w io.Writer, s model.ToolSpec) error {
	var schema jsonschema.Schema
	if err := json.Unmarshal(s.Parameters, &schema); err != nil {
		return fmt.Errorf("schema of %s: %w", s.Name, err)
	}
	fmt.Fprintf(w, "%s\n  %s\n", s.Name, s.Description)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		fmt.Fprintf(t, "    %s\t%s\t%s\n", name, takes(schema, name), schema.Properties[name].Description)
	}
	return t.Flush()
}

// takes says what values an argument has: "integer 1-100, default 20".
func takes(schema jsonschema.Schema, name string) string {
	p := schema.Properties[name]
	var parts []string
	if len(p.Enum) > 0 {
		choices := make([]string, len(p.Enum))
		for i, c := range p.Enum {
			choices[i] = fmt.Sprint(c)
		}
		parts = append(parts, strings.Join(choices, "|"))
	} else {
		parts = append(parts, p.Type)
	}
	switch {
	case p.Minimum != nil && p.Maximum != nil:
		parts[0] += fmt.Sprintf(" %g to %g", *p.Minimum, *p.Maximum)
	case p.Minimum != nil:
		parts[0] += fmt.Sprintf(" from %g", *p.Minimum)
	}
	if slices.Contains(schema.Required, name) {
		parts = append(parts, "required")
	}
	if len(p.Default) > 0 {
		parts = append(parts, "default "+strings.Trim(string(p.Default), `"`))
	}
	return strings.Join(parts, ", ")
}
