package datasets

import (
	"context"
	"encoding/json"
	"fmt"
	"unique"
)

// Attributes is what the catalog says of all items, held in memory: categories
// and years, by item id. It has the methods that the signals of package
// graph/rank ask for.
type Attributes struct {
	categories map[string][]string
	years      map[string]int
}

// Categories returns the item's categories; none if it is not known.
func (a *Attributes) Categories(item string) []string { return a.categories[item] }

// Year returns the item's year; 0 if it is not known.
func (a *Attributes) Year(item string) int { return a.years[item] }

// Attributes reads the categories and years of all items.
func (d *Dataset) Attributes(ctx context.Context) (*Attributes, error) {
	rows, err := d.catalog.db.QueryContext(ctx, queries(d.catalog.late).attributes)
	if err != nil {
		return nil, fmt.Errorf("catalog: attributes: %w", err)
	}
	defer rows.Close()
	a := &Attributes{map[string][]string{}, map[string]int{}}
	for rows.Next() {
		var id, list string
		var year int
		if err := rows.Scan(&id, &list, &year); err != nil {
			return nil, fmt.Errorf("catalog: attributes: %w", err)
		}
		var categories []string
		if err := json.Unmarshal([]byte(list), &categories); err != nil {
			return nil, fmt.Errorf("catalog: item %s: %w", id, err)
		}
		for i, c := range categories {
			categories[i] = unique.Make(c).Value() // one copy of each name
		}
		if len(categories) > 0 {
			a.categories[id] = categories
		}
		if year != 0 {
			a.years[id] = year
		}
	}
	return a, rows.Err()
}
