package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

func backupCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "backup RUN.DB TO",
		Short: "Copy a run store, also while it is written to",
		Long: strings.TrimSpace(`
Write a copy of a run store, as it is at one moment, to a new file, with its mark
beside it. The store may be written to meanwhile. To copy the files of a store
that is being written to by other means loses what is in its log.`),
		Example: "  mars backup run.db run-1.db",
		Args:    exactly("RUN.DB", "TO"),
		RunE: func(c *cobra.Command, args []string) error {
			st, err := openStore(c.Context(), args[0])
			if err != nil {
				return err
			}
			defer st.Close()
			if err := st.Backup(c.Context(), args[1]); err != nil {
				return err
			}
			info, err := os.Stat(args[1])
			if err != nil {
				return err
			}
			copied := struct {
				Backup string `json:"backup"`
				Bytes  int64  `json:"bytes"`
			}{args[1], info.Size()}
			if err := a.print(copied, func(w io.Writer) { fmt.Fprintf(w, "%s: %s\n", copied.Backup, byteSize(copied.Bytes)) }); err != nil {
				return err
			}
			a.next("mars verify %s", args[1])
			return nil
		},
	}
}
