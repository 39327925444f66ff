package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/mask"
)

// trlSFT writes one JSON object a line, as TRL's SFTTrainer reads it:
//
//	{"messages":[{"role":"system","content":"..."},{"role":"user","content":"..."},
//	  {"role":"assistant","content":"<plan>...</plan>","tool_calls":[{"type":"function",
//	    "function":{"name":"item_cf","arguments":"{\"window\": \"all\"}"}}]},
//	  {"role":"tool","name":"item_cf","content":"..."}, ...],
//	 "tools":"[{\"type\": \"function\", \"function\": {...}}]",
//	 "run":"t1","candidates":["i7","i3",...]}
//
// Arguments and tools are strings of JSON: as objects, Arrow would fill their
// missing keys with nulls, which chat templates then print. The item of label
// c01 is the first of candidates.
type trlSFT struct {
	cfg   Config
	tools string
	names map[string]bool
}

type sftRow struct {
	Messages   []sftMessage `json:"messages"`
	Tools      string       `json:"tools"`
	Run        string       `json:"run"`
	Candidates []string     `json:"candidates"`
}

type sftMessage struct {
	Role      model.Role `json:"role"`
	Name      string     `json:"name,omitempty"`
	Content   string     `json:"content"`
	ToolCalls []sftCall  `json:"tool_calls,omitempty"`
}

type sftCall struct {
	Type     string      `json:"type"`
	Function sftFunction `json:"function"`
}

type sftFunction struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

// newTRLSFT returns the exporter for TRL's SFTTrainer: JSON lines with the
// columns messages and tools, and two that TRL passes over. It needs tools.
func newTRLSFT(cfg Config) (Exporter, error) {
	if len(cfg.Tools) == 0 {
		return nil, errors.New("trl-sft: the tools are missing")
	}
	text, err := ToolsJSON(cfg.Tools)
	if err != nil {
		return nil, fmt.Errorf("trl-sft: %w", err)
	}
	x := &trlSFT{cfg: cfg, tools: text, names: map[string]bool{}}
	for _, spec := range cfg.Tools {
		x.names[spec.Name] = true
	}
	return x, nil
}

// ToolsJSON writes tool specs as chat templates print them: a list of OpenAI
// functions, with the spacing of json.dumps. Training and serving use the same.
func ToolsJSON(specs []model.ToolSpec) (string, error) {
	all := make([]string, len(specs))
	for i, s := range specs {
		var err error
		if all[i], err = mask.ToolJSON(s); err != nil {
			return "", err
		}
	}
	return "[" + strings.Join(all, ", ") + "]", nil
}

// Export implements [Exporter].
func (x *trlSFT) Export(ctx context.Context, w io.Writer, groups iter.Seq2[Group, error]) error {
	for g, err := range groups {
		if err != nil {
			return err
		}
		for _, t := range g.Runs {
			if err := ctx.Err(); err != nil {
				return err
			}
			row, err := x.row(t, g.Gold)
			if err != nil {
				return fmt.Errorf("trl-sft: run %s: %w", t.Run.ID, err)
			}
			if _, err := w.Write(append(row, '\n')); err != nil {
				return fmt.Errorf("trl-sft: %w", err)
			}
		}
	}
	return nil
}

func (x *trlSFT) row(t *trajectories.Trajectory, g gold.Gold) ([]byte, error) {
	messages, err := trajectories.Serialize(t, x.cfg.Linear)
	if err != nil {
		return nil, err
	}
	if err := lint(t, messages, g, x.names); err != nil {
		return nil, err
	}
	row := sftRow{Tools: x.tools, Run: t.Run.ID, Candidates: t.Run.Task.Candidates}
	for _, m := range messages {
		out := sftMessage{Role: m.Role, Name: m.Name, Content: m.Content}
		for _, c := range m.ToolCalls {
			out.ToolCalls = append(out.ToolCalls, sftCall{"function", sftFunction{c.Name, c.Arguments}})
		}
		row.Messages = append(row.Messages, out)
	}
	return message.Marshal(row)
}
