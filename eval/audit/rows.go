package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/export"
)

// manifest is what an export says of itself, as far as an audit reads it. Files
// may name the split that they belong to.
type manifest struct {
	For      string              `json:"for"`
	As       export.Format       `json:"as"`
	Split    string              `json:"split"`
	Detail   trajectories.Detail `json:"detail"`
	Parallel bool                `json:"parallel_calls"`
	Files    []rowsFile          `json:"files"`
	Filters  []struct {
		Filter string `json:"filter"`
	} `json:"filters"`
	Permutations int   `json:"permutations"` // rows of a run, each under an order of its own
	Seed         int64 `json:"seed"`         // of these orders
}

type rowsFile struct {
	Name   string `json:"name"`
	Split  string `json:"split"`
	Rows   int    `json:"rows"`
	SHA256 string `json:"sha256"`
}

func readManifest(dir string) (manifest, error) {
	var m manifest
	b, err := os.ReadFile(filepath.Join(dir, export.ManifestFile))
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return m, fmt.Errorf("%s: %w", filepath.Join(dir, export.ManifestFile), err)
	}
	if m.For == "" || len(m.Files) == 0 {
		return m, fmt.Errorf("%s is no export: its %s names no consumer or no rows", dir, export.ManifestFile)
	}
	for i, f := range m.Files {
		if f.Split == "" {
			m.Files[i].Split = splitOf(f.Name, m.Split)
		}
	}
	return m, nil
}

// splitOf tells the split of a file by its name: train-00003.jsonl is of train.
// Any other name is of the split that the export names.
func splitOf(name, otherwise string) string {
	stem, _, _ := strings.Cut(name, ".")
	stem, _, _ = strings.Cut(stem, "-")
	switch stem {
	case "train", "validation", "valid", "dev", "test":
		return stem
	}
	return otherwise
}

// row is a row of an export.
type row struct {
	n      int    // from 1
	text   string // as it stands in JSON lines; of parquet, its values as JSON
	values map[string]any
}

// readRows yields the rows of a file. A line that is no JSON has no values.
func readRows(path string, as export.Format) iter.Seq2[row, error] {
	if as == export.Parquet {
		return func(yield func(row, error) bool) {
			b, err := os.Open(path)
			if err != nil {
				yield(row{}, err)
				return
			}
			defer b.Close()
			each(b, yield)
		}
	}
	return func(yield func(row, error) bool) {
		for line, err := range readLines(path) {
			r := row{n: line.n}
			if err == nil {
				r.text = string(line.text)
				if json.Unmarshal(line.text, &r.values) != nil {
					r.values = nil
				}
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// each yields the rows of a parquet file.
func each(in io.ReaderAt, yield func(row, error) bool) {
	r := parquet.NewGenericReader[any](in)
	defer r.Close()
	batch := make([]any, 64)
	for n := 0; ; {
		k, err := r.Read(batch)
		for _, v := range batch[:k] {
			n++
			b, wrong := message.Marshal(v)
			r := row{n: n, text: string(b)}
			if wrong == nil {
				wrong = json.Unmarshal(b, &r.values) // as of JSON lines: the same types
			}
			if !yield(r, wrong) || wrong != nil {
				return
			}
		}
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			yield(row{}, err)
			return
		}
	}
}

// only returns the one row that was written to b.
func only(b []byte, as export.Format) (string, error) {
	if as != export.Parquet {
		return string(bytes.TrimSuffix(b, []byte("\n"))), nil
	}
	text, err := "", io.ErrUnexpectedEOF
	each(bytes.NewReader(b), func(r row, wrong error) bool {
		text, err = r.text, wrong
		return false
	})
	return text, err
}

// run returns the id of the run that a row is of, and that of its task; "" where
// the row does not tell.
func (r row) ids() (run, task string) {
	run, _ = r.values["run"].(string)
	task, _ = r.values["task_id"].(string)
	if task == "" {
		task = r.created("task_id")
	}
	return run, task
}

// user returns whose row it is, if a column tells.
func (r row) user() string {
	if user, ok := r.values["user_id"].(string); ok {
		return user
	}
	return r.created("user_id")
}

// created looks a value up among what verl's tools are created with.
func (r row) created(name string) string {
	extra, _ := r.values["extra_info"].(map[string]any)
	kwargs, _ := extra["tools_kwargs"].(map[string]any)
	for _, tool := range sortedKeys(kwargs) {
		of, _ := kwargs[tool].(map[string]any)
		with, _ := of["create_kwargs"].(map[string]any)
		if value, ok := with[name].(string); ok {
			return value
		}
	}
	return ""
}

// candidates returns the items of the labels, if a column tells.
func (r row) candidates() []string {
	list, ok := r.values["candidates"].([]any)
	if !ok {
		extra, _ := r.values["extra_info"].(map[string]any)
		list, _ = extra["candidates"].([]any)
	}
	var items []string
	for _, v := range list {
		if item, ok := v.(string); ok {
			items = append(items, item)
		}
	}
	return items
}

// texts returns what the row is trained on or asked with.
func (r row) texts() []spoken {
	var all []spoken
	add := func(part, role, text string) {
		s := spoken{place: Place{Row: r.n, Part: part}, kind: role, text: text, by: byProgram}
		switch role {
		case "user", "human":
			s.by = byData
		case "tool", "observation":
			s.by, s.tool = byData, "a tool"
		case "assistant", "gpt":
			s.by = byModel
		}
		all = append(all, s)
	}
	for _, column := range []string{"messages", "prompt"} {
		list, _ := r.values[column].([]any)
		for i, v := range list {
			m, _ := v.(map[string]any)
			role, _ := m["role"].(string)
			text, _ := m["content"].(string)
			add(fmt.Sprintf("%s.%d.content", column, i), role, text)
		}
	}
	list, _ := r.values["conversations"].([]any)
	for i, v := range list {
		m, _ := v.(map[string]any)
		from, _ := m["from"].(string)
		text, _ := m["value"].(string)
		// The answers of several calls stand in one turn, parted as the chat
		// template parts them.
		for part := range strings.SplitSeq(text, "\n</tool_response>\n<tool_response>\n") {
			add(fmt.Sprintf("conversations.%d.value", i), from, part)
		}
	}
	for _, column := range []string{"system", "text"} {
		if text, ok := r.values[column].(string); ok {
			add(column, column, text)
		}
	}
	return all
}

// opening reads whom a prompt is about, and as of when.
type opening struct{ user, asOf, end string } // what stands before the user, between the two, and behind

// newOpening reads the template of prompts that tell all; those of a brief
// student name neither.
func newOpening(detail trajectories.Detail) (o opening, err error) {
	if detail != trajectories.Full {
		return o, nil
	}
	const user = "USER-ID"
	at := time.Unix(0, 0).UTC()
	messages, err := trajectories.Opening(tasks.Task{User: user, AsOf: at}, nil)
	if err != nil {
		return o, err
	}
	var ok bool
	var rest string
	if o.user, rest, ok = strings.Cut(messages[1].Content, user); ok {
		o.asOf, o.end, ok = strings.Cut(rest, at.Format(time.RFC3339))
	}
	if !ok {
		return o, errors.New("audit: the template of the task tells neither user nor moment")
	}
	return o, nil
}

// read returns the user and the moment that a prompt names.
func (o opening) read(prompt string) (user string, at time.Time, ok bool) {
	_, rest, ok := strings.Cut(prompt, o.user)
	if !ok || o.user == "" {
		return "", at, false
	}
	if user, rest, ok = strings.Cut(rest, o.asOf); !ok {
		return "", at, false
	}
	when, _, _ := strings.Cut(rest, "\n")
	at, err := time.Parse(time.RFC3339, strings.TrimSpace(when))
	return user, at, err == nil
}
