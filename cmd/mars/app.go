package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/mars-rec/mars/message"
)

// Exit codes, as `mars help exit-codes` prints them.
const (
	exitOK      = 0
	exitFailure = 1 // the command could not do its work, or did only part of it
	exitUsage   = 2 // the command line or a configuration file is wrong
	exitGate    = 3 // the command ran, and what it checks does not hold (replay, verify, diff, audit)
	exitBudget  = 4 // the budget is reached, and work is left
)

// app is what every command works with.
type app struct {
	stdout, stderr io.Writer // data goes to stdout, messages to stderr
	now            func() time.Time
	json           bool // --json: data as JSON, errors too
	guided         bool // by the demo or a pipeline, which go on by themselves
	interrupted    atomic.Bool
	drain          atomic.Pointer[chan struct{}]
}

// run is the whole program; it returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, now func() time.Time) int {
	a := &app{stdout: stdout, stderr: stderr, now: now}
	ctx, stop := a.interrupts(ctx)
	defer stop()
	root := a.root()
	completes(root)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	a.json = a.json || slices.Contains(args, "--json") // also where the flags before it cannot be read
	return a.report(err)
}

// interrupts returns a context that an interrupt cancels. A command that can
// finish what is at work and start nothing new sets a.drain: then the first
// interrupt closes it, and the second cancels. One more ends the process.
func (a *app) interrupts(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	signals := make(chan os.Signal, 3)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	steps := []func(){
		func() {
			if drain := a.drain.Load(); drain != nil {
				a.notef("finishing what is at work, starting nothing new; once more stops at once, and nothing that is recorded is lost")
				close(*drain)
			} else {
				cancel()
			}
		},
		cancel,
		func() { os.Exit(exitFailure) },
	}
	go func() {
		for _, step := range steps {
			select {
			case <-signals:
				a.interrupted.Store(true)
				step()
			case <-done:
				return
			}
		}
	}()
	return ctx, func() { signal.Stop(signals); close(done); cancel() }
}

// draining makes the first interrupt close the returned channel instead of
// cancelling the command, until release is called.
func (a *app) draining() (drain <-chan struct{}, release func()) {
	c := make(chan struct{})
	a.drain.Store(&c)
	return c, func() { a.drain.Store(nil) }
}

// fault is an error with what the command line adds to it.
type fault struct {
	err  error
	kind string // "usage", "gate", "budget", or "" for a failure
	hint string // what to do, one sentence
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

// hinted adds to err what the user should do about it.
func hinted(err error, hint string, args ...any) error {
	if err == nil {
		return nil
	}
	f := &fault{err: err, hint: fmt.Sprintf(hint, args...)}
	if inner := (*fault)(nil); errors.As(err, &inner) {
		f.kind = inner.kind
	}
	return f
}

// usagef is an error of the command line or of a configuration file.
func usagef(format string, args ...any) error {
	return &fault{err: fmt.Errorf(format, args...), kind: "usage"}
}

// gatef says that what the command checks does not hold.
func gatef(format string, args ...any) error {
	return &fault{err: fmt.Errorf(format, args...), kind: "gate"}
}

// report writes the error, in one line that says what to do, and returns the
// exit code.
func (a *app) report(err error) int {
	f := &fault{err: err}
	errors.As(err, &f)
	code, kind := exitFailure, "failure"
	switch f.kind {
	case "usage":
		code, kind = exitUsage, f.kind
	case "gate":
		code, kind = exitGate, f.kind
	case "budget":
		code, kind = exitBudget, f.kind
	}
	text := oneLine(plainly(err.Error()))
	if errors.Is(err, context.Canceled) {
		text = "interrupted: " + text
	}
	hint := oneLine(f.hint)
	if a.json {
		b, _ := message.Marshal(map[string]any{"error": map[string]string{"kind": kind, "message": text, "hint": hint}})
		fmt.Fprintln(a.stderr, string(b))
		return code
	}
	if hint != "" {
		text += "; " + hint
	}
	fmt.Fprintln(a.stderr, "mars:", text)
	return code
}

// unknownKey is how the YAML reader tells of a key that nobody asked for: by the
// type that it was read into, which means nothing to a user.
var unknownKey = regexp.MustCompile(`field (\S+) not found in type [\w./\[\]*]+`)

// plainly says in a user's words what libraries say in a programmer's.
func plainly(text string) string {
	return strings.ReplaceAll(unknownKey.ReplaceAllString(text, "there is no key $1"), "yaml: unmarshal errors:\n  ", "")
}

// print writes a command's data: v as one line of JSON with --json, otherwise
// what text writes, made safe for a terminal.
func (a *app) print(v any, text func(w io.Writer)) error {
	if a.json {
		return a.printJSON(v)
	}
	s := &screen{w: a.stdout}
	text(s)
	return s.err
}

// printJSON writes one line of JSON. What a terminal would obey can only stand
// in its strings, where the escape of [printable] is JSON's own.
func (a *app) printJSON(v any) error {
	b, err := message.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.stdout, printable(string(b)))
	return err
}

// notef writes a message for the person at the terminal.
func (a *app) notef(format string, args ...any) {
	fmt.Fprintln(a.stderr, printable(fmt.Sprintf(format, args...)))
}

// tellNotes tells what was noticed on the way, and how much more of it the files
// have that were written.
func (a *app) tellNotes(notes []string) {
	const most = 10
	if a.json {
		return // the data have them
	}
	for i, note := range notes {
		if i == most {
			a.notef("note: %d more of %d notes are in what was written", len(notes)-i, len(notes))
			return
		}
		a.notef("note: %s", note)
	}
}

// next ends a command by naming the one that comes next.
func (a *app) next(format string, args ...any) {
	if !a.json && !a.guided {
		a.notef("next: "+format, args...)
	}
}

// terminal reports whether w is one.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// colour reports whether output to w is coloured: on a terminal, unless
// NO_COLOR says no or FORCE_COLOR says yes.
func colour(w io.Writer) bool {
	if os.Getenv("NO_COLOR") != "" {
		return false
	}
	return os.Getenv("FORCE_COLOR") != "" || terminal(w)
}

// exactly checks the number of positional arguments and names them in the error.
func exactly(names ...string) cobra.PositionalArgs { return between(len(names), names...) }

// between is like [exactly], where only the first least arguments must be there.
func between(least int, names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < least {
			return usagef("%s: %s is missing: usage: %s", c.CommandPath(), names[len(args)], c.UseLine())
		}
		if len(args) > len(names) {
			return usagef("%s: unexpected argument %q", c.CommandPath(), args[len(names)])
		}
		return nil
	}
}

// some checks that there is at least one positional argument.
func some(name string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usagef("%s: %s is missing: usage: %s", c.CommandPath(), name, c.UseLine())
		}
		return nil
	}
}

// need checks that flags that a command cannot do without are given.
func need(c *cobra.Command, flags ...string) error {
	for _, name := range flags {
		if f := c.Flags().Lookup(name); f.Value.String() == "" {
			return hinted(usagef("--%s is missing: %s", name, f.Usage), "see %s --help", c.CommandPath())
		}
	}
	return nil
}
