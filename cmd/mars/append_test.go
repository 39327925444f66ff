package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/datasets"
	"github.com/mars-rec/mars/tasks/datasets/formats"
	"github.com/mars-rec/mars/tasks/datasets/world"
	"github.com/mars-rec/mars/tools"
)

// partOf reads the part of a data set that lies between two moments: its
// interactions with their reviews, and the items and users that they are of.
func partOf(d *datasets.Dataset, from, to time.Time) formats.Reader {
	return formats.Reader{Name: "agentsociety", Read: func(ctx context.Context, _ string, _ formats.Options, sink formats.Sink) error {
		var log []graph.Event
		all := d.Graph().At(to)
		items := map[graph.Item]bool{}
		for u := range all.AllUsers() {
			history := slices.DeleteFunc(all.History(u), func(e graph.Event) bool { return e.Time.Before(from) })
			if len(history) == 0 {
				continue
			}
			user, _, err := d.Catalog().User(ctx, all.UserID(u))
			if err := errors.Join(err, sink.User(user)); err != nil {
				return err
			}
			log = append(log, history...)
		}
		for _, e := range log {
			if items[e.Item] {
				continue
			}
			items[e.Item] = true
			item, _, err := d.Catalog().Item(ctx, all.ItemID(e.Item))
			if err := errors.Join(err, sink.Item(item)); err != nil {
				return err
			}
		}
		for _, e := range log {
			in := graph.Interaction{User: all.UserID(e.User), Item: all.ItemID(e.Item), Time: e.Time.Unix(), Rating: e.Rating}
			reviews, err := d.Catalog().Reviews(ctx, tasks.ReviewQuery{User: in.User, Item: in.Item, Before: to})
			text := ""
			if len(reviews) > 0 {
				text = reviews[0].Text
			}
			if err := errors.Join(err, sink.Interaction(in, text)); err != nil {
				return err
			}
		}
		sink.File(formats.File{Name: "part"})
		return nil
	}}
}

// answersOf is what every tool says for a task, call by call.
func answersOf(t *testing.T, d *datasets.Dataset, task tasks.Task, item string) [][]byte {
	t.Helper()
	view, err := d.View(task)
	if err != nil {
		t.Fatal(err)
	}
	set, err := tools.Open(view, toolbox(d.Manifest().Recipe.Format)...)
	if err != nil {
		t.Fatal(err)
	}
	var answers [][]byte
	for _, call := range [][2]string{
		{"item_cf", `{"item":"c01"}`}, {"item_cf", `{}`}, {"item_cf", `{"window":"last:3"}`}, {"item_cf", fmt.Sprintf(`{"item":%q}`, item)},
		{"user_cf", `{}`}, {"user_cf", `{"among":"candidates"}`}, {"user_profile", `{}`}, {"user_history", `{}`}, {"user_history", `{"summary":true}`},
		{"item_info", `{"item":"c02"}`}, {"item_info", fmt.Sprintf(`{"item":%q}`, item)}, {"candidate_stats", `{}`}, {"catalog_search", `{"query":"the of night love war"}`},
	} {
		tool, ok := set.Find(call[0])
		if !ok {
			t.Fatalf("there is no tool %s", call[0])
		}
		value, err := tool.Call(t.Context(), json.RawMessage(call[1]))
		answers = append(answers, fmt.Appendf(nil, "%s %s: %s %v", call[0], call[1], value, err))
	}
	return answers
}

// TestAppendedLaterChangesNoAnswer holds every tool's answers, byte by byte, as of
// moments up to the first interaction that is appended, against what they were
// before: also after compaction. Those of later moments are refused, and rightly.
func TestAppendedLaterChangesNoAnswer(t *testing.T) {
	dir := t.TempDir()
	source := filepath.Join(dir, "source")
	if _, err := world.Write(source, world.Config{Seed: 11, Users: 150, Items: 200}); err != nil {
		t.Fatal(err)
	}
	reader, _, err := formats.Detect(source)
	if err != nil {
		t.Fatal(err)
	}
	whole, part := filepath.Join(dir, "whole"), filepath.Join(dir, "part")
	if _, err := datasets.Import(t.Context(), reader, source, whole, datasets.ImportConfig{}); err != nil {
		t.Fatal(err)
	}
	opened := func(dir string) *datasets.Dataset {
		d, err := datasets.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	all := opened(whole)
	defer all.Close()
	g := all.Graph()
	cut := g.Quantile(0.8)
	if _, err := datasets.Import(t.Context(), partOf(all, time.Unix(0, 0), cut), source, part, datasets.ImportConfig{}); err != nil {
		t.Fatal(err)
	}

	// Tasks of every third user as of moments up to the cut and after it, and an
	// item that only what is appended knows.
	d := opened(part)
	old, now := g.At(cut), g.At(g.End())
	var items []string
	for i := range d.Graph().At(cut).AllItems() {
		items = append(items, d.Graph().At(cut).ItemID(i))
	}
	unknown := ""
	for i := range now.AllItems() {
		if _, ok := old.Item(now.ItemID(i)); !ok {
			unknown = now.ItemID(i)
		}
	}
	if unknown == "" {
		t.Fatal("no item is new after the cut: the test shows too little")
	}
	var list []tasks.Task
	users := 0
	for u := range old.AllUsers() {
		if users++; users%3 != 0 {
			continue
		}
		for k, at := range []time.Time{g.Quantile(0.4), cut.Add(-time.Second), cut, cut.Add(time.Second), g.End()} {
			start := (len(list)*7 + k) % (len(items) - 6)
			list = append(list, tasks.Task{ID: fmt.Sprint("t", len(list)), Dataset: "part", User: old.UserID(u), Scenario: "classic", AsOf: at, Candidates: items[start : start+6]})
		}
	}
	made := d.Manifest().Fingerprint()
	before := make([][][]byte, len(list))
	for k, task := range list {
		before[k] = answersOf(t, d, task, unknown)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}

	_, added, err := datasets.Append(t.Context(), partOf(all, cut, g.End()), source, part, datasets.AppendConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if !added.First.Equal(cut) || added.Counts.Items == 0 || added.Counts.Users == 0 || added.Counts.Reviews == 0 {
		t.Fatalf("appended %+v, want some from %s on", added, cut)
	}
	for _, compacted := range []bool{false, true} {
		if compacted {
			if _, done, err := datasets.Compact(t.Context(), part, datasets.CompactConfig{}); err != nil || !done {
				t.Fatal(done, err)
			}
		}
		d := opened(part)
		changed := 0
		for k, task := range list {
			err := d.CheckTask(t.Context(), task, made)
			late := task.AsOf.After(cut)
			if late != errors.Is(err, datasets.ErrAppended) || !late && err != nil {
				t.Errorf("compacted %v, task as of %s, appended from %s on: %v", compacted, task.AsOf, cut, err)
			}
			after := answersOf(t, d, task, unknown)
			for c := range after {
				switch same := bytes.Equal(before[k][c], after[c]); {
				case !late && !same:
					t.Errorf("compacted %v, user %s as of %s:\nbefore %s\nafter  %s", compacted, task.User, task.AsOf, before[k][c], after[c])
				case !same:
					changed++
				}
			}
		}
		if changed == 0 {
			t.Error("no answer of a later moment changed: the test shows nothing")
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
