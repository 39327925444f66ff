package graph

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
)

// A delta is a file beside a snapshot, named after it with .delta: what was
// appended since the snapshot was written. Little-endian throughout:
//
//	magic "marsdelt" | version u32 | 0 u32
//	per batch: length of the rows u32 | crc-32c of the rows u32 | rows
//	per row: time i64, Unix seconds | rating f32 | lengths of user and item u16, u16 | user | item
//
// A batch is there or it is not: one that is cut short at the end of the file was
// never acknowledged and is passed over. Of a pair's interactions the earliest
// counts, so that a batch which the snapshot has already changes nothing. That
// is what makes compaction safe: the new snapshot is renamed into place first,
// the delta removed then, and a reader takes the delta first, the snapshot then.
const (
	deltaMagic   = "marsdelt"
	deltaVersion = 1
	deltaHeader  = 16
	deltaBatch   = 8
	deltaRow     = 16
)

func deltaPath(snapshot string) string { return snapshot + ".delta" }

// newDelta returns the header of a delta file.
func newDelta() []byte {
	b := binary.LittleEndian.AppendUint32([]byte(deltaMagic), deltaVersion)
	return binary.LittleEndian.AppendUint32(b, 0)
}

// encodeBatch returns a batch of rows.
func encodeBatch(log []Interaction) ([]byte, error) {
	le := binary.LittleEndian
	b := make([]byte, deltaBatch)
	for k, in := range log {
		if err := check(in); err != nil {
			return nil, fmt.Errorf("row %d: %w", k+1, err)
		}
		b = le.AppendUint64(b, uint64(in.Time))
		b = le.AppendUint32(b, math.Float32bits(in.Rating))
		b = le.AppendUint16(b, uint16(len(in.User)))
		b = le.AppendUint16(b, uint16(len(in.Item)))
		b = append(append(b, in.User...), in.Item...)
	}
	if len(b)-deltaBatch > math.MaxInt32 {
		return nil, errors.New("the batch is longer than 2 GiB: append it in parts")
	}
	le.PutUint32(b, uint32(len(b)-deltaBatch))
	le.PutUint32(b[4:], crc32.Checksum(b[deltaBatch:], castagnoli()))
	return b, nil
}

// decodeDelta returns the rows of a delta file, and how much of the file is
// whole.
func decodeDelta(b []byte) (log []Interaction, whole int, err error) {
	le := binary.LittleEndian
	if len(b) < deltaHeader {
		return nil, 0, nil // cut short while it was made
	}
	if string(b[:8]) != deltaMagic {
		return nil, 0, errors.New("it is not the delta of a graph")
	}
	if v := le.Uint32(b[8:]); v != deltaVersion {
		return nil, 0, fmt.Errorf("it has format %d, this program reads %d", v, deltaVersion)
	}
	at := deltaHeader
	for len(b)-at >= deltaBatch {
		n := int(le.Uint32(b[at:]))
		rows := b[at+deltaBatch:]
		if n > len(rows) || n == 0 {
			break // cut short, or never written
		}
		rows = rows[:n]
		if crc32.Checksum(rows, castagnoli()) != le.Uint32(b[at+4:]) {
			return nil, 0, fmt.Errorf("the batch at byte %d does not match its checksum: restore the file, or cut it there to lose what was appended since", at)
		}
		for len(rows) > 0 {
			if len(rows) < deltaRow {
				return nil, 0, fmt.Errorf("the batch at byte %d ends within a row", at)
			}
			user, item := int(le.Uint16(rows[12:])), int(le.Uint16(rows[14:]))
			if len(rows) < deltaRow+user+item {
				return nil, 0, fmt.Errorf("the batch at byte %d ends within a row", at)
			}
			in := Interaction{Time: int64(le.Uint64(rows)), Rating: math.Float32frombits(le.Uint32(rows[8:]))}
			in.User, in.Item = string(rows[deltaRow:deltaRow+user]), string(rows[deltaRow+user:deltaRow+user+item])
			if err := check(in); err != nil {
				return nil, 0, fmt.Errorf("the batch at byte %d: %w", at, err)
			}
			log, rows = append(log, in), rows[deltaRow+user+item:]
		}
		at += deltaBatch + n
	}
	return log, at, nil
}

// readDelta reads the delta beside a snapshot; nothing if there is none.
func readDelta(snapshot string) (log []Interaction, whole int, err error) {
	b, err := os.ReadFile(deltaPath(snapshot))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err == nil {
		log, whole, err = decodeDelta(b)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("delta %s: %w", deltaPath(snapshot), err)
	}
	return log, whole, nil
}

// rowsAtOnce bounds a batch of a delta that is written whole.
const rowsAtOnce = 1 << 16

// WriteDelta writes interactions as a delta, for [ReadDelta]. Whoever keeps
// deltas apart from the snapshots, under names of his own, opens the two by
// [OpenWith].
func WriteDelta(w io.Writer, log []Interaction) error {
	if _, err := w.Write(newDelta()); err != nil {
		return fmt.Errorf("write delta: %w", err)
	}
	for rows := range slices.Chunk(log, rowsAtOnce) {
		b, err := encodeBatch(rows)
		if err == nil {
			_, err = w.Write(b)
		}
		if err != nil {
			return fmt.Errorf("write delta: %w", err)
		}
	}
	return nil
}

// ReadDelta reads a file that [WriteDelta] wrote. One that is cut short is
// refused.
func ReadDelta(path string) ([]Interaction, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read delta: %w", err)
	}
	log, whole, err := decodeDelta(b)
	if err == nil && (whole == 0 || whole != len(b)) {
		err = fmt.Errorf("it ends within a batch, at byte %d of %d", whole, len(b))
	}
	if err != nil {
		return nil, fmt.Errorf("read delta %s: %w", path, err)
	}
	return log, nil
}

// OpenWith opens a snapshot as [Open] does, with a log that is not in it. What
// is in a delta beside the snapshot is left out.
func OpenWith(path string, log []Interaction) (*Graph, error) {
	g, err := openSnapshot(path)
	if err != nil || len(log) == 0 {
		return g, err
	}
	with, err := g.With(log)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open graph snapshot %s with more: %w", path, err), g.Close())
	}
	return with, nil
}
