package pipeline

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// known refuses a key that no field of a value has, and one that is there twice.
func known(n *yaml.Node, value any, place string) error {
	if s, ok := value.(interface{ told() any }); ok {
		if n.Kind == yaml.ScalarNode {
			return nil
		}
		value = s.told()
	}
	t := reflect.TypeOf(value)
	if t.Kind() != reflect.Struct {
		return nil
	}
	where := "here"
	if place != "" {
		where = "under " + place
	}
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: want keys and values %s", n.Line, where)
	}
	fields := map[string]reflect.Value{}
	var names []string
	for i := range t.NumField() {
		if name := t.Field(i).Tag.Get("yaml"); name != "-" {
			fields[name] = reflect.ValueOf(value).Field(i)
			names = append(names, name)
		}
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		field, ok := fields[key.Value]
		switch {
		case !ok:
			return fmt.Errorf("line %d: there is no key %q %s: there are %s", key.Line, key.Value, where, strings.Join(names, ", "))
		case seen[key.Value]:
			return fmt.Errorf("line %d: %s is there twice", key.Line, key.Value)
		}
		seen[key.Value] = true
		if n.Content[i+1].Tag == "!!null" {
			continue
		}
		below := strings.Join(slices.DeleteFunc([]string{place, key.Value}, func(s string) bool { return s == "" }), ".")
		if err := known(n.Content[i+1], field.Interface(), below); err != nil {
			return err
		}
	}
	return nil
}
