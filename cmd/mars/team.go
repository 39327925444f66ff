package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/agents"
	"github.com/mars-rec/mars/agents/roles"
	"github.com/mars-rec/mars/orchestrator"
)

// teamFlags say who is in the team and what it is told.
type teamFlags struct {
	file    string
	prompts string
}

func (f *teamFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.file, "team", "", "YAML file that adds, drops or replaces roles of the team")
	c.Flags().StringVar(&f.prompts, "prompts", "", "folder with prompts that override those shipped, file by file")
}

// team reads the team as the flags say.
func (f *teamFlags) team() (orchestrator.Team, error) {
	team := orchestrator.DefaultTeam()
	if f.file == "" {
		return team, nil
	}
	r, err := os.Open(f.file)
	if err != nil {
		return team, err
	}
	defer r.Close()
	if team, err = team.Change(r); err == nil {
		err = equipped(team)
	}
	if err != nil {
		return team, usagef("%s: %w", f.file, err)
	}
	return team, nil
}

// equipped reports a tool of the team that does not exist.
func equipped(team orchestrator.Team) error {
	var names []string
	for _, t := range toolbox("") {
		names = append(names, t.Name)
	}
	for _, seat := range team.Seats {
		for _, name := range seat.Tools {
			if !slices.Contains(names, name) {
				return fmt.Errorf("%s: there is no tool %q: there are %s", seat.Name, name, strings.Join(names, ", "))
			}
		}
	}
	return nil
}

// book opens the prompts as the flags say, for a team.
func (f *teamFlags) book(team orchestrator.Team) (*roles.Book, error) {
	book, err := f.open()
	if err != nil {
		return nil, err
	}
	if err := book.Check(team.Seats); err != nil {
		return nil, usagef("%w", err)
	}
	return book, nil
}

func (f *teamFlags) open() (*roles.Book, error) {
	if f.prompts == "" {
		return roles.New(roles.Config{}), nil
	}
	if info, err := os.Stat(f.prompts); err != nil || !info.IsDir() {
		return nil, hinted(fmt.Errorf("there is no folder %s with prompts", f.prompts),
			"mars team --write-prompts %s makes one", f.prompts)
	}
	return roles.New(roles.Config{Prompts: os.DirFS(f.prompts)}), nil
}

func teamCommand(a *app) *cobra.Command {
	var flags teamFlags
	var dot bool
	var write string
	c := &cobra.Command{
		Use:   "team",
		Short: "Show the team of agents, or draw it",
		Long: strings.TrimSpace(`
Show who is in the team, whom each role hears, and which tools it may call. The
team is data: a YAML file given with --team changes it.

  rounds: 2                  # how often the reflector may send subtasks back
  roles:
    analyst/divergence: null # drop a role
    analyst/critic:          # add one; its prompt is analyst/critic.md or analyst.md
      kind: analyst
      after: [planner]
      tools: [item_info, catalog_search]
    ranker:                  # replace fields of one
      model: openai:gpt-4.1`),
		Example: `  mars team
  mars team --dot | dot -Tsvg > team.svg
  mars team --team team.yaml --json
  mars team --write-prompts prompts`,
		Args: exactly(),
		RunE: func(*cobra.Command, []string) error {
			if write != "" {
				err := roles.WritePrompts(write)
				if errors.Is(err, os.ErrExist) {
					return hinted(err, "no prompt that is there is written over: name another folder, or move that one away")
				}
				if err != nil {
					return err
				}
				a.notef("the shipped prompts are in %s; change them and give the folder with --prompts", write)
				return nil
			}
			if dot && a.json {
				return usagef("--dot and --json are two forms of the same: give one")
			}
			team, err := flags.team()
			if err != nil {
				return err
			}
			if _, err := flags.book(team); err != nil {
				return err
			}
			if dot {
				return team.DOT(a.stdout)
			}
			return a.print(team, func(w io.Writer) { writeTeam(w, team) })
		},
	}
	flags.add(c)
	c.Flags().BoolVar(&dot, "dot", false, "print the workflow for Graphviz")
	c.Flags().StringVar(&write, "write-prompts", "", "write the shipped prompts into this folder")
	return c
}

func writeTeam(w io.Writer, team orchestrator.Team) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "STEP\tROLE\tKIND\tHEARS\tTOOLS\tMODEL")
	for i, layer := range team.Layers() {
		for _, s := range layer {
			fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\n", i+1, s.Name, s.Kind, dash(addresses(s)), dash(strings.Join(s.Tools, " ")), dash(s.Model))
		}
	}
	t.Flush()
	for _, s := range team.Seats {
		if s.Kind == "reflector" {
			fmt.Fprintf(w, "The %s may send subtasks back; rounds at most: %d.\n", s.Name, team.Rounds)
		}
	}
}

func addresses(s agents.Seat) string {
	var out []string
	for _, a := range s.After {
		out = append(out, string(a))
	}
	return strings.Join(out, " ")
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// giveModels gives seats of the team the models of their own that --model-for
// names, ROLE=MODEL each.
func giveModels(team orchestrator.Team, pairs []string) error {
	for _, pair := range pairs {
		role, spec, ok := strings.Cut(pair, "=")
		found := false
		for i := range team.Seats {
			if ok && (string(team.Seats[i].Name) == role || team.Seats[i].Role() == role) {
				team.Seats[i].Model, found = spec, true
			}
		}
		if !found || spec == "" {
			return usagef("--model-for %q: want ROLE=MODEL with a role of the team: mars team lists them", pair)
		}
	}
	return nil
}
