package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/trajectories"
)

// diffReport says where two runs part.
type diffReport struct {
	A      diffSide   `json:"a"`
	B      diffSide   `json:"b"`
	Same   bool       `json:"same"`
	Shared int        `json:"shared"`       // messages before they part
	ID     message.ID `json:"id,omitempty"` // of the first message that is not the same
}

// diffSide is one of the two runs, and its message where they part.
type diffSide struct {
	Store    string          `json:"store"`
	Run      string          `json:"run"`
	Messages int             `json:"messages"`
	Message  json.RawMessage `json:"message,omitempty"` // canonical; absent: it has none at the ID

	t *trajectories.Trajectory
}

func diffCommand(a *app) *cobra.Command {
	var full bool
	c := &cobra.Command{
		Use:   "diff A.DB ID [B.DB] ID",
		Short: "Show where two runs part",
		Long: strings.TrimSpace(`
Show the first message, in the order of the tree of messages, in which two runs
differ, and the difference in its words: lines with - are the first run's, lines
with + the second's. The runs may be of one store or of two. When they came
about, and how long it took, is not compared. Exit code 3: they differ.`),
		Example: `  mars diff run.db classic-42 forks.db classic-42~1
  mars diff forks.db classic-42~1 classic-42~2
  mars diff run.db classic-42 again.db classic-42 --json`,
		Args: between(3, "A.DB", "ID", "B.DB", "ID"),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 3 {
				args = []string{args[0], args[1], args[0], args[2]}
			}
			return a.diff(c.Context(), args, full)
		},
	}
	c.Flags().BoolVar(&full, "full", false, "print long lines whole")
	return c
}

func (a *app) diff(ctx context.Context, args []string, full bool) error {
	var r diffReport
	var err error
	if r.A, err = sideOf(ctx, args[0], args[1]); err != nil {
		return err
	}
	if r.B, err = sideOf(ctx, args[2], args[3]); err != nil {
		return err
	}
	d, differ := trajectories.Diff(r.A.t, r.B.t)
	r.Same, r.Shared = !differ, len(r.A.t.Log)
	if differ {
		r.ID, r.A.Message, r.B.Message, r.Shared = d.ID, d.A, d.B, 0
		for _, e := range r.A.t.Log {
			if e.ID.Compare(d.ID) < 0 {
				r.Shared++
			}
		}
	}
	err = a.print(r, func(w io.Writer) {
		p := &reader{w: w, full: full}
		if colour(a.stdout) {
			p.codes = a.stdout
		}
		r.write(p)
	})
	if err == nil && differ {
		return gatef("the runs part at %s", r.ID)
	}
	return err
}

// sideOf reads one of the runs.
func sideOf(ctx context.Context, path, id string) (diffSide, error) {
	st, err := openStore(ctx, path)
	if err != nil {
		return diffSide{}, err
	}
	defer st.Close() // it was only read
	t, err := st.Trajectory(ctx, id)
	if err != nil {
		return diffSide{}, storeError(err)
	}
	return diffSide{Store: path, Run: id, Messages: len(t.Log), t: t}, nil
}

func (r diffReport) write(p *reader) {
	fmt.Fprintf(p.w, "a  %s %s, %s messages\n", r.A.Store, r.A.Run, thousands(int64(r.A.Messages)))
	fmt.Fprintf(p.w, "b  %s %s, %s messages\n", r.B.Store, r.B.Run, thousands(int64(r.B.Messages)))
	if r.Same {
		fmt.Fprintln(p.w, "all messages are the same")
		return
	}
	switch r.Shared {
	case 0:
		fmt.Fprintf(p.w, "they part at the first message, %s\n", r.ID)
	case 1:
		fmt.Fprintf(p.w, "the first message is the same; they part at %s\n", r.ID)
	default:
		fmt.Fprintf(p.w, "the first %s messages are the same; they part at %s\n", thousands(int64(r.Shared)), r.ID)
	}
	before, after := r.A.words(r.ID), r.B.words(r.ID)
	if before == after { // what differs is not shown: the addresses, the refs, the spelling of JSON
		before, after = string(r.A.Message)+"\n", string(r.B.Message)+"\n"
	}
	_, lines, _ := strings.Cut(string(diff.Diff("a", []byte(before), "b", []byte(after))), "+++ b\n")
	const wide = 160 // from here on a person does not find the difference by looking
	long := false
	for line := range strings.Lines(lines) {
		long = long || len(line) > wide
		p.line(strings.TrimSuffix(p.cut(line), "\n"))
	}
	if long {
		fmt.Fprintln(p.w, trajectories.Difference{ID: r.ID, A: r.A.Message, B: r.B.Message})
	}
}

// words are the message at id as a person reads it; "" where there is none.
func (s diffSide) words(id message.ID) string {
	e, ok := s.t.Find(id)
	if !ok {
		return ""
	}
	text := &strings.Builder{}
	r := reader{w: text, full: true, task: s.t.Run.Task}
	fmt.Fprintf(text, "%s  %s  %s", e.ID, e.Kind, e.From)
	if e.To != "" {
		fmt.Fprintf(text, " -> %s", e.To)
	}
	fmt.Fprintf(text, "\n%s\n", r.body(e))
	return text.String()
}

// line prints a line of a difference in its colour.
func (r *reader) line(line string) {
	code, ok := map[byte]int{'-': 31, '+': 32, '@': 36}[(line + " ")[0]]
	if r.codes == nil || !ok {
		fmt.Fprintln(r.w, line)
		return
	}
	fmt.Fprintf(r.codes, "\x1b[%dm", code)
	fmt.Fprint(r.w, line)
	fmt.Fprint(r.codes, "\x1b[0m\n")
}
