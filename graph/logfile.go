package graph

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"slices"
	"strconv"
)

// A log file is a header and rows, little-endian throughout:
//
//	magic "marsglog" | version u32 | bytes a row u32 | base i64
//	per row: user u32 | item u32 | time u32 [ | rating u8 ]
//
// Users and items are numbers from 0, dense: there are not many more numbers
// than rows. The external id of number n is n in decimal. A time is in seconds
// since the base, which is in Unix seconds. Rows have 12 bytes, or 13 with a
// rating, which is in tenths of a star, 0 for none. They may come in any order;
// in the order of time they need not be sorted.
const (
	logMagic   = "marsglog"
	logVersion = 1
	logHeader  = 24
	logRow     = 12
	logRated   = 13
)

// Row is a row of a log file.
type Row struct {
	User, Item uint32
	Time       uint32 // seconds since the base
	Tenths     uint8  // of a star; 0: no rating
}

// WriteLog writes a log file with the given base, in Unix seconds; with ratings
// or without.
func WriteLog(w io.Writer, base int64, rated bool, rows iter.Seq[Row]) error {
	le := binary.LittleEndian
	size := uint32(logRow)
	if rated {
		size = logRated
	}
	b := bufio.NewWriterSize(w, 1<<20)
	header := le.AppendUint32([]byte(logMagic), logVersion)
	header = le.AppendUint64(le.AppendUint32(header, size), uint64(base))
	if _, err := b.Write(header); err != nil {
		return fmt.Errorf("write graph log: %w", err)
	}
	var bytes [logRated]byte
	for r := range rows {
		le.PutUint32(bytes[0:], r.User)
		le.PutUint32(bytes[4:], r.Item)
		le.PutUint32(bytes[8:], r.Time)
		bytes[12] = r.Tenths
		if _, err := b.Write(bytes[:size]); err != nil {
			return fmt.Errorf("write graph log: %w", err)
		}
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("write graph log: %w", err)
	}
	return nil
}

// BuildLog makes a graph of a log file, as [Build] makes it of a log. A file
// that is none, is cut within a row, is of a newer version, or whose numbers
// are not dense is refused, with an error that says which.
//
// Beside the graph and the file, which is mapped, it holds 36 bytes a row.
func (c BuildConfig) BuildLog(path string) (*Graph, error) {
	g, err := c.buildLog(path)
	if err != nil {
		return nil, fmt.Errorf("build graph of log %s: %w", path, err)
	}
	return g, nil
}

func (c BuildConfig) buildLog(path string) (_ *Graph, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	m, err := mapFile(f, int(info.Size()))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	b, err := c.readLog(m.bytes)
	if err != nil {
		return nil, err
	}
	return b.build()
}

// readLog reads the bytes of a log file.
func (c BuildConfig) readLog(file []byte) (*builder, error) {
	le := binary.LittleEndian
	if len(file) < logHeader || string(file[:8]) != logMagic {
		return nil, errors.New("the file is not a graph log: it does not start with " + logMagic)
	}
	if v := le.Uint32(file[8:]); v != logVersion {
		return nil, fmt.Errorf("it has format %d, this program reads %d", v, logVersion)
	}
	size := int(le.Uint32(file[12:]))
	if size != logRow && size != logRated {
		return nil, fmt.Errorf("it has %d bytes a row, not %d or %d", size, logRow, logRated)
	}
	body := file[logHeader:]
	if len(body)%size != 0 {
		return nil, fmt.Errorf("it ends within row %d: it was cut short", len(body)/size+1)
	}
	n := len(body) / size
	if n > math.MaxUint32 {
		return nil, fmt.Errorf("it has %d rows; a graph holds at most %d", n, uint32(math.MaxUint32))
	}
	base := int64(le.Uint64(file[16:]))
	if base > math.MaxInt64-math.MaxUint32 {
		return nil, fmt.Errorf("its base %d is not a time in Unix seconds", base)
	}
	c.tell(0, "read")
	b := &builder{BuildConfig: c, entries: roomFor[entry](n), base: base, inOrder: true}
	// What is not dense would need memory for numbers that nobody has.
	most := 4*n + 1024
	parts := c.workers()
	tallies := make([]tally, parts)
	b.each(parts, func(part int) {
		from, to := part*n/parts, (part+1)*n/parts
		tallies[part].read(b.entries[from:to], body[from*size:to*size], size, most)
	})
	all := tally{inOrder: true}
	for part, t := range tallies {
		all.user, all.item = max(all.user, t.user), max(all.item, t.item)
		for r, there := range t.ratings {
			all.ratings[r] = all.ratings[r] || there
		}
		from := part * n / parts
		b.inOrder = b.inOrder && t.inOrder && (from == 0 || from == n || b.entries[from-1].time <= b.entries[from].time)
	}
	if int(all.user) > most || int(all.item) > most {
		return nil, fmt.Errorf("%d rows have user numbers up to %d and item numbers up to %d: number them from 0 without gaps", n, all.user, all.item)
	}
	if n > 0 {
		b.each(2, func(k int) {
			if k == 0 {
				b.users = numbered(all.user)
			} else {
				b.items = numbered(all.item)
			}
		})
		users, items := sums(tallies)
		b.users.degrees, b.items.degrees = users[:len(b.users.ids)], items[:len(b.items.ids)]
	}
	b.table = all.number(b)
	return b, nil
}

// tally is what was seen in a part of a log.
type tally struct {
	user, item   uint32   // the highest
	users, items []uint32 // by number: entries
	ratings      [256]bool
	inOrder      bool // of time
}

// read reads rows of a log file. Numbers higher than most are not counted.
func (t *tally) read(entries []entry, rows []byte, size, most int) {
	le := binary.LittleEndian
	t.inOrder = true
	before := uint32(0)
	for k := range entries {
		row := rows[k*size:][:logRow]
		e := entry{user: le.Uint32(row), item: le.Uint32(row[4:]), time: le.Uint32(row[8:])}
		if size == logRated {
			e.rating = uint32(rows[k*size+logRow])
		}
		entries[k] = e
		t.ratings[uint8(e.rating)] = true
		if e.time < before {
			t.inOrder = false
		}
		before = e.time
		if int(e.user) >= len(t.users) {
			t.user = max(t.user, e.user)
			t.users = counters(t.users, e.user, most)
		}
		if int(e.item) >= len(t.items) {
			t.item = max(t.item, e.item)
			t.items = counters(t.items, e.item, most)
		}
		if int(max(e.user, e.item)) <= most {
			t.users[e.user]++
			t.items[e.item]++
		}
	}
	t.user, t.item = max(t.user, highest(t.users)), max(t.item, highest(t.items))
}

// highest returns the highest number that is counted.
func highest(counts []uint32) uint32 {
	k := len(counts)
	for k > 1 && counts[k-1] == 0 {
		k--
	}
	return uint32(max(0, k-1))
}

// counters returns counters that have room for number, unless it is more than
// most.
func counters(have []uint32, number uint32, most int) []uint32 {
	if int(number) > most {
		return have
	}
	more := roomFor[uint32](min(max(2*len(have), int(number)+1, 1<<12), most+1))
	copy(more, have)
	return more
}

// sums returns how often the tallies have each user and each item.
func sums(tallies []tally) (users, items []uint32) {
	for _, t := range tallies {
		users, items = plus(users, t.users), plus(items, t.items)
	}
	return users, items
}

// plus adds counters to others, whichever are more.
func plus(a, b []uint32) []uint32 {
	if len(a) < len(b) {
		a, b = b, a
	}
	for k, n := range b {
		a[k] += n
	}
	return a
}

// number gives the ratings of the entries their codes, and returns the table.
func (t *tally) number(b *builder) (table []float32) {
	var codes [256]uint32
	same := true
	for tenths, there := range t.ratings {
		if there {
			codes[tenths] = uint32(len(table))
			same = same && tenths == len(table)
			table = append(table, float32(tenths)/10)
		}
	}
	if !same {
		parts, n := b.workers(), len(b.entries)
		b.each(parts, func(part int) {
			for k := part * n / parts; k < (part+1)*n/parts; k++ {
				b.entries[k].rating = codes[b.entries[k].rating]
			}
		})
	}
	return table
}

// numbered is a side whose external ids are the numbers up to last.
func numbered(last uint32) side {
	s := side{sorted: slices.AppendSeq(make([]uint32, 0, int(last)+1), decimals(last))}
	digits := make([]byte, 0, 8*len(s.sorted))
	ends := make([]int, len(s.sorted))
	for p, n := range s.sorted {
		digits = strconv.AppendUint(digits, uint64(n), 10)
		ends[p] = len(digits)
	}
	// All ids are parts of one string.
	s.ids = make([]string, len(s.sorted))
	all, start := string(digits), 0
	for p, end := range ends {
		s.ids[p], start = all[start:end], end
	}
	return s
}

// decimals yields the numbers from 0 to last by their decimal digits, ascending
// as bytes: 0, 1, 10, 100, ..., 11, ..., 2.
func decimals(last uint32) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		if !yield(0) || last == 0 {
			return
		}
		for n := uint64(1); ; {
			if !yield(uint32(n)) {
				return
			}
			if n*10 <= uint64(last) {
				n *= 10
				continue
			}
			for n%10 == 9 || n == uint64(last) {
				if n /= 10; n == 0 {
					return
				}
			}
			n++
		}
	}
}
