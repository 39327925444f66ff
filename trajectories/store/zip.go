package store

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// maxLog is the largest log of a run that a store takes, in bytes, before it is
// compressed.
const maxLog = 256 << 20

// What begins what is packed. Before there was S2 it was a frame of zstd, which
// begins otherwise.
const isS2 = 's'

// zip compresses what is kept for good, as a block of S2
// (https://github.com/klauspost/compress/tree/master/s2), which takes a sixth of
// the time of zstd and a third more room. What is packed is hashed where it is
// kept. It is safe for concurrent use.
type zip struct{ zstd *zstd.Decoder }

func newZip() (zip, error) {
	// Nothing grows beyond the room that it is given.
	r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxMemory(maxLog+overrun))
	return zip{r}, err
}

// overrun is room behind the content in which the decoder may work in a faster
// way.
const overrun = 64

// pack compresses b, into the room of dst if that is enough.
func (z zip) pack(dst, b []byte) []byte {
	dst = append(slices.Grow(dst[:0], 1+s2.MaxEncodedLen(len(b))), isS2)
	return dst[:1+len(s2.Encode(dst[1:cap(dst)], b))]
}

var errNotPacked = errors.New("it is not compressed in a way that is known")

// unpack is what has been packed, which must have size bytes, and no more than
// most.
func (z zip) unpack(packed []byte, size, most int64) ([]byte, error) {
	if size < 0 || size > most || size > math.MaxInt-overrun {
		return nil, fmt.Errorf("its size is given as %d", size)
	}
	b, err := z.open(packed, int(size))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) != size {
		return nil, fmt.Errorf("it has %d bytes, not %d", len(b), size)
	}
	return b, nil
}

func (z zip) open(packed []byte, size int) ([]byte, error) {
	if len(packed) == 0 {
		return nil, errNotPacked
	}
	if packed[0] != isS2 {
		return z.zstd.DecodeAll(packed, make([]byte, 0, size+overrun))
	}
	n, err := s2.DecodedLen(packed[1:])
	if err != nil {
		return nil, err
	}
	if n != size {
		return nil, fmt.Errorf("it has %d bytes, not %d", n, size)
	}
	return s2.Decode(make([]byte, n), packed[1:])
}

// close ends what works in the background.
func (z zip) close() {
	if z.zstd != nil {
		z.zstd.Close()
	}
}
