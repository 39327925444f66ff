package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// knownCommand refuses a word that is no command of c, and suggests one.
func knownCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := usagef("there is no command %q", strings.TrimSpace(strings.TrimPrefix(c.CommandPath(), c.Root().Name())+" "+args[0]))
	var names []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() || len(sub.Long) > 0 && !sub.Hidden {
			names = append(names, sub.Name())
		}
	}
	if close := near(args[0], names); len(close) > 0 {
		return hinted(err, "did you mean %s?", strings.Join(close, " or "))
	}
	return hinted(err, "%s --help lists them", c.CommandPath())
}

// completes adds the command that writes completion scripts, which knows its
// shells as every other command knows its own.
func completes(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	if c, _, err := root.Find([]string{"completion"}); err == nil && c != root {
		c.Args, c.RunE = knownCommand, func(c *cobra.Command, _ []string) error { return c.Help() }
	}
}

// flagFault says in plain words what is wrong with a flag, and suggests one.
func flagFault(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var value *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "":
		var names []string
		add := func(f *pflag.Flag) {
			if !f.Hidden {
				names = append(names, f.Name)
			}
		}
		c.Flags().VisitAll(add)
		if close := near(unknown.GetSpecifiedName(), names); len(close) > 0 {
			return hinted(usagef("%w", err), "did you mean --%s?", strings.Join(close, " or --"))
		}
	case errors.As(err, &value):
		want, ok := map[string]string{
			"int": "a whole number", "int64": "a whole number", "uint": "a whole number, 0 or more", "uint64": "a whole number, 0 or more",
			"float64": "a number", "duration": "a time such as 90s or 5m", "bool": "true or false",
		}[value.GetFlag().Value.Type()]
		if ok {
			err = usagef("--%s is %q: want %s", value.GetFlag().Name, value.GetValue(), want)
		}
	}
	return hinted(usagef("%w", err), "see %s --help", c.CommandPath())
}

// near returns the names that a misspelt word may have been meant for: those that
// it begins, and else the closest, each a slip away for every three letters.
func near(word string, names []string) []string {
	names = slices.Sorted(slices.Values(names))
	if len(word) >= 2 {
		var begun []string
		for _, name := range names {
			if strings.HasPrefix(name, word) {
				begun = append(begun, name)
			}
		}
		if len(begun) > 0 {
			return begun
		}
	}
	least := max(1, len(word)/3) + 1
	var found []string
	for _, name := range names {
		switch d := slips(word, name); {
		case d < least:
			found, least = []string{name}, d
		case d == least && len(found) > 0:
			found = append(found, name)
		}
	}
	return found
}

// slips counts the letters that are put in, left out or taken for others on the
// way from a to b: their Levenshtein distance.
func slips(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
