package gold

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/tasks"
)

// AgentSociety reads the published tasks of the AgentSociety challenge, and of
// AgentRecBench, which shares its layout: a folder of task_N.json
//
//	{"type": "recommendation", "user_id": "u", "candidate_category": "book",
//	 "candidate_list": ["i1", "i2", ...], "loc": [-1, -1]}
//
// and a folder of groundtruth_N.json
//
//	{"ground truth": "i2"}
//
// paired by N. What is not used (category, loc, other fields) is passed over;
// what cannot be used is skipped and counted by reason: tasks of another type,
// without ground truth, with a true item that is no candidate. An id that a
// list names twice keeps its first place, and a note names file and id.
//
// The published tasks have no moment. If the data hold the true interaction,
// as_of is its time, so that it and what came after are invisible; otherwise,
// as in the published set-up, all of the data are visible, and as_of is
// [graph.Graph.End]. Scenario is what the tasks carry; their ids are
// agentsociety-N.
func AgentSociety(dataset string, g *graph.Graph, scenario Scenario, tasksDir, truthDir string) (*Set, error) {
	numbers, err := numbered(tasksDir, "task")
	if err != nil {
		return nil, fmt.Errorf("agentsociety tasks: %w", err)
	}
	if len(numbers) == 0 {
		return nil, fmt.Errorf("agentsociety tasks: %s has no file task_N.json", tasksDir)
	}
	truths, err := numbered(truthDir, "groundtruth")
	if err != nil {
		return nil, fmt.Errorf("agentsociety ground truth: %w", err)
	}
	p := &published{dataset, g, scenario, newSet("agentsociety", len(numbers))}
	for _, n := range numbers {
		reason, err := p.read(n, filepath.Join(tasksDir, n.file), filepath.Join(truthDir, "groundtruth_"+n.digits+".json"))
		if err != nil {
			return nil, fmt.Errorf("agentsociety: %w", err)
		}
		if reason != "" {
			p.set.Counts.Skipped[reason]++
		}
	}
	for _, n := range truths {
		if !slices.ContainsFunc(numbers, func(t number) bool { return t.digits == n.digits }) {
			p.note("%s has no task", n.file)
		}
	}
	return p.set, nil
}

// number is a file of a numbered series.
type number struct {
	file   string
	digits string
	value  int
}

var series = regexp.MustCompile(`^(task|groundtruth)_([0-9]{1,9})\.json$`)

// numbered lists the files kind_N.json of a folder, by N.
func numbered(dir, kind string) ([]number, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []number
	for _, e := range entries {
		m := series.FindStringSubmatch(e.Name())
		if m == nil || m[1] != kind {
			continue
		}
		value, err := strconv.Atoi(m[2])
		if err != nil {
			return nil, err
		}
		out = append(out, number{e.Name(), m[2], value})
	}
	slices.SortStableFunc(out, func(a, b number) int { return a.value - b.value })
	return out, nil
}

// published collects published tasks into a set.
type published struct {
	dataset  string
	g        *graph.Graph
	scenario Scenario
	set      *Set
}

func (p *published) note(format string, args ...any) {
	p.set.Notes = append(p.set.Notes, fmt.Sprintf(format, args...))
}

// read adds one task to the set, or returns why it was skipped.
func (p *published) read(n number, taskPath, truthPath string) (skipped string, err error) {
	var task struct {
		Type       string      `json:"type"`
		User       foreignID   `json:"user_id"`
		Candidates []foreignID `json:"candidate_list"`
	}
	if err := readForeign(taskPath, &task); err != nil {
		return "", err
	}
	if task.Type != "recommendation" {
		return fmt.Sprintf("task of type %q", task.Type), nil
	}
	var truth struct {
		Item foreignID `json:"ground truth"`
	}
	if err := readForeign(truthPath, &truth); errors.Is(err, fs.ErrNotExist) {
		return "no ground truth", nil
	} else if err != nil {
		return "", err
	}
	c := Case{
		tasks.Task{ID: "agentsociety-" + n.digits, Dataset: p.dataset, User: string(task.User), Scenario: string(p.scenario)},
		Gold{Items: []string{string(truth.Item)}},
	}
	c.Gold.ID = c.Task.ID
	for _, id := range task.Candidates {
		if item := string(id); slices.Contains(c.Task.Candidates, item) {
			p.note("%s: candidate %s is listed twice: the first place stays", n.file, item)
		} else {
			c.Task.Candidates = append(c.Task.Candidates, item)
		}
	}
	if !slices.Contains(c.Task.Candidates, string(truth.Item)) {
		return "true item is not a candidate", nil
	}
	c.Task.AsOf = p.asOf(c, n)
	if err := c.Check(); err != nil {
		return "", fmt.Errorf("%s: %w", n.file, err)
	}
	p.set.Cases = append(p.set.Cases, c)
	p.set.Counts.Tasks[p.scenario]++
	return "", nil
}

// asOf returns the moment of a published task, and notes what is odd about it.
func (p *published) asOf(c Case, n number) time.Time {
	end := p.g.At(p.g.End())
	user, ok := end.User(c.Task.User)
	if !ok {
		p.note("%s: user %s is not in the data", n.file, c.Task.User)
		return p.g.End()
	}
	asOf, had := p.g.End(), []string(nil)
	for _, e := range end.History(user) {
		item := end.ItemID(e.Item)
		if c.Gold.Has(item) {
			asOf = e.Time
			p.note("%s: the true interaction is in the data: as_of is its time", n.file)
			break
		}
		if slices.Contains(c.Task.Candidates, item) {
			had = append(had, item)
		}
	}
	if len(had) > 0 {
		p.note("%s: the user has had candidates before as_of: %s", n.file, strings.Join(had, ", "))
	}
	return asOf.UTC()
}

var whole = regexp.MustCompile(`^[0-9]{1,30}$`)

// foreignID is an id that a source writes as a string or as a whole number.
type foreignID string

// UnmarshalJSON implements [json.Unmarshaler].
func (id *foreignID) UnmarshalJSON(b []byte) error {
	if whole.Match(b) {
		*id = foreignID(b)
		return nil
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil || b[0] != '"' {
		return errors.New("want an id: a string or a whole number")
	}
	if s == "" || len(s) > 200 || strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
		return fmt.Errorf("id %q: want 1 to 200 bytes without control characters", s)
	}
	*id = foreignID(s)
	return nil
}

// maxForeign bounds the size of a published file, in bytes.
const maxForeign = 1 << 20

// readForeign reads one JSON object from a small file; unknown fields pass.
func readForeign(path string, v any) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxForeign+1))
	switch {
	case err != nil:
		return err
	case len(b) > maxForeign:
		return fmt.Errorf("%s: larger than %d bytes: want one JSON object", path, maxForeign)
	case !utf8.Valid(b):
		return fmt.Errorf("%s: not UTF-8", path)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
