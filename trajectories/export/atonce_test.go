package export_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/mars-rec/mars/trajectories/export"
)

// TestRowsDoNotDependOnHowManyAreMadeAtOnce holds each export, made several rows
// at a time, to the one that is made row by row.
func TestRowsDoNotDependOnHowManyAreMadeAtOnce(t *testing.T) {
	for _, name := range export.Names() {
		for _, format := range export.Formats(name) {
			var want []byte
			for _, atOnce := range []int{1, 2, 9} {
				x, err := export.New(name, export.Config{Tools: specs, As: format, AtOnce: atOnce})
				if err != nil {
					t.Fatal(err)
				}
				var got bytes.Buffer
				if err := x.Export(t.Context(), &got, many(40)); err != nil {
					t.Fatal(err)
				}
				if want == nil {
					want = got.Bytes()
				}
				if !bytes.Equal(got.Bytes(), want) {
					t.Errorf("%s, %s: %d rows at once make other bytes than one", name, format, atOnce)
				}
			}
		}
	}
}

// TestRowsBeforeAnErrorAreWritten: what fails, whenever it does, ends the rows
// at its own place.
func TestRowsBeforeAnErrorAreWritten(t *testing.T) {
	bad := errors.New("bad")
	for _, atOnce := range []int{1, 8} {
		x, err := export.New(export.TRLSFT, export.Config{Tools: specs, AtOnce: atOnce})
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		err = x.Export(context.Background(), &got, func(yield func(export.Group, error) bool) {
			for i := range 5 {
				if !yield(group(run(fmt.Sprint("t", i), answer)), nil) {
					return
				}
			}
			yield(export.Group{}, bad)
		})
		if rows := bytes.Count(got.Bytes(), []byte("\n")); !errors.Is(err, bad) || rows != 5 {
			t.Errorf("%d at once: %d rows and %v, want 5 and the error", atOnce, rows, err)
		}
	}
}
