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
		Version:       buildVersion(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          knownCommand,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print data, and errors, as JSON")
	root.SetFlagErrorFunc(flagFault)
	for _, g := range []struct {
		id, title string
		commands  []*cobra.Command
	}{
		{"start", "Start here:", []*cobra.Command{demoCommand(a)}},
		{"data", "Data:", []*cobra.Command{importCommand(a), tasksCommand(a), fitCommand(a), graphCommand(a), toolCommand(a)}},
		{"teacher", "Teacher:", []*cobra.Command{synthCommand(a), workerCommand(a), topCommand(a), teamCommand(a), llmCommand(a)}},
		{"runs", "Runs:", []*cobra.Command{inspectCommand(a), traceCommand(a), replayCommand(a), forkCommand(a), diffCommand(a), sqlCommand(a), unpackCommand(a), verifyCommand(a), backupCommand(a)}},
		{"training", "Training:", []*cobra.Command{scoreCommand(a), selectCommand(a), exportCommand(a), envCommand(a), mcpCommand(a), trainCommand(a), pipelineCommand(a)}},
		{"student", "Student:", []*cobra.Command{serveCommand(a)}},
		{"results", "Results:", []*cobra.Command{evalCommand(a), auditCommand(a)}},
	} {
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
		for _, c := range g.commands {
			c.GroupID = g.id
			root.AddCommand(c)
		}
	}
	root.SetHelpCommand(helpCommand())
	root.AddCommand(doctorCommand(a), versionCommand(a), exitCodes())
	return root
}

// helpCommand shows the help of a command; a word that is none is a mistake
// here as everywhere.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "help COMMAND",
		Short:   "Show the help of a command",
		Example: "  mars help synth\n  mars help exit-codes",
		RunE: func(c *cobra.Command, args []string) error {
			found, rest, err := c.Root().Find(args)
			if err == nil && len(rest) > 0 {
				err = knownCommand(found, rest)
			}
			if err != nil {
				return err
			}
			return found.Help()
		},
	}
}

// exitCodes is a help topic.
func exitCodes() *cobra.Command {
	return &cobra.Command{
		Use:   "exit-codes",
		Short: "What the program's exit status means",
		Long: strings.TrimSpace(`
The program's exit status:

  0  done
  1  failure: the command could not do its work, or did only part of it
  2  usage: the command line or a configuration file is wrong
  3  gate: the command ran, and what it checks does not hold (replay, verify, diff, audit)
  4  budget: the budget is reached and work is left; a larger one goes on

With --json an error is {"error":{"kind","message","hint"}} on standard error.`),
	}
}
