package tasks

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"time"
	"unicode/utf8"

	"github.com/mars-rec/mars/message"
)

// maxLine bounds one line of a task file, in bytes: room for some thousands of
// candidates.
const maxLine = 1 << 20

// Lines reads JSON lines: one value of type T per line, decoded strictly. An
// unknown field, a second value on the line, bytes that are not UTF-8, an empty
// line or a line over 1 MiB is an error that names the line, counted from 1. It
// streams, and stops after the first error.
func Lines[T any](r io.Reader) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		in := bufio.NewScanner(r)
		in.Buffer(nil, maxLine)
		line := 0
		for in.Scan() {
			line++
			v, err := decode[T](in.Bytes())
			if err != nil {
				yield(zero, fmt.Errorf("line %d: %w", line, err))
				return
			}
			if !yield(v, nil) {
				return
			}
		}
		if err := in.Err(); errors.Is(err, bufio.ErrTooLong) {
			yield(zero, fmt.Errorf("line %d: longer than %d bytes", line+1, maxLine))
		} else if err != nil {
			yield(zero, fmt.Errorf("after line %d: %w", line, err))
		}
	}
}

func decode[T any](line []byte) (v T, err error) {
	if len(bytes.TrimSpace(line)) == 0 {
		return v, errors.New("empty: want a JSON object")
	}
	if !utf8.Valid(line) {
		return v, errors.New("not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); errors.Is(err, io.ErrUnexpectedEOF) {
		return v, errors.New("the JSON object is cut off")
	} else if err != nil {
		return v, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return v, errors.New("more than one JSON value")
	}
	return v, nil
}

// Read reads a task file: JSON lines, each a [Task] that passes [Task.Check],
// no id twice. Errors name the line. It streams, and stops after the first
// error.
func Read(r io.Reader) iter.Seq2[Task, error] {
	return func(yield func(Task, error) bool) {
		lines := make(map[string]int)
		for t, err := range Lines[Task](r) {
			line := len(lines) + 1
			if err == nil {
				if err = t.Check(); err == nil && lines[t.ID] > 0 {
					err = fmt.Errorf("task %s is on line %d already", t.ID, lines[t.ID])
				}
				if err != nil {
					err = fmt.Errorf("line %d: %w", line, err)
				}
			}
			if err != nil {
				yield(Task{}, err)
				return
			}
			lines[t.ID] = line
			t.AsOf = t.AsOf.UTC()
			if !yield(t, nil) {
				return
			}
		}
	}
}

// ReadFile reads a whole task file into memory. Errors name the file and the
// line; a file without any task is an error.
func ReadFile(path string) ([]Task, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("tasks: %w", err)
	}
	defer f.Close()
	var all []Task
	for t, err := range Read(f) {
		if err != nil {
			return nil, fmt.Errorf("tasks %s: %w", path, err)
		}
		all = append(all, t)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("tasks %s: the file holds no task", path)
	}
	return all, nil
}

// Write writes one task as a line. Its moment is written in UTC and in whole
// seconds.
func Write(w io.Writer, t Task) error {
	t.AsOf = t.AsOf.UTC().Truncate(time.Second)
	return WriteLine(w, t)
}

// WriteLine writes v as one line of compact JSON, as [Lines] reads it.
func WriteLine(w io.Writer, v any) error {
	b, err := message.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(b, '\n'))
	return err
}
