package datasets_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/mars-rec/mars/tasks/datasets"
	"github.com/mars-rec/mars/tasks/datasets/formats"
)

// A log is imported, and looked at as of a moment.
func ExampleImport() {
	dir, err := os.MkdirTemp("", "mars")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	source := filepath.Join(dir, "log.csv")
	rows := "user,item,rating,time\n" +
		"anna,apple,5,2020-01-02T10:00:00Z\n" +
		"anna,apple,2,2020-01-09T10:00:00Z\n" + // again: the earliest stays
		"bert,apple,4,2020-01-03T10:00:00Z\n" +
		"bert,pear,3,2020-01-04T10:00:00Z\n"
	if err := os.WriteFile(source, []byte(rows), 0o600); err != nil {
		log.Fatal(err)
	}

	reader, _, err := formats.Detect(source)
	if err != nil {
		log.Fatal(err)
	}
	out := filepath.Join(dir, "fruit")
	m, err := datasets.Import(context.Background(), reader, source, out, datasets.ImportConfig{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Name, m.Recipe.Format, m.Counts.Interactions, "kept,", m.Counts.Dropped[datasets.DuplicatePair], "dropped")

	d, err := datasets.Open(out)
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	cut := d.Graph().At(time.Date(2020, 1, 4, 0, 0, 0, 0, time.UTC))
	apple, _ := cut.Item("apple")
	fmt.Println(cut.ItemDegree(apple), "users had the apple,", cut.Items(), "item was known")

	// Output:
	// fruit csv 3 kept, 1 dropped
	// 2 users had the apple, 1 item was known
}
