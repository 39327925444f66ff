package main

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/mars-rec/mars/orchestrator/monitor"
	"github.com/mars-rec/mars/trajectories/overview"
)

// frame is how the synthesis stands, in lines of 80 characters or little more.
// What matters most stands above.
func (s standing) frame() []string {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	clock := s.At.Format("15:04:05")
	if o := s.Runs; o != nil {
		add("%s  %s: %s", clock, s.Store, weightless(s.Model))
		add("%s %s", progressBar(o.Done+o.Failed, o.Total, 20), s.runsLine())
		add("%s", s.paceLine())
		if s.Idle {
			add("the command that began it, mars synth with --out %s, goes on from here", s.Store)
		}
		add("%s model calls, %s tool calls; %s", thousands(int64(o.Calls)), thousands(int64(o.Tools)), s.money())
	} else {
		add("%s  a synthesis, by its metrics", clock)
		p := s.Process
		ended := p.Ended["done"] + p.Ended["failed"] + p.Ended["skipped"]
		add("%s %s", progressBar(ended, p.Planned, 20), processRuns(*p))
		add("%s", processPace(*p, s.At))
		if spent := processMoney(*p); spent != "" {
			add("%s", spent)
		}
	}
	if p := s.Process; p != nil {
		lines = append(lines, processLines(*p)...)
	}
	if s.Silent != "" && !s.ended() {
		add("the process does not tell: %s", s.Silent)
	}
	if o := s.Runs; o != nil {
		lines = append(lines, failures(*o)...)
		lines = append(lines, s.flights()...)
		return append(lines, tables(*o)...)
	}
	for _, class := range slices.Sorted(maps.Keys(s.Process.Failures)) {
		add("failed %s × %s", thousands(int64(s.Process.Failures[class])), class)
	}
	lines = append(lines, s.flights()...)
	lines = append(lines, timed("ROLE", s.Process.Roles)...)
	lines = append(lines, timed("MODEL", s.Process.Models)...)
	return append(lines, timed("TOOL", s.Process.Tools)...)
}

// weights is how the name of a model ends that says which weights it has.
var weights = regexp.MustCompile(` sha256:[0-9a-f]+`)

// weightless names models without that.
func weightless(names string) string { return weights.ReplaceAllString(names, "") }

// line is the same in a few words, for a pipe.
func (s standing) line() string {
	clock := s.At.Format("15:04:05 ")
	if s.Runs != nil {
		return clock + s.runsLine() + "; " + s.paceLine() + "; " + s.money()
	}
	return clock + processRuns(*s.Process) + "; " + processPace(*s.Process, s.At)
}

func (s standing) runsLine() string {
	o, running := s.Runs, "at work"
	if s.Idle {
		running = "begun"
	}
	text := fmt.Sprintf("%s of %s done", thousands(int64(o.Done)), thousands(int64(o.Total)))
	for _, part := range []struct {
		n    int
		what string
	}{{o.Failed, "failed"}, {o.Running, running}, {o.Pending, "to do"}} {
		if part.n > 0 {
			text += fmt.Sprintf(", %s %s", thousands(int64(part.n)), part.what)
		}
	}
	return text
}

func (s standing) paceLine() string {
	o := s.Runs
	var parts []string
	if s.Idle {
		parts = append(parts, "nobody is at work on it")
	} else if o.PerMinute > 0 {
		parts = append(parts, rate(o.PerMinute))
	}
	if o.Left > 0 {
		parts = append(parts, brisk(o.Left)+" left")
	}
	if !o.Last.IsZero() {
		if ago := o.At.Sub(o.Last); ago > 0 {
			parts = append(parts, "last written "+brisk(ago)+" ago")
		}
	}
	if len(parts) == 0 {
		return "nothing has ended yet"
	}
	return strings.Join(parts, ", ")
}

func rate(perMinute float64) string {
	if perMinute >= 600 {
		return fmt.Sprintf("%.0f runs a second", perMinute/60)
	}
	return fmt.Sprintf("%.3g runs a minute", perMinute)
}

// brisk writes a time in few characters.
func brisk(d time.Duration) string {
	for _, step := range []struct{ from, to time.Duration }{
		{10 * time.Second, time.Second}, {time.Second, 100 * time.Millisecond}, {10 * time.Millisecond, time.Millisecond}, {time.Millisecond, 100 * time.Microsecond},
	} {
		if d >= step.from {
			return d.Round(step.to).String()
		}
	}
	return d.Round(time.Microsecond).String()
}

// money tells tokens and, where it is known, what they cost.
func (s standing) money() string {
	u := s.Runs.Usage
	text := fmt.Sprintf("tokens: %s in, %s out", thousands(int64(u.InputTokens)), thousands(int64(u.OutputTokens)))
	if b := s.Spend; b != nil && b.Currency != "" {
		text += fmt.Sprintf("; %s %s", short(b.Total.Cost), b.Currency)
	}
	return text
}

// limits tells what is left of budgets.
func limits(p monitor.Snapshot) string {
	var parts []string
	for _, unit := range slices.Sorted(maps.Keys(p.Spend)) {
		if c := p.Spend[unit]; c.Limit > 0 {
			parts = append(parts, fmt.Sprintf("%.4g of %.4g %s left", c.Left, c.Limit, unit))
		}
	}
	return strings.Join(parts, ", ")
}

func progressBar(done, total, width int) string {
	n := 0
	if total > 0 {
		n = width * done / total
	}
	n = min(n, width)
	return strings.Repeat("█", n) + strings.Repeat("░", width-n)
}

const topRow = "%-23s %7s %11s %9s %8s %8s %8s"

func tables(o overview.Overview) []string {
	if o.Window == 0 {
		return nil
	}
	lines := []string{"", fmt.Sprintf("of the last %s runs:", thousands(int64(o.Window)))}
	for _, t := range []struct {
		head string
		rows []overview.Row
	}{{"ROLE", o.Roles}, {"MODEL", o.Models}} {
		if len(t.rows) == 0 {
			continue // nothing came of any call
		}
		lines = append(lines, fmt.Sprintf(topRow, t.head, "CALLS", "TOKENS IN", "OUT", "P50", "P95", "RETRIES"))
		for _, r := range t.rows {
			lines = append(lines, fmt.Sprintf(topRow, r.Name, thousands(int64(r.Calls)), thousands(int64(r.Usage.InputTokens)), thousands(int64(r.Usage.OutputTokens)),
				brisk(r.Median), brisk(r.High), thousands(int64(r.Retries))))
		}
	}
	if len(o.ToolRows) > 0 {
		lines = append(lines, fmt.Sprintf(topRow, "TOOL", "CALLS", "", "", "P50", "P95", "MISTAKES"))
		for _, r := range o.ToolRows {
			lines = append(lines, fmt.Sprintf(topRow, r.Name, thousands(int64(r.Calls)), "", "", brisk(r.Median), brisk(r.High), thousands(int64(r.Refused))))
		}
	}
	return lines
}

// timed is a table of what the metrics tell.
func timed(head string, rows []monitor.Timed) []string {
	if len(rows) == 0 {
		return nil
	}
	lines := []string{"", fmt.Sprintf(topRow, head, "CALLS", "TOKENS IN", "OUT", "~P50", "~P95", "")}
	seconds := func(s float64) string { return brisk(time.Duration(s * float64(time.Second))) }
	for _, r := range rows {
		lines = append(lines, fmt.Sprintf(topRow, r.Name, thousands(int64(r.Calls)), thousands(int64(r.InputTokens)), thousands(int64(r.OutputTokens)),
			seconds(r.MedianSeconds), seconds(r.HighSeconds), ""))
	}
	return lines
}

// mostShown is how many causes and runs at work are shown.
const mostShown = 5

func failures(o overview.Overview) []string {
	var lines []string
	for _, f := range o.Failures[:min(len(o.Failures), mostShown)] {
		before := fmt.Sprintf("failed %s × %s: ", thousands(int64(f.Runs)), f.Class)
		lines = append(lines, before+essence(f.Cause, 80-runewidth.StringWidth(before)))
	}
	if more := len(o.Failures) - mostShown; more > 0 {
		lines = append(lines, fmt.Sprintf("and of %d other causes", more))
	}
	return lines
}

// essence shortens a cause to so many characters: where it was comes first, and
// what it was comes last.
func essence(cause string, width int) string {
	cause = oneLine(cause)
	if runewidth.StringWidth(cause) <= width {
		return cause
	}
	parts := strings.Split(cause, ": ")
	head, tail := parts[0], parts[len(parts)-1]
	for i := len(parts) - 2; i > 0; i-- {
		if longer := parts[i] + ": " + tail; runewidth.StringWidth(head+": … "+longer) <= width {
			tail = longer
			continue
		}
		break
	}
	return runewidth.Truncate(head+": … "+tail, width, "…")
}

// flights are the runs at work, the slowest first: as the process knows them, or
// else as the store does.
func (s standing) flights() []string {
	const line = "%-32s %9s  %s"
	lines := []string{"", fmt.Sprintf(line, "AT WORK", "FOR", "WAITS FOR")}
	if s.Process != nil {
		for _, f := range s.Flights[:min(len(s.Flights), mostShown)] {
			var waits []string
			for _, w := range f.Waits {
				waits = append(waits, string(w.Path)+" "+string(w.Role))
			}
			lines = append(lines, fmt.Sprintf(line, f.Run, brisk(time.Duration(f.Seconds*float64(time.Second))), cmp.Or(strings.Join(waits, ", "), "tools")))
		}
	} else if s.Runs != nil {
		head := "AT WORK"
		if s.Idle {
			head = "BEGUN"
		}
		lines[1] = fmt.Sprintf(line, head, "FOR", "LAST HEARD")
		for _, f := range s.Runs.AtWork[:min(len(s.Runs.AtWork), mostShown)] {
			since := "-"
			if !f.Since.IsZero() {
				since = brisk(s.At.Sub(f.Since))
			}
			lines = append(lines, fmt.Sprintf(line, f.Run, since, strings.TrimSpace(string(f.Path)+" "+string(f.Role))))
		}
	}
	if len(lines) == 2 {
		return nil
	}
	return lines
}
