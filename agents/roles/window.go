package roles

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mars-rec/mars/agents"
	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks"
)

// Window says how a long history is put before a model: the recent part as it
// is, the distant part as a summary that is carried forward window by window.
type Window struct {
	Recent int // events shown as they are; 0 is 30
	Size   int // events summarised in one step, at most; 0 is 100
	Steps  int // at most so many steps, whatever Size says; 0 is 4
}

func (w Window) withDefaults() Window {
	return Window{orDefault(w.Recent, 30), orDefault(w.Size, 100), orDefault(w.Steps, 4)}
}

// history writes the user's history for a prompt. Each window of the distant
// part is one step of the turn: a prompt and a reply.
func (b *Book) history(ctx context.Context, t *agents.Turn, view tasks.View) (string, error) {
	cut := view.Cut()
	user, ok := cut.User(view.Task().User)
	if !ok || cut.UserDegree(user) == 0 {
		return "## History\nThe user has no history.\n", nil
	}
	events := cut.History(user)
	window := b.cfg.Window.withDefaults()
	distant := events[:max(0, len(events)-window.Recent)]
	summary, err := b.summarise(ctx, t, view, distant, window)
	if err != nil {
		return "", err
	}
	var w strings.Builder
	w.Grow(eventRoom * (2 + min(len(events), window.Recent)))
	fmt.Fprintf(&w, "## History\n%d events, the latest %d of them below, oldest first.\n", len(events), len(events)-len(distant))
	if summary != "" {
		fmt.Fprintf(&w, "Summary of the %d before: %s\n", len(distant), phase.CleanReply(summary))
	}
	if err := writeEvents(ctx, &w, view, events[len(distant):]); err != nil {
		return "", err
	}
	return w.String(), nil
}

func (b *Book) summarise(ctx context.Context, t *agents.Turn, view tasks.View, events []graph.Event, window Window) (string, error) {
	if len(events) == 0 {
		return "", nil
	}
	text, err := b.read("summary.md")
	if err != nil {
		return "", err
	}
	system, err := t.Prompt(ctx, model.System, text, t.In.ID)
	if err != nil {
		return "", err
	}
	steps := min(window.Steps, up(len(events), window.Size))
	size := up(len(events), steps) // steps of equal length
	summary := ""
	for start := 0; start < len(events); start += size {
		chunk := events[start:min(start+size, len(events))]
		var w strings.Builder
		w.Grow(eventRoom * (2 + len(chunk)))
		if summary != "" {
			fmt.Fprintf(&w, "Summary so far: %s\n\n", phase.CleanReply(summary))
		}
		fmt.Fprintf(&w, "Events %d to %d, oldest first:\n", start+1, start+len(chunk))
		if err := writeEvents(ctx, &w, view, chunk); err != nil {
			return "", err
		}
		question, err := t.Prompt(ctx, model.User, w.String())
		if err != nil {
			return "", err
		}
		conversation := []model.Message{system, question}
		out, err := settle(ctx, t, conversation, b.shapes.summary(), func(text string) (phase.Summary, error) {
			s, _, err := phase.ParseSummary(text)
			return s, err
		})
		if err != nil {
			return "", err
		}
		summary = out.Summary
	}
	return summary, nil
}

// up divides and rounds up.
func up(n, by int) int { return (n + by - 1) / by }

// eventRoom is what the line of an event takes, about.
const eventRoom = 100

// writeEvents writes one line an event: date, item, rating.
func writeEvents(ctx context.Context, w *strings.Builder, view tasks.View, events []graph.Event) error {
	cut := view.Cut()
	for _, e := range events {
		line, err := view.Line(ctx, cut.ItemID(e.Item))
		if err != nil {
			return err
		}
		w.WriteString("- ")
		w.Write(e.Time.UTC().AppendFormat(make([]byte, 0, len(time.DateOnly)), time.DateOnly))
		w.WriteByte(' ')
		w.WriteString(line)
		if e.Rating > 0 {
			w.WriteString(" | ")
			w.Write(strconv.AppendFloat(make([]byte, 0, 8), float64(e.Rating), 'g', -1, 32))
		}
		w.WriteByte('\n')
	}
	return nil
}
