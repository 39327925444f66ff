package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/mask"
	"github.com/mars-rec/mars/trajectories/store"
	"github.com/mars-rec/mars/trajectories/tokenizer"
)

// counting is how a command counts the tokens of what the student learns from.
type counting struct {
	template, tokenizer string
	max                 int
}

// flags adds the flags to a command.
func (n *counting) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&n.template, "template", mask.Training, "chat template that the student is trained with")
	f.StringVar(&n.tokenizer, "tokenizer", "", "the student's tokenizer.json, to count in tokens")
	f.IntVar(&n.max, "max-length", 0, "most tokens that the trainer takes of a conversation (default no limit)")
}

// load reads the template and, if it is named, the tokenizer.
func (n *counting) load() (mask.Template, *tokenizer.Tokenizer, error) {
	tpl, err := mask.NewTemplate(n.template)
	switch {
	case err != nil:
		return tpl, nil, usagef("--template: %v", err)
	case n.max < 0:
		return tpl, nil, usagef("--max-length is %d: want 1 or more", n.max)
	case n.max > 0 && n.tokenizer == "":
		return tpl, nil, usagef("--max-length counts tokens: give --tokenizer too")
	case n.tokenizer == "":
		return tpl, nil, nil
	}
	tk, err := tokenizer.Load(n.tokenizer)
	if err != nil {
		return tpl, nil, hinted(err, "it is the tokenizer.json beside the student's weights")
	}
	return tpl, tk, nil
}

// masked is a run as a student learns from it. Spans count characters.
type masked struct {
	Run        string        `json:"run"`
	Template   mask.Template `json:"template"`
	Text       string        `json:"text"`
	Trained    []mask.Span   `json:"trained"`
	Parts      []mask.Part   `json:"parts"`
	Shares     []mask.Share  `json:"shares"`
	Characters amount        `json:"characters"`
	Tokens     *maskedTokens `json:"tokens,omitempty"`
	rendering  mask.Rendering
}

type amount struct {
	All     int `json:"all"`
	Trained int `json:"trained"`
}

type maskedTokens struct {
	amount
	Tokenizer string    `json:"tokenizer"` // SHA-256
	Max       int       `json:"max_length,omitempty"`
	Cut       *mask.Cut `json:"cut,omitempty"`
	Inputs    []int     `json:"input_ids"`
	Labels    []int     `json:"labels"`
}

// maskOf renders a run for the student and marks what is trained.
func maskOf(st *store.Store, t *trajectories.Trajectory, how trajectories.Linear, n *counting) (masked, error) {
	tpl, tk, err := n.load()
	if err != nil {
		return masked{}, err
	}
	setup, err := setupOf(st)
	if err != nil {
		return masked{}, err
	}
	messages, err := trajectories.Serialize(t, how)
	if err != nil {
		return masked{}, err
	}
	r, err := tpl.Render(messages, toolSpecs(setup.Team))
	if err != nil {
		return masked{}, err
	}
	m := masked{Run: t.Run.ID, Template: tpl, Text: r.Text, Trained: r.Characters(r.Trained()), rendering: r}
	spans := make([]mask.Span, len(r.Parts))
	for i, p := range r.Parts {
		spans[i] = p.Span
	}
	for i, s := range r.Characters(spans) {
		p := r.Parts[i]
		p.Span = s
		m.Parts = append(m.Parts, p)
	}
	var labels mask.Labels
	if tk != nil {
		labels = r.Labels(tk)
		m.Tokens = &maskedTokens{amount: amount{len(labels.Tokens), labels.Count()}, Tokenizer: tk.Digest(), Max: n.max}
		m.Tokens.Inputs, m.Tokens.Labels = labels.IDs()
		if cut, ok := r.Cut(labels, n.max); ok && n.max > 0 {
			cut.Part = m.Parts[slices.Index(r.Parts, cut.Part)] // the same, in characters
			m.Tokens.Cut = &cut
		}
	}
	m.Shares = r.Shares(labels)
	for _, s := range m.Shares {
		m.Characters.All += s.Characters
		if s.Trained {
			m.Characters.Trained += s.Characters
		}
	}
	return m, nil
}

// write prints the text with the trained part marked, then how much it is.
func (m masked) write(r *reader) {
	trained := false
	for _, p := range m.rendering.Parts {
		if p.Trained != trained {
			trained = p.Trained
			r.mark(trained)
		}
		text := m.rendering.Text[p.Start:p.End]
		if !trained {
			text = r.cut(text)
		}
		fmt.Fprint(r.w, text)
	}
	if trained {
		r.mark(false)
	}
	fmt.Fprintln(r.w)
	m.table(r.w)
}

// mark begins or ends what is trained: in green, or between brackets.
func (r *reader) mark(begin bool) {
	switch {
	case r.codes == nil && begin:
		fmt.Fprint(r.w, "⟦")
	case r.codes == nil:
		fmt.Fprint(r.w, "⟧")
	case begin:
		fmt.Fprint(r.codes, "\x1b[32m")
	default:
		fmt.Fprint(r.codes, "\x1b[0m")
	}
}

func (m masked) table(out io.Writer) {
	fmt.Fprintf(out, "run %s, as the template %s renders it\n", m.Run, m.Template.Name)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	head, row := "what\ttrained\tcharacters", func(name, trained string, characters, tokens int) string {
		text := name + "\t" + trained + "\t" + thousands(int64(characters))
		if m.Tokens != nil {
			text += "\t" + thousands(int64(tokens))
		}
		return text
	}
	if m.Tokens != nil {
		head += "\ttokens"
	}
	fmt.Fprintln(w, head)
	for _, s := range m.Shares {
		trained := "no"
		if s.Trained {
			trained = "yes"
		}
		fmt.Fprintln(w, row(string(s.Kind), trained, s.Characters, s.Tokens))
	}
	tokens := amount{}
	if m.Tokens != nil {
		tokens = m.Tokens.amount
	}
	fmt.Fprintln(w, row("all that is trained", "", m.Characters.Trained, tokens.Trained))
	fmt.Fprintln(w, row("all", "", m.Characters.All, tokens.All))
	w.Flush() // out keeps its own first error
	switch {
	case m.Tokens == nil || m.Tokens.Max == 0:
	case m.Tokens.Cut == nil:
		fmt.Fprintf(out, "it fits into %s tokens\n", thousands(int64(m.Tokens.Max)))
	default:
		fmt.Fprintf(out, "it does not fit: %s\n", m.Tokens.Cut)
	}
}
