package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// writeSpend writes what a store's runs cost, a line for each role and model.
func writeSpend(w io.Writer, r *spendReport) {
	if r == nil || len(r.By) == 0 {
		return
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "role\tmodel\tmodel calls\ttokens in\tcached\tout\tnot told\t%s\n", r.Currency)
	for _, row := range dearest(r.Statement) {
		cost := "-"
		if row.Priced {
			cost = short(row.Cost)
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", row.Caller, row.Model, thousands(int64(row.Calls)),
			thousands(int64(row.Usage.InputTokens)), thousands(int64(row.Usage.CachedTokens)), thousands(int64(row.Usage.OutputTokens)), thousands(row.UnknownTokens), cost)
	}
	_ = tw.Flush() // w keeps its first error
	if r.Currency != "" {
		fmt.Fprintf(w, "spent %s %s in all", short(r.Total.Cost), r.Currency)
		if r.MaxCost > 0 {
			fmt.Fprintf(w, " of %s", r.MaxCost)
		}
		if r.PerRun > 0 {
			fmt.Fprintf(w, ", %s for each run that is done", short(r.PerRun))
		}
		fmt.Fprintln(w)
	}
	if r.MaxTokens > 0 {
		fmt.Fprintf(w, "%s of %s tokens in all\n", thousands(r.Total.Tokens()), thousands(r.MaxTokens))
	}
	if r.Total.Unknown > 0 {
		fmt.Fprintf(w, "of %s calls nobody told the usage: they count with the most that they can have had, %s tokens\n",
			thousands(int64(r.Total.Unknown)), thousands(r.Total.UnknownTokens))
	}
	if c := r.Cache; c != nil {
		fmt.Fprintf(w, "the cache answered %s calls (%s tokens), and %s were made\n", thousands(int64(c.Hits)),
			thousands(int64(c.Saved.InputTokens+c.Saved.OutputTokens)), thousands(int64(c.Misses)))
	}
}
