package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"

	"github.com/mars-rec/mars/message"
)

const (
	// sharable is the length from which on a body that repeats is stored once.
	// Shorter ones cost less where they stand, compressed, than in a row.
	sharable = 256
	// maxShared bounds the bodies that are shared, and those that the writer
	// remembers to have seen.
	maxShared = 1 << 14
	// maxKept bounds what is kept of them in memory, in bytes.
	maxKept = 64 << 20
)

// sharing finds bodies that repeat from run to run, as system prompts do. One
// that was already in the log of another run gets a row of its own, and from
// then on logs have its number.
type sharing struct {
	zip  zip
	put  func(context.Context, bodyRow) error // queues it before the logs that refer to it
	seed maphash.Seed

	mu     sync.Mutex
	shared map[uint64]sharedBody // by their hash
	kept   int                   // bytes of them
	last   int64                 // number of the last of them
	// seen has the hashes of those in logs that were written, and before what
	// was in it when it was full.
	seen, before map[uint64]struct{}
}

// sharedBody is a body that is stored once.
type sharedBody struct {
	number int64
	text   json.RawMessage
}

// newSharing begins with what the store has. What of it cannot be read is
// shared no more.
func newSharing(ctx context.Context, l *library, put func(context.Context, bodyRow) error) (*sharing, error) {
	s := &sharing{zip: l.zip, put: put, seed: maphash.MakeSeed(), shared: map[uint64]sharedBody{}, seen: map[uint64]struct{}{}}
	if err := l.db.QueryRowContext(ctx, `SELECT coalesce(max(number), 0) FROM body`).Scan(&s.last); err != nil {
		return nil, err
	}
	for number := int64(1); number <= s.last && s.more(); number++ {
		switch text, err := l.body(ctx, number); {
		case err == nil:
			s.keep(number, text)
		case !errors.Is(err, ErrDamaged):
			return nil, err
		}
	}
	return s, nil
}

func (s *sharing) more() bool { return len(s.shared) < maxShared && s.kept < maxKept }

func (s *sharing) keep(number int64, text json.RawMessage) {
	s.shared[maphash.Bytes(s.seed, text)] = sharedBody{number, text}
	s.kept += len(text)
}

// numbers returns, for each message of a log, the number of its shared body; 0:
// it is not shared. The log of a run that has failed is not remembered: the run
// may be begun again, and then says the same again.
func (s *sharing) numbers(ctx context.Context, log []message.Envelope, remember bool) ([]int64, error) {
	hashes := make([]uint64, len(log))
	for i, e := range log {
		if len(e.Body) >= sharable {
			hashes[i] = maphash.Bytes(s.seed, e.Body)
		}
	}
	out := make([]int64, len(log))
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, e := range log {
		if len(e.Body) < sharable {
			continue
		}
		b, ok := s.shared[hashes[i]]
		switch {
		case ok && bytes.Equal(b.text, e.Body):
			out[i] = b.number
		case !ok && s.more() && s.met(hashes[i]):
			row := bodyRow{number: s.last + 1, size: int64(len(e.Body)), packed: s.zip.pack(nil, e.Body)}
			if err := s.put(ctx, row); err != nil {
				return nil, err
			}
			s.last = row.number
			s.keep(row.number, e.Body)
			out[i] = row.number
		}
	}
	for i, h := range hashes {
		if remember && out[i] == 0 && h != 0 {
			s.meet(h)
		}
	}
	return out, nil
}

func (s *sharing) met(hash uint64) bool {
	_, now := s.seen[hash]
	_, then := s.before[hash]
	return now || then
}

func (s *sharing) meet(hash uint64) {
	if len(s.seen) >= maxShared {
		s.seen, s.before = map[uint64]struct{}{}, s.seen
	}
	s.seen[hash] = struct{}{}
}

// library reads bodies that logs share, and keeps them.
type library struct {
	db  querier
	zip zip

	mu    sync.Mutex
	texts map[int64]json.RawMessage
	kept  int // bytes of them
}

func newLibrary(db querier, z zip) *library {
	return &library{db: db, zip: z, texts: map[int64]json.RawMessage{}}
}

// body returns the shared body with that number. What is not as it was written,
// or not there, is [ErrDamaged].
func (l *library) body(ctx context.Context, number int64) (json.RawMessage, error) {
	l.mu.Lock()
	text, ok := l.texts[number]
	l.mu.Unlock()
	if ok {
		return text, nil
	}
	row := bodyRow{number: number}
	var hash []byte
	err := l.db.QueryRowContext(ctx, `SELECT size, packed, hash FROM body WHERE number = ?`, number).Scan(&row.size, &row.packed, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("%w: its body, which runs share, is missing (number %d)", ErrDamaged, number)
	}
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(row.digest(), hash) {
		return nil, fmt.Errorf("%w: its body, which runs share, is not as it was written (number %d)", ErrDamaged, number)
	}
	b, err := l.zip.unpack(row.packed, row.size, maxBody)
	if err != nil {
		return nil, fmt.Errorf("%w: its body, which runs share, cannot be read (number %d): %w", ErrDamaged, number, err)
	}
	text = b[:len(b):len(b)]
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kept += len(text); l.kept > maxKept {
		clear(l.texts)
		l.kept = len(text)
	}
	l.texts[number] = text
	return text, nil
}

// open reads the messages of a log, of which there should be n.
func (l *library) open(ctx context.Context, row logRow, n int) ([]stored, error) {
	return openLog(ctx, l, row, n, func(m stored) stored { return m })
}

// openLog reads the messages of a log, of which there should be n, and keeps a
// part of each.
func openLog[T any](ctx context.Context, l *library, row logRow, n int, part func(stored) T) ([]T, error) {
	log := make([]T, 0, min(max(n, 0), maxFacts))
	err := l.each(ctx, row, func(m stored, err error) error {
		if err != nil {
			return fmt.Errorf("message %s: %w", m.ID, err)
		}
		log = append(log, part(m))
		return nil
	})
	return log, err
}

// each visits the messages of a log, with what is wrong with each. Its own
// error is that of the log as a whole, or of visit.
func (l *library) each(ctx context.Context, row logRow, visit func(m stored, err error) error) error {
	text, err := l.zip.unpack(row.packed, row.size, maxLog)
	if err != nil {
		return fmt.Errorf("%w: its log cannot be read: %w", ErrDamaged, err)
	}
	for u := newUnpacker(text, func(number int64) (json.RawMessage, error) { return l.body(ctx, number) }); u.more(); {
		if err := visit(u.message()); err != nil {
			return err
		}
	}
	return nil
}
