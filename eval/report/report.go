// Package report writes the results of an evaluation as data that other programs
// read, and as tables and plots for a paper.
//
//	eval.Results ──Write──> results.json          every figure
//	                        results.schema.json   what stands where in it
//	                        cases.csv, .parquet   a row each case: the rank under each system
//	                        tables.md, tables.tex
//	                        plots/*.svg, *.png
//
// Every figure of results.json that is about ranks can be made again from the
// cases, with pandas, R or DuckDB:
//
//	set      group    id         user  scenario  as_of                 rank:builtin  rank:random
//	uniform  uniform  classic-7  7     classic   2018-09-20T12:00:00Z  1             14
//
// The same results make the same bytes.
package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/mars-rec/mars/eval"
	"github.com/mars-rec/mars/internal/atomicfile"
)

// Files of a folder of results, the plots apart.
const (
	ResultsFile = "results.json"
	SchemaFile  = "results.schema.json"
	CSVFile     = "cases.csv"
	ParquetFile = "cases.parquet"
	MarkdownDoc = "tables.md"
	LaTeXDoc    = "tables.tex"
)

// Write writes all of it to a folder, which is made if it is not there. It
// refuses a folder with results unless force is set. results.json is written
// last: where it is, the rest is.
func Write(dir string, results *eval.Results, r eval.Report, force bool) error {
	if _, err := os.Stat(filepath.Join(dir, ResultsFile)); err == nil && !force {
		return fmt.Errorf("%s has results already", dir)
	} else if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, file := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{SchemaFile, WriteSchema},
		{CSVFile, func(w io.Writer) error { return WriteCSV(w, results) }},
		{ParquetFile, func(w io.Writer) error { return WriteParquet(w, results) }},
		{MarkdownDoc, func(w io.Writer) error { return WriteMarkdown(w, r) }},
		{LaTeXDoc, func(w io.Writer) error { return WriteLaTeX(w, r) }},
		{ResultsFile, func(w io.Writer) error { return writeJSON(w, r) }},
	} {
		if file.name == ResultsFile {
			if err := writePlots(filepath.Join(dir, PlotFolder), results, r); err != nil {
				return err
			}
		}
		if err := atomicfile.Write(filepath.Join(dir, file.name), file.write); err != nil {
			return fmt.Errorf("write %s: %w", file.name, err)
		}
	}
	return nil
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// WriteSchema writes the JSON Schema of results.json.
func WriteSchema(w io.Writer) error {
	s, err := jsonschema.For[eval.Report](nil)
	if err != nil {
		return err
	}
	s.Title = "Results of mars eval"
	return writeJSON(w, s)
}
