package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

func unpackCommand(a *app) *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use:   "unpack RUN.DB TO",
		Short: "Write a run store as a plain SQLite file, for other programs",
		Long: strings.TrimSpace(`
Write an ordinary SQLite database with the tables runs, messages, calls, items
and scores, the same that mars sql shows: for pandas, DuckDB, R and whatever else
reads SQLite, without this program. Bodies are plain text in it, so it has some
ten times the size of the store. It is no run store: it has no hashes, and mars
does not read it back.`),
		Example: `  mars unpack run.db plain.db
  python -c "import pandas, sqlite3; print(pandas.read_sql('SELECT tool, count(*) FROM calls GROUP BY 1', sqlite3.connect('plain.db')))"
  duckdb -c "INSTALL sqlite; LOAD sqlite; ATTACH 'plain.db' AS r (TYPE sqlite); SELECT model, sum(output_tokens) FROM r.messages GROUP BY 1"`,
		Args: exactly("RUN.DB", "TO"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := vacant(force, args[1]); err != nil {
				return err
			}
			st, err := openStore(c.Context(), args[0])
			if err != nil {
				return err
			}
			defer st.Close()
			counts, err := st.Count(c.Context())
			if err != nil {
				return err
			}
			total, others := done(counts)
			bar := a.progress("unpack", int64(total+others), thousands)
			err = st.Unpack(c.Context(), args[1], func() { bar.Add(1) })
			bar.Close()
			if err != nil {
				return storeError(err)
			}
			info, err := os.Stat(args[1])
			if err != nil {
				return err
			}
			written := struct {
				File  string `json:"file"`
				Runs  int    `json:"runs"`
				Bytes int64  `json:"bytes"`
			}{args[1], total + others, info.Size()}
			return a.print(written, func(w io.Writer) {
				fmt.Fprintf(w, "%s: %s runs, %s\n", written.File, thousands(int64(written.Runs)), byteSize(written.Bytes))
			})
		},
	}
	c.Flags().BoolVar(&force, "force", false, "replace the file that is there")
	return c
}
