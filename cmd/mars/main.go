// Command mars turns an interaction log into a recommender that reasons.
//
// This package is wiring only: one file per command, each a thin layer of
// flags over the library. What all commands share (output as text or JSON,
// progress, errors with a hint, exit codes) is in app.go.
package main

import (
	"context"
	"os"
	"time"

	"github.com/spf13/cobra"
)

func main() {
	cobra.EnableCommandSorting = false // the help lists commands in the order of the work
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr, time.Now))
}
