package tasks

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mars-rec/mars/message"
)

// maxLine bounds one line of a task file, in bytes: room for some thousands of
// candidates.
const maxLine = 1 << 20

// ReadLines reads a file of JSON lines into memory: one value of type T per
// line, decoded strictly, with an id of its own. Errors name the file and the
// line, counted from 1: an unknown field, a second value on the line, bytes that
// are not UTF-8, an empty line or one over 1 MiB, an id that was there before,
// or what Check says. A file without any line is an error too.
func ReadLines[T interface{ Check() error }](path string, id func(T) string) ([]T, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all, err := readLines(f, id)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return all, nil
}

func readLines[T interface{ Check() error }](r io.Reader, id func(T) string) ([]T, error) {
	var all []T
	lines := make(map[string]int) // by id
	in := bufio.NewScanner(r)
	in.Buffer(nil, maxLine)
	line := 0
	for in.Scan() {
		line++
		text := in.Bytes()
		if line == 1 {
			text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) // a byte order mark, which some editors put there
		}
		v, err := decode[T](text)
		if err == nil {
			err = v.Check()
		}
		if err == nil && lines[id(v)] > 0 {
			err = fmt.Errorf("%s is on line %d already", id(v), lines[id(v)])
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		lines[id(v)] = line
		all = append(all, v)
	}
	switch err := in.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, fmt.Errorf("line %d: longer than %d bytes", line+1, maxLine)
	case err != nil:
		return nil, fmt.Errorf("after line %d: %w", line, err)
	case line == 0:
		return nil, errors.New("empty: want JSON lines")
	}
	return all, nil
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
		return v, errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := dec.Token(); err != io.EOF {
		return v, errors.New("more than one JSON value")
	}
	return v, nil
}

// ReadFile reads a task file: lines, as [ReadLines] has them, each a [Task]
// that passes [Task.Check].
func ReadFile(path string) ([]Task, error) {
	all, err := ReadLines(path, taskID)
	if err != nil {
		return nil, fmt.Errorf("tasks: %w", err)
	}
	for i := range all {
		all[i].AsOf = all[i].AsOf.UTC()
	}
	return all, nil
}

func taskID(t Task) string { return t.ID }

// Write writes one task as a line. Its moment is written in UTC and in whole
// seconds.
func Write(w io.Writer, t Task) error {
	t.AsOf = t.AsOf.UTC().Truncate(time.Second)
	return WriteLine(w, t)
}

// WriteLine writes v as one line of compact JSON, as [ReadLines] reads it.
func WriteLine(w io.Writer, v any) error {
	b, err := message.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(b, '\n'))
	return err
}
