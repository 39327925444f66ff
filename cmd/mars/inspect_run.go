package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/trajectories"
)

// shown is how many characters of a text are shown without --full.
const shown = 600

// reader prints a trajectory as a person reads it: the tree of messages, each
// with its ID, who speaks to whom, and what was said.
//
//	1.2  brief  team -> analyst/recent
//	  1.2.3  reply  analyst/recent  builtin, 12 ms
//	    calls item_cf {"window": "last:10"}
type reader struct {
	w     io.Writer // a screen: what is printed is foreign text
	codes io.Writer // where the codes of colours go; nil: nowhere
	full  bool
	task  tasks.Task
}

func (r *reader) trajectory(t *trajectories.Trajectory) {
	r.head(t)
	for _, e := range t.Log {
		r.message(e)
	}
}

// head tells of the run as a whole.
func (r *reader) head(t *trajectories.Trajectory) {
	run := t.Run
	fmt.Fprintf(r.w, "run %s: %s", run.ID, run.Status)
	if run.Attempts > 1 {
		fmt.Fprintf(r.w, " at attempt %d", run.Attempts)
	}
	fmt.Fprintf(r.w, "\nuser %s, scenario %s, data set %s, as of %s, %d candidates\n",
		run.Task.User, run.Task.Scenario, run.Task.Dataset, run.Task.AsOf.Format(time.RFC3339), len(run.Task.Candidates))
	n := trajectories.Count(t.Log)
	fmt.Fprintf(r.w, "model %s, seed %d; %d messages, %d model calls, %d tool calls, %s tokens in, %s out\n",
		spoken(n.Models, run.Manifest), run.Manifest.Seed, n.Messages, n.Calls, n.Tools,
		thousands(int64(n.Usage.InputTokens)), thousands(int64(n.Usage.OutputTokens)))
	if run.Cause != "" {
		fmt.Fprintf(r.w, "failed: %s\n", run.Cause)
	}
	if len(run.Ranking) > 0 {
		fmt.Fprint(r.w, "ranking:")
		for i, item := range run.Ranking {
			label, _ := run.Task.Label(item)
			fmt.Fprintf(r.w, " %d. %s (%s)", i+1, item, label)
		}
		fmt.Fprintln(r.w)
	}
	if run.Seal != "" {
		fmt.Fprintf(r.w, "sealed %s\n", run.Seal)
	}
	fmt.Fprintln(r.w)
}

// message prints one message under its line.
func (r *reader) message(e message.Envelope) {
	indent := strings.Repeat("  ", strings.Count(string(e.ID), "."))
	line := fmt.Sprintf("%s  %s  %s", e.ID, e.Kind, e.From)
	if e.To != "" {
		line += " -> " + string(e.To)
	}
	fmt.Fprint(r.w, indent)
	r.paint(e.From, line)
	fmt.Fprintln(r.w, told(e))
	for text := range strings.Lines(r.body(e)) {
		fmt.Fprintf(r.w, "%s    %s\n", indent, strings.TrimRight(text, "\n"))
	}
}

// told is what the log knows of how a message came about.
func told(e message.Envelope) string {
	var parts []string
	if e.Meta.Model != "" {
		parts = append(parts, e.Meta.Model)
	}
	if e.Meta.Duration > 0 {
		parts = append(parts, e.Meta.Duration.Round(time.Microsecond).String())
	}
	if u := e.Meta.Usage; u != nil {
		parts = append(parts, fmt.Sprintf("%s tokens in, %s out", thousands(int64(u.InputTokens)), thousands(int64(u.OutputTokens))))
	}
	if e.Meta.Attempts > 1 {
		parts = append(parts, fmt.Sprintf("%d attempts", e.Meta.Attempts))
	}
	if e.Meta.Cached {
		parts = append(parts, "cached")
	}
	if len(parts) == 0 {
		return ""
	}
	return "  [" + strings.Join(parts, "; ") + "]"
}

// body is what was said, in words where the kind has any.
func (r *reader) body(e message.Envelope) string {
	text, err := r.words(e)
	if err != nil { // a kind of the user's own, or a body that is not of its kind
		return r.cut(string(e.Body))
	}
	return text
}

func (r *reader) words(e message.Envelope) (string, error) {
	switch e.Kind {
	case model.Message{}.Kind():
		m, err := message.Decode[model.Message](e)
		return r.cut(string(m.Role) + ": " + m.Content), err
	case model.Output{}.Kind():
		o, err := message.Decode[model.Output](e)
		return r.reply(o), err
	case tools.Result{}.Kind():
		res, err := message.Decode[tools.Result](e)
		return r.result(res), err
	case phase.Plan{}.Kind():
		p, err := message.Decode[phase.Plan](e)
		return r.cut(p.Summary) + subtasks(p.Subtasks), err
	case phase.Analysis{}.Kind():
		n, err := message.Decode[phase.Analysis](e)
		return r.cut(n.Summary) + list("- ", n.Claims) + "\n" + phase.WriteEvidence(n.Evidence), err
	case phase.Reflection{}.Kind():
		n, err := message.Decode[phase.Reflection](e)
		return string(n.Verdict) + list("- ", n.Issues) + subtasks(n.Subtasks), err
	case phase.Recommend{}.Kind():
		n, err := message.Decode[phase.Recommend](e)
		return r.ranking(n), err
	case phase.Summary{}.Kind():
		n, err := message.Decode[phase.Summary](e)
		return r.cut(n.Summary), err
	}
	return "", fmt.Errorf("a %s has no words", e.Kind)
}

func (r *reader) reply(o model.Output) string {
	var b strings.Builder
	if o.Message.Content != "" {
		b.WriteString(r.cut(o.Message.Content))
	}
	for _, c := range o.Message.ToolCalls {
		fmt.Fprintf(&b, "\ncalls %s %s", c.Name, r.cut(c.Arguments))
	}
	if o.Finish == "length" {
		b.WriteString("\n(the reply was cut off at its maximum length)")
	}
	return strings.TrimPrefix(b.String(), "\n")
}

// result prints a tool's sentences; of its numbers, only that they are there.
func (r *reader) result(res tools.Result) string {
	if res.Error != "" {
		return "error: " + res.Error
	}
	var v struct {
		Evidence []string         `json:"evidence"`
		Rankings []phase.Evidence `json:"rankings"`
	}
	value := string(res.Value)
	if err := json.Unmarshal(res.Value, &v); err != nil || len(v.Evidence) == 0 {
		return r.cut(res.Tool + ": " + value)
	}
	text := res.Tool + ":" + list("- ", v.Evidence)
	if r.full {
		return text + "\n" + value
	}
	return r.cut(text) + fmt.Sprintf("\n… the numbers behind it, %s characters; --full shows them", thousands(int64(utf8.RuneCountInString(value))))
}

// ranking puts the items behind the labels.
func (r *reader) ranking(n phase.Recommend) string {
	var b strings.Builder
	for i, label := range n.Ranking {
		item, ok := r.task.Item(label)
		if !ok {
			item = "no candidate"
		}
		fmt.Fprintf(&b, "%d. %s (%s) ", i+1, label, item)
	}
	return strings.TrimRight(b.String(), " ") + "\n" + r.cut(n.Justification)
}

func subtasks(all []phase.Subtask) string {
	var lines []string
	for _, s := range all {
		line := s.Role + ": " + s.Goal
		if s.Collaborative {
			line += " (with evidence from other users)"
		}
		lines = append(lines, line)
	}
	return list("- ", lines)
}

// list writes lines, each on its own, after what stands before them.
func list(mark string, lines []string) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString("\n" + mark + l)
	}
	return b.String()
}

// cut shortens a text, and says so.
func (r *reader) cut(s string) string {
	n := utf8.RuneCountInString(s)
	if r.full || n <= shown {
		return s
	}
	runes := []rune(s)
	return strings.TrimRight(string(runes[:shown]), "\n") + fmt.Sprintf("\n… %s more characters; --full shows them", thousands(int64(n-shown)))
}

// colours of the roles, by the first part of an address.
var colours = map[string]int{"user": 34, "team": 34, "planner": 36, "analyst": 32, "reflector": 35, "ranker": 33}

// paint writes a line in the colour of who speaks; a role of the user's own is
// bright.
func (r *reader) paint(from message.Address, line string) {
	if r.codes == nil {
		fmt.Fprint(r.w, line)
		return
	}
	kind, _, _ := strings.Cut(string(from), "/")
	code, ok := colours[kind]
	if !ok {
		code = 1
	}
	fmt.Fprintf(r.codes, "\x1b[%dm", code)
	fmt.Fprint(r.w, line)
	fmt.Fprint(r.codes, "\x1b[0m")
}
