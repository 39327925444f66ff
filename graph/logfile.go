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
// Beside the graph and the file, which is mapped, it holds 17 bytes a row, or 37
// if its rows are not in the order of time or a pair repeats.
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
	log := &logRows{bytes: body, size: size, n: n}
	b := &builder{BuildConfig: c, log: log, base: base, tallies: make([]tally, c.workers())}
	for tenths := range log.codes {
		log.codes[tenths] = uint8(tenths)
	}
	// What is not dense would need memory for numbers that nobody has.
	most := 4*n + 1024
	b.each(len(b.tallies), func(part int) { b.tallies[part].see(b, part, most) })
	var all tally
	for _, t := range b.tallies {
		all.user, all.item = max(all.user, t.user), max(all.item, t.item)
		for r, there := range t.ratings {
			all.ratings[r] = all.ratings[r] || there
		}
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
	}
	for tenths, there := range all.ratings {
		if there {
			log.codes[tenths] = uint8(len(b.table))
			b.table = append(b.table, float32(tenths)/10)
		}
	}
	return b, nil
}

// logRows are the rows of a log file.
type logRows struct {
	bytes   []byte
	size, n int        // bytes of a row; rows
	codes   [256]uint8 // by tenths of a star: what an entry has instead
}

// read fills into with the rows from one on.
func (l *logRows) read(from int, into []entry) {
	le := binary.LittleEndian
	rows := l.bytes[from*l.size : (from+len(into))*l.size]
	if l.size == logRow {
		for k := range into {
			row := rows[k*logRow:][:logRow]
			into[k] = entry{le.Uint32(row), le.Uint32(row[4:]), le.Uint32(row[8:]), uint32(l.codes[0])}
		}
		return
	}
	for k := range into {
		row := rows[k*logRated:][:logRated]
		into[k] = entry{le.Uint32(row), le.Uint32(row[4:]), le.Uint32(row[8:]), uint32(l.codes[row[12]])}
	}
}

// see counts a part of the entries, which is about to be read for the first
// time. Numbers higher than most are only told.
func (t *tally) see(b *builder, part, most int) {
	t.inOrder = true
	started := false
	b.eachStretch(part, len(b.tallies), func(entries []entry) {
		if !started {
			t.first, started = entries[0].time, true
			t.last = t.first
		}
		for k := range entries {
			e := &entries[k]
			t.ratings[uint8(e.rating)] = true
			if e.time < t.last {
				t.inOrder = false
			}
			t.last = e.time
			if int(e.user) >= len(t.users) || int(e.item) >= len(t.items) {
				t.users, t.items = counters(t.users, e.user, most), counters(t.items, e.item, most)
				t.user, t.item = max(t.user, e.user), max(t.item, e.item)
				if int(max(t.user, t.item)) > most {
					continue
				}
			}
			t.users[e.user]++
			t.items[e.item]++
		}
	})
	t.user, t.item = max(t.user, highest(t.users)), max(t.item, highest(t.items))
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
