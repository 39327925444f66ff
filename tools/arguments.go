package tools

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/rawjson"
)

// maxArguments bounds the text of a call's arguments, in bytes.
const maxArguments = 64 << 10

// arguments reads what a model wrote into the argument struct of a tool.
//
// It is tolerant where there is one reading: "20" and 20.0 for an integer, 318
// for an item id, "true" for a boolean, null for what is left out. It is strict
// where there are two, or none: an unknown name, a name given twice, a number
// out of bounds.
type arguments struct {
	tool     string
	schema   *jsonschema.Schema
	resolved *jsonschema.Resolved
	scalars  bool // every argument is one, so that fits says all that the schema does
}

// newArguments derives the schema of the struct type t.
func newArguments(tool string, t reflect.Type) (*arguments, error) {
	schema, err := jsonschema.ForType(t, nil)
	if err != nil {
		return nil, err
	}
	if t.Kind() == reflect.Struct {
		if err := constrain(schema, t); err != nil {
			return nil, err
		}
	}
	resolved, err := schema.Resolve(&jsonschema.ResolveOptions{ValidateDefaults: true})
	if err != nil {
		return nil, err
	}
	scalars := len(schema.Properties) > 0
	for _, p := range schema.Properties {
		scalars = scalars && slices.Contains([]string{"integer", "number", "boolean", "string"}, kind(p))
	}
	return &arguments{tool, schema, resolved, scalars}, nil
}

// constrain takes bounds, choices and defaults from the tags of the fields.
func constrain(schema *jsonschema.Schema, t reflect.Type) error {
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		p := schema.Properties[name]
		if p == nil {
			continue
		}
		for _, bound := range []struct {
			tag string
			to  **float64
		}{{"minimum", &p.Minimum}, {"maximum", &p.Maximum}} {
			if s, ok := f.Tag.Lookup(bound.tag); ok {
				x, err := strconv.ParseFloat(s, 64)
				if err != nil {
					return fmt.Errorf("%s of %s: %w", bound.tag, name, err)
				}
				*bound.to = &x
			}
		}
		if s, ok := f.Tag.Lookup("enum"); ok {
			for choice := range strings.SplitSeq(s, ",") {
				p.Enum = append(p.Enum, choice)
			}
		}
		if s, ok := f.Tag.Lookup("default"); ok {
			p.Default = json.RawMessage(s)
			if kind(p) == "string" {
				p.Default = json.RawMessage(strconv.Quote(s))
			}
		}
	}
	return nil
}

// read fills v, a pointer to the struct. Every error is an [InputError] that
// says what would be right.
func (a *arguments) read(text json.RawMessage, v any) error {
	if len(text) > maxArguments {
		return Inputf("arguments of %s are %d bytes long: at most %d are read", a.tool, len(text), maxArguments)
	}
	given, err := a.object(text)
	if err != nil {
		return err
	}
	for name, value := range given {
		if given[name] = coerce(a.schema.Properties[name], value); string(given[name]) == "null" {
			delete(given, name)
		}
	}
	for _, name := range a.schema.Required {
		if _, ok := given[name]; !ok {
			return Inputf("%s needs %s: %s", a.tool, name, a.describe(name))
		}
	}
	for _, name := range a.schema.PropertyOrder {
		value, ok := given[name]
		if p := a.schema.Properties[name]; !ok && p.Default != nil {
			given[name] = p.Default
		} else if ok && !fits(p, value) {
			return Inputf("%s of %s is %s: want %s", name, a.tool, brief(value), want(p))
		}
	}
	b, err := message.Marshal(given)
	if err != nil {
		return Inputf("arguments of %s: %v", a.tool, err)
	}
	if !a.scalars {
		var instance any
		if err := json.Unmarshal(b, &instance); err != nil {
			return Inputf("arguments of %s: %v", a.tool, err)
		}
		if err := a.resolved.Validate(instance); err != nil {
			return Inputf("arguments of %s: %v", a.tool, err)
		}
	}
	if err := json.Unmarshal(b, v); err != nil {
		return Inputf("arguments of %s: %v", a.tool, err)
	}
	return nil
}

// object splits the text into the values of its keys. No text at all is an
// empty object.
func (a *arguments) object(text json.RawMessage) (map[string]json.RawMessage, error) {
	if given := a.usual(text); given != nil {
		return given, nil
	}
	given := map[string]json.RawMessage{}
	if len(bytes.TrimSpace(text)) == 0 {
		return given, nil
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	if t, err := dec.Token(); err != nil {
		return nil, Inputf("arguments of %s are not JSON: %v", a.tool, err)
	} else if t != json.Delim('{') {
		return nil, Inputf("arguments of %s are not a JSON object: it takes %s", a.tool, a.list())
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, Inputf("arguments of %s are not JSON: %v", a.tool, err)
		}
		name := key.(string)
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, Inputf("arguments of %s are not JSON: %s: %v", a.tool, brief(name), err)
		}
		if _, ok := a.schema.Properties[name]; !ok && a.schema.Properties != nil {
			return nil, Inputf("%s has no argument %s: it takes %s", a.tool, brief(name), a.list())
		}
		if _, ok := given[name]; ok {
			return nil, Inputf("arguments of %s: %s is given twice", a.tool, name)
		}
		given[name] = value
	}
	if _, err := dec.Token(); err != nil {
		return nil, Inputf("arguments of %s are not JSON: %v", a.tool, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, Inputf("arguments of %s: there is more after the JSON object", a.tool)
	}
	return given, nil
}

// usual splits the text of an object of known names, each once, as models mostly
// write it; nil if it is another.
func (a *arguments) usual(text json.RawMessage) map[string]json.RawMessage {
	given := make(map[string]json.RawMessage, len(a.schema.Properties))
	r := rawjson.NewReader(text)
	r.Space()
	r.Members(func(name []byte) {
		_, twice := given[string(name)]
		if _, known := a.schema.Properties[string(name)]; twice || !known {
			r.Fail()
			return
		}
		given[string(name)] = r.Value()
	})
	if r.Space(); !r.Done() {
		return nil
	}
	return given
}

// coerce rewrites a value that has one reading as the property's type.
func coerce(p *jsonschema.Schema, value json.RawMessage) json.RawMessage {
	if p == nil || len(value) == 0 {
		return value
	}
	var text string
	quoted := value[0] == '"' && json.Unmarshal(value, &text) == nil
	if !quoted {
		text = string(value)
	}
	switch kind(p) {
	case "integer":
		if whole, zeros, ok := strings.Cut(text, "."); ok && strings.Trim(zeros, "0") == "" {
			text = whole
		}
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return strconv.AppendInt(nil, n, 10)
		}
	case "number":
		if quoted && json.Valid([]byte(text)) && text != "" && strings.ContainsRune("-0123456789", rune(text[0])) {
			return json.RawMessage(text)
		}
	case "boolean":
		if quoted && (text == "true" || text == "false") {
			return json.RawMessage(text)
		}
	case "string":
		if strings.ContainsRune("-0123456789", rune(value[0])) {
			return json.RawMessage(strconv.Quote(text))
		}
	}
	return value
}

// fits reports whether a value is of the property's type, among its choices and
// within its bounds.
func fits(p *jsonschema.Schema, value json.RawMessage) bool {
	var v any
	if json.Unmarshal(value, &v) != nil {
		return false
	}
	switch kind(p) {
	case "integer", "number":
		x, ok := v.(float64)
		return ok && (kind(p) != "integer" || x == float64(int64(x))) &&
			(p.Minimum == nil || x >= *p.Minimum) && (p.Maximum == nil || x <= *p.Maximum)
	case "boolean":
		_, ok := v.(bool)
		return ok
	case "string":
		_, ok := v.(string)
		return ok && (len(p.Enum) == 0 || slices.Contains(p.Enum, v))
	}
	return true
}

// kind is the property's JSON type, that of null apart.
func kind(p *jsonschema.Schema) string {
	for _, t := range p.Types {
		if t != "null" {
			return t
		}
	}
	return p.Type
}

// want says what a property takes: "an integer from 1 to 100".
func want(p *jsonschema.Schema) string {
	switch k := kind(p); {
	case len(p.Enum) > 0:
		choices := make([]string, len(p.Enum))
		for i, c := range p.Enum {
			choices[i] = fmt.Sprintf("%q", c)
		}
		if len(choices) == 1 {
			return choices[0]
		}
		return "one of " + strings.Join(choices, ", ")
	case k == "integer" || k == "number":
		text := map[string]string{"integer": "an integer", "number": "a number"}[k]
		if p.Minimum != nil {
			text += fmt.Sprintf(" from %g", *p.Minimum)
		}
		if p.Maximum != nil {
			text += fmt.Sprintf(" to %g", *p.Maximum)
		}
		return text
	case k == "array" || k == "object":
		return "an " + k
	case k == "":
		return "JSON"
	default:
		return "a " + k
	}
}

func (a *arguments) describe(name string) string {
	p := a.schema.Properties[name]
	if p.Description != "" {
		return p.Description
	}
	return want(p)
}

// list names the arguments with what each takes.
func (a *arguments) list() string {
	if len(a.schema.PropertyOrder) == 0 {
		return "no arguments"
	}
	names := make([]string, len(a.schema.PropertyOrder))
	for i, name := range a.schema.PropertyOrder {
		names[i] = fmt.Sprintf("%s (%s)", name, want(a.schema.Properties[name]))
	}
	return strings.Join(names, ", ")
}

// brief quotes what the caller wrote, cut short and without the characters that
// structure is made of: an error is read by a model and by a terminal.
func brief[S ~string | ~[]byte](s S) string {
	const most = 40
	r := []rune(string(s))
	if len(r) > most {
		r = append(r[:most], '…')
	}
	for i, c := range r {
		if !unicode.In(c, unicode.L, unicode.N) && !strings.ContainsRune(" .,:;_+-'…", c) {
			r[i] = '?'
		}
	}
	return `"` + string(r) + `"`
}
