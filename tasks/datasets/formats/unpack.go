package formats

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// packError is an error of a compressed stream.
type packError struct {
	kind string // "gzip", "zstd"
	err  error
}

func (e packError) Error() string { return fmt.Sprintf("%s: %v", e.kind, e.err) }
func (e packError) Unwrap() error { return e.err }

// unpack returns the text of a stream that may be packed with gzip or zstd,
// told by its first bytes, whatever its name. Its errors are packErrors where
// the packing is at fault.
func unpack(raw *bufio.Reader) (io.ReadCloser, error) {
	head, err := raw.Peek(4)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(raw)
		if err != nil {
			return nil, packErr("gzip", err)
		}
		return packed{z, z.Close, "gzip"}, nil
	case bytes.Equal(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		// The window is bounded, since a hostile header may ask for gigabytes;
		// 128 MiB is what zstd --long makes.
		z, err := zstd.NewReader(raw, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return nil, packErr("zstd", err)
		}
		return packed{z, func() error { z.Close(); return nil }, "zstd"}, nil
	}
	return io.NopCloser(raw), nil
}

// packed marks the errors of an unpacking reader.
type packed struct {
	io.Reader
	close func() error
	kind  string
}

func (p packed) Close() error { return p.close() }

func (p packed) Read(b []byte) (int, error) {
	n, err := p.Reader.Read(b)
	if err == nil || err == io.EOF {
		return n, err
	}
	return n, packErr(p.kind, err)
}

func packErr(kind string, err error) error {
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.ErrUnexpectedEOF
	}
	return packError{kind, err}
}
