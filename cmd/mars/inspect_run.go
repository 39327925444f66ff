package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
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
	w      io.Writer
	colour bool
	full   bool
	task   tasks.Task
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
	fmt.Fprintf(r.w, "run %s: %s", visible(run.ID), run.Status)
	if run.Attempts > 1 {
		fmt.Fprintf(r.w, " at attempt %d", run.Attempts)
	}
	fmt.Fprintf(r.w, "\nuser %s, scenario %s, data set %s, as of %s, %d candidates\n",
		visible(run.Task.User), visible(run.Task.Scenario), visible(run.Task.Dataset), run.Task.AsOf.Format(time.RFC3339), len(run.Task.Candidates))
	var models []string
	calls, called, in, out := 0, 0, 0, 0
	for _, e := range t.Log {
		switch {
		case !e.Fact():
		case e.Kind == tools.Result{}.Kind():
			called++
		default:
			calls++
			if m := e.Meta.Model; m != "" && !strings.Contains(", "+strings.Join(models, ", ")+",", ", "+m+",") {
				models = append(models, m)
			}
		}
		if u := e.Meta.Usage; u != nil {
			in, out = in+u.InputTokens, out+u.OutputTokens
		}
	}
	fmt.Fprintf(r.w, "model %s, seed %d; %d messages, %d model calls, %d tool calls, %s tokens in, %s out\n",
		visible(spoken(models, run.Manifest)), run.Manifest.Seed, len(t.Log), calls, called, thousands(int64(in)), thousands(int64(out)))
	if run.Cause != "" {
		fmt.Fprintf(r.w, "failed: %s\n", visible(run.Cause))
	}
	if len(run.Ranking) > 0 {
		fmt.Fprint(r.w, "ranking:")
		for i, item := range run.Ranking {
			label, _ := run.Task.Label(item)
			fmt.Fprintf(r.w, " %d. %s (%s)", i+1, visible(item), label)
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
	line := fmt.Sprintf("%s  %s  %s", e.ID, visible(string(e.Kind)), visible(string(e.From)))
	if e.To != "" {
		line += " -> " + visible(string(e.To))
	}
	fmt.Fprintf(r.w, "%s%s%s\n", indent, r.paint(e.From, line), told(e))
	for text := range strings.Lines(r.body(e)) {
		fmt.Fprintf(r.w, "%s    %s\n", indent, strings.TrimRight(text, "\n"))
	}
}

// told is what the log knows of how a message came about.
func told(e message.Envelope) string {
	var parts []string
	if e.Meta.Model != "" {
		parts = append(parts, visible(e.Meta.Model))
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
		return r.cut(visible(string(e.Body)))
	}
	return text
}

func (r *reader) words(e message.Envelope) (string, error) {
	switch e.Kind {
	case model.Message{}.Kind():
		m, err := message.Decode[model.Message](e)
		return r.cut(string(m.Role) + ": " + visible(m.Content)), err
	case model.Output{}.Kind():
		o, err := message.Decode[model.Output](e)
		return r.reply(o), err
	case tools.Result{}.Kind():
		res, err := message.Decode[tools.Result](e)
		return r.result(res), err
	case phase.Plan{}.Kind():
		p, err := message.Decode[phase.Plan](e)
		return r.cut(visible(p.Summary)) + subtasks(p.Subtasks), err
	case phase.Analysis{}.Kind():
		n, err := message.Decode[phase.Analysis](e)
		return r.cut(visible(n.Summary)) + list("- ", n.Claims) + "\n" + visible(phase.WriteEvidence(n.Evidence)), err
	case phase.Reflection{}.Kind():
		n, err := message.Decode[phase.Reflection](e)
		return visible(string(n.Verdict)) + list("- ", n.Issues) + subtasks(n.Subtasks), err
	case phase.Recommend{}.Kind():
		n, err := message.Decode[phase.Recommend](e)
		return r.ranking(n), err
	case phase.Summary{}.Kind():
		n, err := message.Decode[phase.Summary](e)
		return r.cut(visible(n.Summary)), err
	}
	return "", fmt.Errorf("a %s has no words", e.Kind)
}

func (r *reader) reply(o model.Output) string {
	var b strings.Builder
	if o.Message.Content != "" {
		b.WriteString(r.cut(visible(o.Message.Content)))
	}
	for _, c := range o.Message.ToolCalls {
		fmt.Fprintf(&b, "\ncalls %s %s", visible(c.Name), r.cut(visible(c.Arguments)))
	}
	if o.Finish == "length" {
		b.WriteString("\n(the reply was cut off at its maximum length)")
	}
	return strings.TrimPrefix(b.String(), "\n")
}

// result prints a tool's sentences; of its numbers, only that they are there.
func (r *reader) result(res tools.Result) string {
	if res.Error != "" {
		return "error: " + visible(res.Error)
	}
	var v struct {
		Evidence []string         `json:"evidence"`
		Rankings []phase.Evidence `json:"rankings"`
	}
	value := visible(string(res.Value))
	if err := json.Unmarshal(res.Value, &v); err != nil || len(v.Evidence) == 0 {
		return r.cut(visible(res.Tool) + ": " + value)
	}
	text := visible(res.Tool) + ":" + list("- ", v.Evidence)
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
		fmt.Fprintf(&b, "%d. %s (%s) ", i+1, visible(label), visible(item))
	}
	return strings.TrimRight(b.String(), " ") + "\n" + r.cut(visible(n.Justification))
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
		b.WriteString("\n" + mark + visible(l))
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

// visible writes what a terminal would obey, or not show, as an escape.
func visible(s string) string {
	if !strings.ContainsFunc(s, hidden) {
		return s
	}
	var b strings.Builder
	for _, c := range s {
		switch {
		case !hidden(c):
			b.WriteRune(c)
		case c < 0x100:
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			fmt.Fprintf(&b, `\u%04x`, c)
		}
	}
	return b.String()
}

// hidden reports whether c is a control or format character: escape sequences,
// marks that turn the direction of writing, characters without width.
func hidden(c rune) bool {
	return c != '\n' && c != '\t' && (unicode.Is(unicode.Cc, c) || unicode.Is(unicode.Cf, c) || c == utf8.RuneError)
}

// colours of the roles, by the first part of an address.
var colours = map[string]int{"user": 34, "team": 34, "planner": 36, "analyst": 32, "reflector": 35, "ranker": 33}

// paint colours a line by who speaks; a role of the user's own is bright.
func (r *reader) paint(from message.Address, line string) string {
	if !r.colour {
		return line
	}
	kind, _, _ := strings.Cut(string(from), "/")
	code, ok := colours[kind]
	if !ok {
		code = 1
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", code, line)
}
