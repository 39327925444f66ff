package store

import (
	"fmt"
	"math"

	"github.com/klauspost/compress/zstd"
)

// maxLog is the largest log of a run that a store takes, in bytes, before it is
// compressed.
const maxLog = 256 << 20

// zip compresses what is kept for good, with zstd (RFC 8878) and its check sum
// of the content. It is safe for concurrent use.
type zip struct {
	writer *zstd.Encoder
	reader *zstd.Decoder
}

func newZip() (zip, error) {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderCRC(true), zstd.WithWindowSize(1<<20))
	if err != nil {
		return zip{}, err
	}
	// Nothing grows beyond the room that it is given.
	r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxMemory(maxLog+overrun))
	return zip{w, r}, err
}

// overrun is room behind the content in which the decoder may work in a faster
// way.
const overrun = 64

// pack appends b, compressed, to dst.
func (z zip) pack(dst, b []byte) []byte { return z.writer.EncodeAll(b, dst) }

// unpack is what has been packed, which must have size bytes, and no more than
// most.
func (z zip) unpack(packed []byte, size, most int64) ([]byte, error) {
	if size < 0 || size > most || size > math.MaxInt-overrun {
		return nil, fmt.Errorf("its size is given as %d", size)
	}
	b, err := z.reader.DecodeAll(packed, make([]byte, 0, int(size)+overrun))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) != size {
		return nil, fmt.Errorf("it has %d bytes, not %d", len(b), size)
	}
	return b, nil
}

// close ends what works in the background.
func (z zip) close() {
	if z.reader != nil {
		z.reader.Close()
	}
}
