package datasets

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/datasets/formats"
)

// TestImportOfPublishedData holds the counts that the publishers, or those who
// counted before us, tell.
func TestImportOfPublishedData(t *testing.T) {
	for name, c := range map[string]struct {
		format string
		want   Counts
		note   string
		item   tasks.Item // in the catalog as this, but for its text
	}{
		"ml-latest-small": {"movielens", Counts{
			Rows: 100836, Interactions: 100836, Users: 610, Items: 9742, ItemRecords: 9742, IdleItems: 18}, "",
			tasks.Item{ID: "11", Title: "American President, The (1995)", Categories: []string{"Comedy", "Drama", "Romance"}, Year: 1995}},
		"gift-cards-5-amazon2018": {"amazon-2018", Counts{
			Rows: 2972, Interactions: 2965, Dropped: map[formats.Reason]int{DuplicatePair: 7},
			Users: 458, Items: 148, ItemRecords: 1547, LeftOut: 1399, Reviews: 2959},
			"1399 of 1547 described items have no interaction and are left out: the item file is wider than the collection",
			tasks.Item{ID: "B004LLIKVU", Title: "Amazon eGift Card", Categories: []string{"Gift Cards"}}},
		"yelp-agentsociety-subset": {"agentsociety", Counts{
			Rows: 4164, Interactions: 3969, Dropped: map[formats.Reason]int{DuplicatePair: 195},
			Users: 1618, UserRecords: 38, Items: 432, ItemRecords: 432, Reviews: 3969},
			"38 of 1618 users have a user record; the others are known by their interactions only",
			tasks.Item{ID: "dIpTuL2T1L98GQGU17IeSw", Title: "The Bricks"}},
	} {
		t.Run(name, func(t *testing.T) {
			source := filepath.Join("..", "..", "..", "shared", "data", name)
			if _, err := os.Stat(source); err != nil {
				t.Skipf("the public data set is not beside the repository: %v", err)
			}
			reader, why, err := formats.Detect(source)
			if err != nil || reader.Name != c.format {
				t.Fatalf("recognised %q (%s), %v, want %q", reader.Name, why, err, c.format)
			}
			out := filepath.Join(t.TempDir(), name)
			m, err := Import(t.Context(), reader, source, out, ImportConfig{})
			if err != nil {
				t.Fatal(err)
			}
			got := m.Counts
			for reason, n := range got.Dropped {
				if n != c.want.Dropped[reason] {
					t.Errorf("%s: %d rows dropped, want %d", reason, n, c.want.Dropped[reason])
				}
			}
			got.Dropped = nil
			c.want.Dropped = nil
			if gotText, wantText := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", c.want); gotText != wantText {
				t.Errorf("counts %s\nwant   %s", gotText, wantText)
			}
			if c.note != "" && !slices.Contains(m.Notes, c.note) {
				t.Errorf("notes %q, want %q among them", m.Notes, c.note)
			}
			d := open(t, out)
			if err := d.Verify(t.Context()); err != nil {
				t.Error(err)
			}
			item, ok, err := d.Catalog().Item(t.Context(), c.item.ID)
			if err != nil || !ok || item.Title != c.item.Title || c.item.Year != 0 && item.Year != c.item.Year ||
				c.item.Categories != nil && !slices.Equal(item.Categories, c.item.Categories) {
				t.Errorf("item %+v, %v, %v, want %+v", item, ok, err, c.item)
			}
		})
	}
}
