package formats_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/datasets/formats"
)

// printer is a sink of one's own.
type printer struct{}

func (printer) Item(tasks.Item) error { return nil }
func (printer) User(tasks.User) error { return nil }
func (printer) File(f formats.File)   { fmt.Println(f.Name, "rows:", f.Rows, "dropped:", f.Dropped) }

func (printer) Interaction(in graph.Interaction, review string) error {
	fmt.Printf("%s took %s at %d: %s\n", in.User, in.Item, in.Time, review)
	return nil
}

func ExampleDetect() {
	dir, err := os.MkdirTemp("", "log")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "log.csv")
	const log = "user,item,time,review\nann,moss,2016-11-15 19:29:22,Green.\nbob,moss,,\n"
	if err := os.WriteFile(path, []byte(log), 0o600); err != nil {
		fmt.Println(err)
		return
	}

	reader, why, err := formats.Detect(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(reader.Name, "because", why)
	if err := reader.Read(context.Background(), path, formats.Options{}, printer{}); err != nil {
		fmt.Println(err)
	}
	// Output:
	// csv because log.csv ends in .csv
	// ann took moss at 1479238162: Green.
	// log.csv rows: 2 dropped: map[bad time:1]
}
