package datasets

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/mars-rec/mars/tasks"
)

// spool keeps item records on disk until it is known which of them stay, so
// that memory holds no descriptions. Records are read back by their offset.
type spool struct {
	f    *os.File
	w    *bufio.Writer
	size int64
}

func newSpool(path string) (*spool, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("item spool: %w", err)
	}
	return &spool{f: f, w: bufio.NewWriterSize(f, 256<<10)}, nil
}

// put appends a record and returns its offset.
func (s *spool) put(item tasks.Item) (int64, error) {
	b, err := json.Marshal(item)
	if err != nil {
		return 0, fmt.Errorf("item spool: %w", err)
	}
	at := s.size
	s.size += int64(len(b))
	if _, err := s.w.Write(b); err != nil {
		return 0, fmt.Errorf("item spool: %w", err)
	}
	return at, nil
}

// get reads the record at an offset. Nothing may be put after the first get.
func (s *spool) get(at int64) (tasks.Item, error) {
	var item tasks.Item
	if s.w.Buffered() > 0 {
		if err := s.w.Flush(); err != nil {
			return item, fmt.Errorf("item spool: %w", err)
		}
	}
	record := io.NewSectionReader(s.f, at, s.size-at)
	if err := json.NewDecoder(record).Decode(&item); err != nil {
		return item, fmt.Errorf("item spool: %w", err)
	}
	return item, nil
}

// remove ends the spool and deletes its file.
func (s *spool) remove() error {
	s.close()
	return os.Remove(s.f.Name())
}

// close ends the spool; its file goes with the staging directory. What it held
// is not needed any more, so an error says nothing.
func (s *spool) close() { _ = s.f.Close() }
