package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mars-rec/mars/tasks/gold"
)

// TestAuditFindsLeaksInExports changes rows of an export behind its manifest.
func TestAuditFindsLeaksInExports(t *testing.T) {
	smallWorld(t, "25")
	mars(t, "synth", "--data", "data", "--tasks", "tasks.jsonl", "--model", "builtin", "--out", "run.db")
	for _, consumer := range []string{"trl-sft", "trl-grpo", "verl-sft", "verl-rl", "llamafactory", "openai", "text"} {
		mars(t, "export", "run.db", "--gold", "gold.jsonl", "--for", consumer, "--all", "--out", consumer)
		r, _ := audited(t, consumer, "--runs", "run.db", "--gold", "gold.jsonl")
		if consumer == "openai" || consumer == "text" { // no candidates, or no messages, are told of
			clean(t, r, "overlap", "marks")
		} else {
			clean(t, r, "overlap")
		}
	}
	mars(t, "export", "run.db", "--gold", "gold.jsonl", "--for", "trl-sft", "--all", "--final", "--as", "parquet", "--shard-rows", "10", "--out", "shards")
	r, _ := audited(t, "shards", "--runs", "run.db", "--gold", "gold.jsonl")
	clean(t, r, "overlap")
	mars(t, "export", "run.db", "--gold", "gold.jsonl", "--for", "trl-sft", "--all", "--detail", "brief", "--out", "brief")
	r, _ = audited(t, "brief", "--runs", "run.db", "--gold", "gold.jsonl")
	clean(t, r, "overlap")
	for _, consumer := range []string{"trl-sft", "openai"} { // whose rows tell their orders, and do not
		dir := consumer + "-permuted"
		mars(t, "export", "run.db", "--gold", "gold.jsonl", "--for", consumer, "--all", "--permutations", "2", "--seed", "7", "--out", dir)
		r, _ = audited(t, dir, "--runs", "run.db", "--gold", "gold.jsonl")
		clean(t, r, "overlap", "marks")
	}

	golds, err := gold.ReadFile("gold.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	const at = 4
	replace := func(old, with string) func(string) string {
		return func(row string) string {
			changed := strings.Replace(row, old, with, 1)
			if changed == row {
				t.Fatalf("the row has no %s", old)
			}
			return changed
		}
	}
	of := func(row string) string {
		var r struct {
			Run string `json:"run"`
		}
		if err := json.Unmarshal([]byte(row), &r); err != nil {
			t.Fatal(err)
		}
		return golds[r.Run].Items[0]
	}
	for name, plant := range map[string]struct {
		change func(row string) string
		check  string
		part   string
	}{
		"a word": {replace("Set the", "Put the"), "rows", "not what its run gives"},
		"gold in a prompt": {func(row string) string {
			return replace(`\n\nCandidates:`, `\nground_truth: `+of(row)+`\n\nCandidates:`)(row)
		}, "gold", "says more than the task"},
		"gold in a result": {func(row string) string {
			return replace(`{\"evidence\":[`, `{\"next\":{\"item\":\"`+of(row)+`\"},\"evidence\":[`)(row)
		}, "gold", "without its label"},
		"a forged tag": {replace(`{\"evidence\":[\"`, `{\"evidence\":[\"<recommend>`), "text", "<recommend"},
		"a token":      {replace(`{\"evidence\":[\"`, `{\"evidence\":[\"<|im_end|>`), "text", "chat templates obey"},
		"a bidi mark":  {replace(`{\"evidence\":[\"`, "{\\\"evidence\\\":[\\\"\u202e"), "text", "direction"},
		"no run":       {func(row string) string { return strings.Replace(row, `"run":"`, `"run":"not-`, 1) }, "rows", "no run"},
		"half a row":   {func(row string) string { return row[:len(row)/2] + "\n" }, "rows", "no JSON"},
		"another list": {replace(`"candidates":["`, `"candidates":["b9999","`), "rows", "not what its run gives"},
		"rows beside":  {func(row string) string { return row }, "files", "not name these rows"},
		"permuted":     {replace("c01:", "c02:"), "rows", "not what its run gives"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, from := t.TempDir(), "trl-sft"
			if name == "permuted" {
				from = "trl-sft-permuted"
			}
			if err := os.CopyFS(filepath.Join(dir, "sft"), os.DirFS(from)); err != nil {
				t.Fatal(err)
			}
			to := filepath.Join(dir, "sft", "train.jsonl")
			if plant.check == "files" {
				to = filepath.Join(dir, "sft", "more.jsonl")
			}
			edit(t, filepath.Join(from, "train.jsonl"), to, func(n int, row string) string {
				if n == at {
					return plant.change(row)
				}
				return row
			})
			r, _ := audited(t, filepath.Join(dir, "sft"), "--runs", "run.db", "--gold", "gold.jsonl")
			all := found(t, r, plant.check)
			if !strings.Contains(all[0].What, plant.part) {
				t.Errorf("%s: does not say %q", all[0], plant.part)
			}
			if f := all[0]; plant.check != "files" && (f.Place.Row != at || f.Bytes == "") {
				t.Errorf("%s: not at row %d, or without bytes", f, at)
			}
			found(t, r, "files") // the file is not the one that was written
		})
	}
}

// TestAuditOfSplits reads the splits of an export as its manifest names them.
func TestAuditOfSplits(t *testing.T) {
	smallWorld(t, "20")
	mars(t, "synth", "--data", "data", "--tasks", "tasks.jsonl", "--model", "builtin", "--out", "run.db")
	mars(t, "export", "run.db", "--gold", "gold.jsonl", "--all", "--shard-rows", "10", "--out", "sft")
	path := filepath.Join("sft", "manifest.json")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	second := "\"name\": \"train-00001.jsonl\",\n      \"split\": "
	b = bytes.Replace(b, []byte(second+`"train"`), []byte(second+`"validation"`), 1)
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	r, _ := audited(t, "sft", "--runs", "run.db", "--gold", "gold.jsonl")
	clean(t, r)
	// A row of the first shard comes in the second too.
	var first string
	edit(t, filepath.Join("sft", "train-00000.jsonl"), os.DevNull, func(n int, row string) string {
		if n == 3 {
			first = row
		}
		return row
	})
	edit(t, filepath.Join("sft", "train-00001.jsonl"), filepath.Join("sft", "train-00001.jsonl"), func(n int, row string) string {
		if n == 5 {
			return first
		}
		return row
	})
	r, _ = audited(t, "sft", "--runs", "run.db", "--gold", "gold.jsonl")
	all := found(t, r, "overlap")
	if len(all) != 2 || all[0].Place.File != "train-00001.jsonl" || all[0].Place.Row != 5 || !strings.Contains(all[0].What, "split train") {
		t.Errorf("%v", all)
	}
}
