package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// progressEvery is the time between plain lines where there is no terminal.
const progressEvery = 5 * time.Second

// progress tells the person at the terminal how far a command has come and how
// long the rest will take: a bar on a terminal, a plain line every few seconds
// in a pipe, nothing with --json. Both say the same:
//
//	synth: 120/610 (20%), 14s, 57s left, 1.2M tokens, 3 failed
//
// It is safe for concurrent use. Close ends it, also after an error.
type progress struct {
	app   *app
	label string
	unit  func(int64) string

	mu      sync.Mutex
	started time.Time
	told    time.Time // when the last plain line was written
	total   int64     // 0: unknown
	skipped int64     // done before the start; they say nothing about speed
	done    int64
	extra   string
	closed  bool

	bars *mpb.Progress // nil without a terminal
	bar  *mpb.Bar
}

// progress starts to show the work called label: total units of it, 0 if not
// known yet. unit writes an amount: thousands or byteSize.
func (a *app) progress(label string, total int64, unit func(int64) string) *progress {
	p := &progress{app: a, label: label, unit: unit, total: total, started: a.now()}
	p.told = p.started
	switch {
	case a.json:
	case terminal(a.stderr):
		p.bars = mpb.New(mpb.WithOutput(a.stderr), mpb.WithWidth(24), mpb.WithRefreshRate(100*time.Millisecond))
		p.bar = p.bars.AddBar(0, mpb.BarFillerTrim(),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return " " + p.line() })))
		p.bar.SetTotal(total, false)
	default:
		a.notef("%s", p.line())
	}
	return p
}

// Skip counts n units that were done before this command started.
func (p *progress) Skip(n int64) {
	p.mu.Lock()
	p.skipped += n
	p.mu.Unlock()
	p.Add(n)
}

// Add counts n more units as done.
func (p *progress) Add(n int64) {
	p.mu.Lock()
	p.done += n
	due := p.app.now().Sub(p.told) >= progressEvery
	if due {
		p.told = p.app.now()
	}
	p.mu.Unlock()
	if p.bar != nil {
		p.bar.IncrInt64(n)
	} else if due && !p.app.json {
		p.app.notef("%s", p.line())
	}
}

// Total sets the amount of work, where it was not known or has changed.
func (p *progress) Total(total int64) {
	p.mu.Lock()
	p.total = total
	p.mu.Unlock()
	if p.bar != nil {
		p.bar.SetTotal(total, false)
	}
}

// Extra sets what is told behind the numbers: tokens, failures, the file that
// is being read.
func (p *progress) Extra(format string, args ...any) {
	p.mu.Lock()
	p.extra = printable(fmt.Sprintf(format, args...))
	p.mu.Unlock()
}

// notef writes a message without breaking the bar. With --json it writes
// nothing.
func (p *progress) notef(format string, args ...any) {
	if p.app.json {
		return
	}
	var w io.Writer = p.app.stderr
	if p.bars != nil {
		w = p.bars
	}
	fmt.Fprintln(w, printable(fmt.Sprintf(format, args...)))
}

// Close shows the last state. Further calls do nothing.
func (p *progress) Close() {
	p.mu.Lock()
	closed := p.closed
	p.closed = true
	p.mu.Unlock()
	switch {
	case closed || p.app.json:
	case p.bar != nil:
		p.bar.Abort(false)
		p.bars.Wait()
	default:
		p.app.notef("%s", p.line())
	}
}

// line is the state in words.
func (p *progress) line() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", p.label, p.unit(p.done))
	if p.total > 0 {
		fmt.Fprintf(&b, "/%s (%d%%)", p.unit(p.total), min(100, 100*p.done/p.total))
	}
	elapsed := p.app.now().Sub(p.started)
	if elapsed >= time.Second {
		fmt.Fprintf(&b, ", %s", elapsed.Round(time.Second))
	}
	if worked := p.done - p.skipped; !p.closed && worked > 0 && p.total > p.done && elapsed >= time.Second {
		left := time.Duration(float64(elapsed) / float64(worked) * float64(p.total-p.done))
		fmt.Fprintf(&b, ", %s left", left.Round(time.Second))
	}
	if p.extra != "" {
		b.WriteString(", " + p.extra)
	}
	return b.String()
}

// thousands writes a count with separators: 100,836.
func thousands(n int64) string {
	digits, sign := strconv.FormatInt(n, 10), ""
	if n < 0 {
		digits, sign = digits[1:], "-"
	}
	grouped := ""
	for len(digits) > 3 {
		cut := len(digits) - 3
		digits, grouped = digits[:cut], ","+digits[cut:]+grouped
	}
	return sign + digits + grouped
}

// byteSize writes a number of bytes: 2.4 MB.
func byteSize(n int64) string {
	const kilo = 1000
	if n < kilo {
		return strconv.FormatInt(n, 10) + " B"
	}
	size, unit := float64(n)/kilo, 0
	for size >= kilo && unit < 3 {
		size, unit = size/kilo, unit+1
	}
	return fmt.Sprintf("%.1f %cB", size, "kMGT"[unit])
}
