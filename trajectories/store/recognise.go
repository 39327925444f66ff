package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// ErrNotAStore says that a file is something else.
var ErrNotAStore = errors.New("this is not a run store")

// recognise refuses a file that cannot be a run store, by its first bytes
// (https://www.sqlite.org/fileformat.html, 1.3), so that nothing is ever made
// or locked beside what is somebody else's. What looks like one is checked by
// [checkSchema], and so is one whose first page may stand in its WAL.
func recognise(path string) error {
	if _, err := os.Stat(path + "-wal"); err == nil {
		return nil
	}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	const magic = "SQLite format 3\x00"
	header := make([]byte, 108)
	n, err := io.ReadFull(f, header)
	switch {
	case n == 0 && errors.Is(err, io.EOF):
		return nil // killed before the first page was written
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return err
	case !strings.HasPrefix(string(header[:n]), magic[:min(n, len(magic))]):
		return fmt.Errorf("%w: it is no SQLite database", ErrNotAStore)
	case n < 100:
		return fmt.Errorf("%w: the file ends after %d bytes", ErrDamaged, n)
	}
	id, tables, pages := binary.BigEndian.Uint32(header[68:]), binary.BigEndian.Uint16(header[103:]), binary.BigEndian.Uint32(header[28:])
	if id == 0 && pages == 1 && tables == 0 {
		return nil // killed after the first page was written, and before the tables were made
	}
	if id != applicationID {
		return fmt.Errorf("%w: it is another kind of SQLite database", ErrNotAStore)
	}
	return nil
}
