package formats

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
)

// parquetTable reads parquet files. A column is a value or a list of values in
// the row; dates and timestamps are times whatever their unit.
func parquetTable() Reader {
	return tableFormat{
		name:    "parquet",
		about:   "a parquet file, or a directory with interactions.parquet and items.parquet",
		endings: []string{".parquet"},
		magic:   "PAR1",
		open:    openParquet,
	}.reader()
}

// columnTable is a table of columns in a parquet file, read in rows.
type columnTable struct {
	in     *input
	groups []parquet.RowGroup // not begun yet
	rows   parquet.Rows       // of the group that is read; nil before the first
	buffer []parquet.Row
	ready  []parquet.Row // of the buffer, not used yet
	row    parquet.Row
	leaves map[string]leaf
	order  []string
}

// leaf is where a column's values lie, and how they are written as text.
type leaf struct {
	index int
	write func(parquet.Value) string
}

func openParquet(in *input) (t table, err error) {
	defer in.guard(&err)
	info, err := in.disk.Stat()
	if err != nil {
		return nil, err
	}
	content, err := parquet.OpenFile(in.disk, info.Size(), parquet.SkipBloomFilters(true), parquet.SkipPageIndex(true))
	if err != nil {
		return nil, in.fail(0, "a sound parquet file", err.Error())
	}
	c := &columnTable{in: in, groups: content.RowGroups(), buffer: make([]parquet.Row, 256), leaves: make(map[string]leaf)}
	c.addColumns(content.Schema())
	return c, nil
}

// addColumns takes the columns of the schema that hold a value or a list of
// values. Records inside a row play no role.
func (t *columnTable) addColumns(schema *parquet.Schema) {
	leaves := make(map[string]int)
	for _, path := range schema.Columns() {
		leaves[path[0]]++
	}
	for _, path := range schema.Columns() {
		column, ok := schema.Lookup(path...)
		write := writer(column.Node.Type())
		if ok && leaves[path[0]] == 1 && write != nil {
			t.leaves[path[0]] = leaf{column.ColumnIndex, write}
			t.order = append(t.order, path[0])
		}
	}
}

func (t *columnTable) names() []string { return t.order }

func (t *columnTable) next() (err error) {
	defer t.in.guard(&err)
	for len(t.ready) == 0 {
		if t.rows == nil {
			if len(t.groups) == 0 {
				return io.EOF
			}
			t.rows, t.groups = t.groups[0].Rows(), t.groups[1:]
		}
		n, err := t.rows.ReadRows(t.buffer)
		t.ready = t.buffer[:n]
		if err == nil {
			continue
		}
		closed := t.rows.Close()
		t.rows = nil
		if err != io.EOF {
			return t.in.fail(t.in.Rows+n+1, "a sound parquet file", err.Error())
		}
		if closed != nil {
			return fmt.Errorf("%s: %w", t.in.Name, closed)
		}
	}
	t.row, t.ready = t.ready[0], t.ready[1:]
	t.in.Rows++
	t.in.row = t.in.Rows
	for _, v := range t.row {
		if !v.IsNull() && v.Kind() == parquet.ByteArray {
			if err := t.checkText(v.ByteArray()); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkText holds text to the rules of text files.
func (t *columnTable) checkText(text []byte) error {
	switch {
	case len(text) > maxLine:
		return t.in.failRow(fmt.Sprintf("values of at most %d bytes", maxLine), "a longer one")
	case !utf8.Valid(text):
		return t.in.failRow("UTF-8", show(string(text)))
	case bytes.IndexByte(text, 0) >= 0:
		return t.in.failRow("text", "a NUL byte in it")
	}
	return nil
}

func (t *columnTable) cell(column string) []string {
	leaf, ok := t.leaves[column]
	if !ok {
		return nil
	}
	var values []string
	for _, v := range t.row {
		if v.Column() == leaf.index && !v.IsNull() {
			if s := leaf.write(v); s != "" {
				values = append(values, s)
			}
		}
	}
	return values
}

// guard turns a panic of the parquet library, which some damaged files bring
// about, into an error of the file.
func (in *input) guard(err *error) {
	if p := recover(); p != nil {
		*err = in.fail(in.Rows+1, "a sound parquet file", fmt.Sprint(p))
	}
}

// writer returns how values of a type are written as text, times as Unix
// seconds; nil for types that have no place in a table of interactions.
func writer(typ parquet.Type) func(parquet.Value) string {
	if unit := timeUnit(typ); unit > 0 {
		return func(v parquet.Value) string { return strconv.FormatInt(floorDiv(v.Int64(), unit), 10) }
	}
	scale := 1.0
	days := typ.ConvertedType() != nil && *typ.ConvertedType() == deprecated.Date
	if logical := typ.LogicalType(); logical != nil {
		switch kind := logical.Value.(type) {
		case *format.DateType:
			days = true
		case *format.DecimalType:
			scale = math.Pow10(int(kind.Scale))
		}
	}
	if days && typ.Kind() == parquet.Int32 {
		return func(v parquet.Value) string { return strconv.FormatInt(int64(v.Int32())*24*3600, 10) }
	}
	switch typ.Kind() {
	case parquet.Boolean:
		return func(v parquet.Value) string { return strconv.FormatBool(v.Boolean()) }
	case parquet.Int32:
		return func(v parquet.Value) string { return writeInt(int64(v.Int32()), scale) }
	case parquet.Int64:
		return func(v parquet.Value) string { return writeInt(v.Int64(), scale) }
	case parquet.Int96: // a timestamp, in the older files
		return func(v parquet.Value) string { return writeInt96(v.Int96()) }
	case parquet.Float:
		return func(v parquet.Value) string { return writeFloat(float64(v.Float()), 32) }
	case parquet.Double:
		return func(v parquet.Value) string { return writeFloat(v.Double(), 64) }
	case parquet.ByteArray:
		if scale == 1 {
			return func(v parquet.Value) string { return string(v.ByteArray()) }
		}
	}
	return nil
}

// timeUnit returns how many units of a timestamp make a second; 0 if the type
// is none.
func timeUnit(typ parquet.Type) int64 {
	if logical := typ.LogicalType(); logical != nil {
		if stamp, ok := logical.Value.(*format.TimestampType); ok && stamp.Unit.Value != nil {
			return int64(time.Second / stamp.Unit.Value.Duration())
		}
	}
	return 0
}

func writeInt(n int64, scale float64) string {
	if scale == 1 {
		return strconv.FormatInt(n, 10)
	}
	return writeFloat(float64(n)/scale, 64)
}

// writeFloat takes NaN for no value, as those who write tables of floats do.
func writeFloat(f float64, bits int) string {
	if math.IsNaN(f) {
		return ""
	}
	return strconv.FormatFloat(f, 'f', -1, bits)
}

// writeInt96 reads a time as nanoseconds of the day, then the Julian day.
func writeInt96(n deprecated.Int96) string {
	const julianEpoch = 2440588 // 1970-01-01
	nanos := int64(n[1])<<32 | int64(n[0])
	return strconv.FormatInt((int64(n[2])-julianEpoch)*24*3600+nanos/1e9, 10)
}
