package datasets

import (
	"os"
	"path/filepath"
	"testing"
)

// realData returns the path of a public data set, which is not part of the
// repository: it lies in shared/data beside it.
func realData(t *testing.T, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Skip("no go.mod above the test: cannot tell where the public data sets are")
		}
		dir = filepath.Dir(dir)
	}
	path := filepath.Join(dir, "..", "shared", "data", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the public data set %s is not on this machine (looked for %s)", name, path)
	}
	return path
}

// The counts are those that the data sets' own documentation gives.
func TestRealData(t *testing.T) {
	for _, c := range []struct {
		name, format                      string
		interactions, pairs, users, items int // users and items of interactions
		itemRecords, userRecords          int
	}{
		{name: "ml-latest-small", format: "movielens", interactions: 100_836, pairs: 100_836, users: 610, items: 9_724, itemRecords: 9_742},
		{name: "gift-cards-5-amazon2018", format: "amazon-2018", interactions: 2_972, pairs: 2_965, users: 458, items: 148, itemRecords: 1_547},
		{name: "yelp-agentsociety-subset", format: "agentsociety", interactions: 4_164, pairs: 3_969, users: 1_618, items: 432, itemRecords: 432, userRecords: 38},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := realData(t, c.name)
			reader, why, err := Detect(path)
			if err != nil || reader.Name != c.format {
				t.Fatalf("Detect: %q because %q, %v", reader.Name, why, err)
			}
			got := newRecorder()
			if err := reader.Read(t.Context(), path, Options{}, got); err != nil {
				t.Fatal(err)
			}
			if got.events != c.interactions || len(got.pairs) != c.pairs || len(got.active) != c.users || len(got.touched) != c.items {
				t.Errorf("%d interactions of %d pairs, %d users, %d items; want %+v", got.events, len(got.pairs), len(got.active), len(got.touched), c)
			}
			if len(got.items) != c.itemRecords || len(got.users) != c.userRecords || len(got.dropped) != 0 {
				t.Errorf("%d item records, %d user records, dropped %v; want %+v", len(got.items), len(got.users), got.dropped, c)
			}
			for item := range got.touched {
				if _, ok := got.items[item]; !ok {
					t.Errorf("item %s has interactions and no record", item)
				}
			}
			checkFiles(t, path, got.files)
			for _, f := range got.files {
				t.Log(f.Name, f.Rows, "rows", f.Notes)
			}
		})
	}
}
