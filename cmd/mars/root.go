package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// root is the command tree. Groups order the help by what a person does first.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "mars",
		Short: "From an interaction log to a recommender that reasons",
		Long: strings.TrimSpace(`
mars turns an interaction log into a recommender that reasons. A team of agents,
the teacher, ranks candidates for one user at a time, with tools that put the
user-item graph into sentences; what it says is recorded, can be replayed, and
trains a small student.`),
		Example:       "  mars demo\n  mars import --format auto --in ml-latest-small --out data/ml",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print data, and errors, as JSON")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return &fault{err: err, kind: "usage", hint: "see " + c.CommandPath() + " --help"}
	})
	root.SuggestionsMinimumDistance = 2
	for _, g := range []struct {
		id, title string
		commands  []*cobra.Command
	}{
		{"data", "Data:", []*cobra.Command{importCommand(a), tasksCommand(a), toolCommand(a)}},
		{"teacher", "Teacher:", []*cobra.Command{synthCommand(a), teamCommand(a), llmCommand(a)}},
		{"runs", "Runs:", []*cobra.Command{inspectCommand(a), replayCommand(a), verifyCommand(a), backupCommand(a)}},
		{"results", "Results:", []*cobra.Command{evalCommand(a)}},
	} {
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
		for _, c := range g.commands {
			c.GroupID = g.id
			root.AddCommand(c)
		}
	}
	return root
}
