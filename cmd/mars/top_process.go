package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mars-rec/mars/orchestrator/monitor"
)

// What only the process of a synthesis knows, in words.

func processRuns(p monitor.Snapshot) string {
	text := fmt.Sprintf("%s of %s done", thousands(int64(p.Ended["done"]+p.Ended["skipped"])), thousands(int64(p.Planned)))
	for _, outcome := range []string{"failed", "interrupted"} {
		if n := p.Ended[outcome]; n > 0 {
			text += fmt.Sprintf(", %s %s", thousands(int64(n)), outcome)
		}
	}
	return text + fmt.Sprintf(", %s at work", thousands(int64(p.InFlight)))
}

// processPace is made of all that the process did since it began.
func processPace(p monitor.Snapshot, now time.Time) string {
	made := p.Ended["done"] + p.Ended["failed"]
	took := now.Sub(p.Began)
	if made == 0 || p.Began.IsZero() || took <= 0 {
		return "nothing has ended yet"
	}
	perMinute := float64(made) / took.Minutes()
	text := rate(perMinute)
	if left := p.Planned - made - p.Ended["skipped"]; left > 0 {
		text += ", " + brisk(time.Duration(float64(left)/perMinute*float64(time.Minute))) + " left"
	}
	return text
}

func processMoney(p monitor.Snapshot) string {
	var parts []string
	for _, unit := range slices.Sorted(maps.Keys(p.Spend)) {
		parts = append(parts, fmt.Sprintf("%.4g %s", p.Spend[unit].Spent, unit))
	}
	if len(parts) == 0 {
		return ""
	}
	return "spent " + strings.Join(parts, "; ")
}

// processLines tell of calls, limits and breakers.
func processLines(p monitor.Snapshot) []string {
	var lines []string
	calls := 0
	var failed []string
	for _, outcome := range slices.Sorted(maps.Keys(p.Outcomes)) {
		calls += p.Outcomes[outcome]
		if outcome != "ok" {
			failed = append(failed, fmt.Sprintf("%s × %s", thousands(int64(p.Outcomes[outcome])), outcome))
		}
	}
	text := fmt.Sprintf("%s attempts, %s retries", thousands(int64(calls)), thousands(int64(p.Retries)))
	if len(failed) > 0 {
		text += " (" + strings.Join(failed, ", ") + ")"
	}
	if p.Queue > 0 {
		text += "; store queue " + thousands(int64(p.Queue))
	}
	lines = append(lines, text)
	if left := limits(p); left != "" {
		lines = append(lines, left)
	}
	for _, l := range p.Limits {
		lines = append(lines, fmt.Sprintf("%s: %d calls in flight of %d, %d waiting", l.Model, l.InFlight, l.Limit, l.Waiting))
	}
	for _, provider := range p.Open {
		lines = append(lines, "no call is let through to "+provider+": it fails")
	}
	return lines
}
