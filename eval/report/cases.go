package report

import (
	"encoding/csv"
	"io"
	"strconv"

	"github.com/parquet-go/parquet-go"

	"github.com/mars-rec/mars/eval"
)

// rankPrefix is before a system's name in the name of its column.
const rankPrefix = "rank:"

// WriteCSV writes a row for each case, under a header. A rank is from 1, 0 for a
// miss, and empty where the system was not asked.
func WriteCSV(w io.Writer, results *eval.Results) error {
	out := csv.NewWriter(w)
	header := []string{"set", "group", "id", "user", "scenario", "as_of"}
	for _, name := range results.Columns() {
		header = append(header, rankPrefix+name.String())
	}
	if err := out.Write(header); err != nil {
		return err
	}
	for c := range results.EachCase() {
		row := []string{c.Set, c.Group, c.ID, c.User, c.Scenario, c.AsOf}
		for _, rank := range c.Ranks {
			cell := ""
			if rank != eval.Absent {
				cell = strconv.Itoa(rank)
			}
			row = append(row, cell)
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// WriteParquet writes the same rows as parquet: strings, and ranks that are null
// where the system was not asked. Columns go by name.
func WriteParquet(w io.Writer, results *eval.Results) error {
	group, columns := parquet.Group{}, results.Columns()
	for _, name := range []string{"set", "group", "id", "user", "scenario", "as_of"} {
		group[name] = parquet.Encoded(parquet.String(), &parquet.RLEDictionary)
	}
	group["id"] = parquet.String()
	for _, name := range columns {
		group[rankPrefix+name.String()] = parquet.Optional(parquet.Int(32))
	}
	schema := parquet.NewSchema("cases", group)
	at := map[string]int{}
	for k, path := range schema.Columns() {
		at[path[0]] = k
	}
	out := parquet.NewWriter(w, schema, parquet.Compression(&parquet.Zstd))
	for c := range results.EachCase() {
		row := make(parquet.Row, len(at))
		for name, text := range map[string]string{"set": c.Set, "group": c.Group, "id": c.ID, "user": c.User, "scenario": c.Scenario, "as_of": c.AsOf} {
			row[at[name]] = parquet.ByteArrayValue([]byte(text)).Level(0, 0, at[name])
		}
		for k, name := range columns {
			column := at[rankPrefix+name.String()]
			if c.Ranks[k] == eval.Absent {
				row[column] = parquet.NullValue().Level(0, 0, column)
			} else {
				row[column] = parquet.Int32Value(int32(c.Ranks[k])).Level(0, 1, column)
			}
		}
		if _, err := out.WriteRows([]parquet.Row{row}); err != nil {
			return err
		}
	}
	return out.Close()
}
