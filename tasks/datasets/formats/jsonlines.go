package formats

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/mars-rec/mars/tasks"
)

// decode reads a line into a row, and says what is wrong with it.
func (in *input) decode(line []byte, row any) error {
	err := json.Unmarshal(line, row)
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &kind) && kind.Field != "":
		return in.failRow("field "+kind.Field+" as the format has it", article(kind.Value))
	case errors.As(err, &kind), !bytes.HasPrefix(bytes.TrimSpace(line), []byte("{")):
		return in.failRow("a JSON object on each line", show(string(line)))
	}
	return in.failRow("a JSON object on each line", show(string(line))+" ("+err.Error()+")")
}

// jsonRows returns what calls do with each row of a file of JSON lines. The
// first row must have the fields that are needed.
func jsonRows[T any](need []string, do func(*input, T) error) func(context.Context, *input) error {
	return func(ctx context.Context, in *input) error {
		for {
			line, err := in.rowLine()
			if err == io.EOF {
				return nil
			}
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return err
			}
			if in.Rows++; in.Rows == 1 {
				if err := in.needFields(line, need); err != nil {
					return err
				}
			}
			var row T
			if err := in.decode(line, &row); err != nil {
				return err
			}
			if err := do(in, row); err != nil {
				return err
			}
		}
	}
}

// jsonItems reads rows that are items.
func jsonItems[T interface{ item() tasks.Item }](need ...string) func(context.Context, *input) error {
	return jsonRows(need, func(in *input, row T) error { return in.item(row.item()) })
}

// jsonEvents reads rows that are interactions.
func jsonEvents[T interface{ event() event }](need ...string) func(context.Context, *input) error {
	return jsonRows(need, func(in *input, row T) error { return in.interaction(row.event()) })
}

// jsonUsers reads rows with the user_id and the name of users.
func jsonUsers() func(context.Context, *input) error {
	type user struct {
		UserID scalar `json:"user_id"`
		Name   scalar
	}
	return jsonRows([]string{"user_id"}, func(in *input, u user) error {
		return in.user(tasks.User{ID: string(u.UserID), Name: string(u.Name)})
	})
}

// needFields reports the first field that a row lacks.
func (in *input) needFields(line []byte, need []string) error {
	var fields map[string]json.RawMessage
	if err := in.decode(line, &fields); err != nil {
		return err
	}
	for _, name := range need {
		if _, ok := fields[name]; !ok {
			found := strings.Join(slices.Sorted(maps.Keys(fields)), ", ")
			return in.failRow("a field "+name, "the fields "+shorten(found, 200))
		}
	}
	return nil
}

// scalar is a string, a number or a truth value, as it stands in the file;
// null is "". Sources are not of one mind about which fields are numbers.
type scalar string

// UnmarshalJSON implements [json.Unmarshaler].
func (s *scalar) UnmarshalJSON(b []byte) error {
	text, err := scalarText(b)
	*s = scalar(text)
	return err
}

func scalarText(b []byte) (string, error) {
	switch {
	case len(b) == 0 || bytes.Equal(b, []byte("null")):
		return "", nil
	case b[0] == '"':
		var s string
		err := json.Unmarshal(b, &s)
		return s, err
	case b[0] == '{' || b[0] == '[':
		kind := map[byte]string{'{': "object", '[': "array"}[b[0]]
		return "", &json.UnmarshalTypeError{Value: kind, Type: reflect.TypeFor[string]()}
	}
	return string(b), nil
}

// texts is a string or a list of strings, nested or not; null is empty.
type texts []string

// UnmarshalJSON implements [json.Unmarshaler].
func (t *texts) UnmarshalJSON(b []byte) error {
	*t = nil
	if len(b) > 0 && b[0] == '[' {
		var list []texts
		if err := json.Unmarshal(b, &list); err != nil {
			return err
		}
		for _, l := range list {
			*t = append(*t, l...)
		}
		return nil
	}
	s, err := scalarText(b)
	if s != "" {
		*t = texts{s}
	}
	return err
}

// join makes one text of a list.
func (t texts) join() string { return strings.Join(t, "\n") }

// article puts an article before the name of a JSON kind.
func article(kind string) string {
	switch kind {
	case "array", "object":
		return "an " + kind
	}
	return "a " + kind
}
