package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"
	"pgregory.net/rapid"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model/budget"
	"github.com/mars-rec/mars/orchestrator/monitor"
	"github.com/mars-rec/mars/trajectories/overview"
)

// busy is a synthesis in the midst of its work, with names as foreign hands might
// write them.
func busy(name string) standing {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	rows := []overview.Row{{Name: name, Calls: 1234567, Usage: message.Usage{InputTokens: 123456789, OutputTokens: 12345678}, Median: 1234 * time.Millisecond, High: time.Minute, Retries: 17, Refused: 3}}
	return standing{Store: "run.db", Model: name, At: at,
		Runs: &overview.Overview{At: at, Total: 100, Done: 40, Failed: 3, Running: 2, Pending: 55, Calls: 500, Tools: 400, Window: 43, PerMinute: 12.5, Left: 4*time.Minute + 33*time.Second,
			Last: at.Add(-2 * time.Second), Roles: rows, Models: rows, ToolRows: rows, Failures: []overview.Failure{{Class: "429", Cause: name + ": generate #: after # attempts: openai: x at http://host:#/v#: status #: slow down", Runs: 3}},
			AtWork: []overview.Flight{{Run: name, Since: at.Add(-90 * time.Second), Path: "1.2.3", Role: message.Address(name), Facts: 4}, {Run: "new"}}},
		Spend: &budget.Statement{Currency: "EUR", Total: budget.Charge{Cost: budget.One / 4}}}
}

func TestTopFrame(t *testing.T) {
	const want = `12:00:00  run.db: m
████████░░░░░░░░░░░░ 40 of 100 done, 3 failed, 2 at work, 55 to do
12.5 runs a minute, 4m33s left, last written 2s ago
500 model calls, 400 tool calls; tokens: 0 in, 0 out; 0.25 EUR
failed 3 × 429: m: … openai: x at http://host:#/v#: status #: slow down

AT WORK                                FOR  LAST HEARD
m                                    1m30s  1.2.3 m
new                                      -

of the last 43 runs:
ROLE                      CALLS   TOKENS IN       OUT      P50      P95  RETRIES
m                       1,234,567 123,456,789 12,345,678     1.2s     1m0s       17
MODEL                     CALLS   TOKENS IN       OUT      P50      P95  RETRIES
m                       1,234,567 123,456,789 12,345,678     1.2s     1m0s       17
TOOL                      CALLS                            P50      P95 MISTAKES
m                       1,234,567                           1.2s     1m0s        3
`
	var b strings.Builder
	writeFrame(&b, busy("m").frame(), 90, 0)
	if b.String() != want {
		t.Errorf("it shows\n%s\nwant\n%s", b.String(), want)
	}
	if got := busy("m").line(); got != "12:00:00 40 of 100 done, 3 failed, 2 at work, 55 to do; 12.5 runs a minute, 4m33s left, last written 2s ago; tokens: 0 in, 0 out; 0.25 EUR" {
		t.Errorf("in a pipe: %s", got)
	}
}

// TestPainter: whatever names there are, a frame is one write that fits the
// terminal and steers it only as the painter does.
func TestPainter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := busy(rapid.String().Draw(t, "name"))
		s.Silent = rapid.String().Draw(t, "silent")
		var w writes
		if err := (painter{&w}).paint(s.frame()); err != nil {
			t.Fatal(err)
		}
		if len(w) != 1 {
			t.Fatalf("%d writes", len(w))
		}
		frame, ok := strings.CutPrefix(w[0], "\x1b[H")
		frame, end := strings.CutSuffix(frame, "\x1b[J")
		lines := strings.Split(frame, "\x1b[K\r\n")
		if !ok || !end || len(lines) > 24 {
			t.Fatalf("%d lines: %q", len(lines), w[0])
		}
		for _, l := range lines {
			if runewidth.StringWidth(l) > 80 || strings.ContainsFunc(l, hidden) || strings.ContainsAny(l, "\n\t") {
				t.Fatalf("the line %q does not fit or steers", l)
			}
		}
	})
}

type writes []string

func (w *writes) Write(b []byte) (int, error) { *w = append(*w, string(b)); return len(b), nil }

// TestTopOfASynthesis looks at a synthesis that is held in the midst of its work:
// by its store, by its store and its metrics, and by its metrics alone.
func TestTopOfASynthesis(t *testing.T) {
	said, finish := working(t, "--metrics", "127.0.0.1:0", "--durable", "step")
	address := ""
	for line := range said {
		if _, url, ok := strings.Cut(line, "metrics at "); ok {
			address = url
			break
		}
	}
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"run.db"}, []string{"1 of 3 done, 1 at work, 1 to do", "LAST HEARD", "planner", "TOOL", "EUR"}},
		{[]string{"run.db", "--metrics", address}, []string{"1 of 3 done, 1 at work, 1 to do", "WAITS FOR", "1 × 429", "openai:builtin: ", "of 100 EUR left"}},
		{[]string{address}, []string{"by its metrics", "1 of 3 done, 1 at work", "WAITS FOR", "1 × 429", "reflector", "~P95"}},
	} {
		got := mars(t, append(append([]string{"top"}, c.args...), "--once")...)
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("top %v: %q is missing from\n%s", c.args, want, got)
			}
		}
	}
	var s standing
	if err := json.Unmarshal([]byte(mars(t, "top", "run.db", "--metrics", address, "--json")), &s); err != nil || s.Runs.Done != 1 || s.Process.Planned != 3 || len(s.Flights) != 1 || len(s.Flights[0].Waits) == 0 {
		t.Errorf("as JSON: %+v, %v", s, err)
	}
	if code := finish(); code != exitOK {
		t.Fatalf("exit %d", code)
	}
	// All runs have ended: it does not go on, and the silence of the process is no news.
	if got := mars(t, "top", "run.db", "--metrics", address); !strings.Contains(got, "3 of 3 done; ") || strings.Count(got, "\n") != 1 {
		t.Errorf("after the end it shows %s", got)
	}
	var out, messages bytes.Buffer
	if code := run(t.Context(), []string{"top", address, "--once"}, strings.NewReader(""), &out, &messages, time.Now); code != exitFailure || !strings.Contains(messages.String(), "mars synth --metrics serves them") {
		t.Errorf("without a process: exit %d, %s", code, messages.String())
	}
}

// TestTopGoesOn: it looks again until the store says that all have ended, a line
// each time where there is no terminal.
func TestTopGoesOn(t *testing.T) {
	left := 3
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/runs" {
			fmt.Fprint(w, "[]")
			return
		}
		if left--; left < 0 {
			panic(http.ErrAbortHandler) // the process has ended
		}
		m := monitor.NewMetrics()
		m.Plan(10)
		m.Handler().ServeHTTP(w, r)
	}))
	defer server.Close()
	got := mars(t, "top", server.URL, "--interval", "100ms")
	if strings.Count(got, "0 of 10 done, 0 at work") != 3 {
		t.Errorf("it shows %s", got)
	}
	var s standing
	lines := strings.Split(strings.TrimSpace(got), "\n")
	left = 2
	for line := range strings.Lines(mars(t, "top", server.URL, "--interval", "100ms", "--json")) {
		if err := errors.Join(json.Unmarshal([]byte(line), &s)); err != nil || s.Process.Planned != 10 {
			t.Errorf("%s: %v", line, err)
		}
	}
	if len(lines) != 3 {
		t.Errorf("%d lines", len(lines))
	}
}
