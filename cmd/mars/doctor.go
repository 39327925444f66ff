package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

func doctorCommand(a *app) *cobra.Command {
	var f placeFlags
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this machine can do, and what is missing",
		Long: `Look at what training needs: Python, the trainer's environment, a GPU. What is
missing is told with what to do about it. Nothing is installed. Everything else
of mars needs this program alone.`,
		Example: "  mars doctor\n  mars doctor --json",
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			place, err := f.place(c.Context())
			if err != nil {
				return err
			}
			found := place.Check(c.Context())
			err = a.print(found, func(w io.Writer) {
				for _, x := range found {
					mark := "-"
					if x.OK {
						mark = "ok"
					}
					fmt.Fprintf(w, "%-3s %-12s %s\n", mark, x.Name, x.Found)
					if x.Do != "" {
						fmt.Fprintf(w, "    %-12s %s\n", "", x.Do)
					}
				}
			})
			for _, x := range found {
				if err == nil && x.Needed && !x.OK {
					err = gatef("nothing can be trained here: %s is missing", x.Name)
				}
			}
			return err
		},
	}
	f.add(c)
	return c
}
