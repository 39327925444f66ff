package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
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
	exitGate    = 3 // the command ran, and what it checks does not hold (replay, verify)
)

// app is what every command works with.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer // data goes to stdout, messages to stderr
	now            func() time.Time
	json           bool // --json: data as JSON, errors too
	drain          atomic.Pointer[chan struct{}]
}

// run is the whole program; it returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, now func() time.Time) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, now: now}
	ctx, stop := a.interrupts(ctx)
	defer stop()
	root := a.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
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
				step()
			case <-done:
				return
			}
		}
	}()
	return ctx, func() { signal.Stop(signals); close(done); cancel() }
}

// draining makes the first interrupt close the returned channel instead of
// cancelling the command.
func (a *app) draining() <-chan struct{} {
	drain := make(chan struct{})
	a.drain.Store(&drain)
	return drain
}

// fault is an error with what the command line adds to it.
type fault struct {
	err  error
	kind string // "usage", "gate", or "" for a failure
	hint string // what to do, one sentence
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

// hinted adds to err what the user should do about it.
func hinted(err error, hint string, args ...any) error {
	if err == nil {
		return nil
	}
	return &fault{err: err, hint: fmt.Sprintf(hint, args...)}
}

// usagef is an error of the command line.
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
	}
	text := oneLine(err.Error())
	if a.json {
		b, _ := message.Marshal(map[string]any{"error": map[string]string{"kind": kind, "message": text, "hint": f.hint}})
		fmt.Fprintln(a.stderr, string(b))
		return code
	}
	if f.hint != "" {
		text += "; " + f.hint
	}
	fmt.Fprintln(a.stderr, "mars:", text)
	return code
}

// oneLine joins lines and shows control characters, which an error may carry
// from foreign data, instead of sending them to the terminal.
func oneLine(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
	return printable(s)
}

// printable replaces what a terminal would obey by what it can show.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (r < 0x20 || r == 0x7f || (r >= 0x80 && r < 0xa0)) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// print writes a command's data: v as one line of JSON with --json, otherwise
// what text writes.
func (a *app) print(v any, text func(w io.Writer)) error {
	if !a.json {
		text(a.stdout)
		return nil
	}
	return a.printJSON(v)
}

// printJSON writes one line of JSON.
func (a *app) printJSON(v any) error {
	b, err := message.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.stdout, string(b))
	return err
}

// notef writes a message for the person at the terminal.
func (a *app) notef(format string, args ...any) {
	fmt.Fprintf(a.stderr, format+"\n", args...)
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

// readJSON decodes a file strictly into v.
func readJSON(path string, v any) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	dec := json.NewDecoder(f)
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// exactly checks the number of positional arguments and names them in the error.
func exactly(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < len(names) {
			return usagef("%s: %s is missing: usage: %s", c.CommandPath(), names[len(args)], c.UseLine())
		}
		if len(args) > len(names) {
			return usagef("%s: unexpected argument %q", c.CommandPath(), args[len(names)])
		}
		return nil
	}
}
