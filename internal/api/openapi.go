package api

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// describe makes the schemas of a route's body and answer.
func (r *Route) describe(known map[reflect.Type]*jsonschema.Schema) (err error) {
	if r.inside, err = schema(r.in, known); err != nil {
		return err
	}
	r.outside, err = schema(r.out, known)
	return err
}

// schema returns the JSON Schema of a body, nil for none.
func schema(t reflect.Type, known map[reflect.Type]*jsonschema.Schema) (json.RawMessage, error) {
	if t == noBody {
		return nil, nil
	}
	s, err := jsonschema.ForType(t, &jsonschema.ForOptions{TypeSchemas: known})
	if err != nil {
		return nil, err
	}
	return json.Marshal(s)
}

// failed is the schema of every error.
const failed = `{"type":"object","required":["error"],"properties":{"error":{"type":"object","required":["kind","message"],` +
	`"properties":{"kind":{"type":"string","description":"one word, for programs"},"message":{"type":"string","description":"for people"}}}}}`

var placeholder = regexp.MustCompile(`\{(\w+)\}`)

type object = map[string]any

// describe writes the OpenAPI 3.1 description of the routes.
func describe(cfg Config, routes []Route) ([]byte, error) {
	paths := map[string]object{}
	for _, r := range routes {
		if paths[r.path] == nil {
			paths[r.path] = object{}
		}
		paths[r.path][strings.ToLower(r.method)] = r.operation()
	}
	return marshal(object{
		"openapi":  "3.1.0",
		"info":     object{"title": cfg.Title, "version": "1", "description": cfg.Description},
		"servers":  []object{{"url": "/"}},
		"paths":    paths,
		"security": []object{{"token": []string{}}, {}},
		"components": object{"securitySchemes": object{
			"token": object{"type": "http", "scheme": "bearer", "description": "asked for only where the server was given a token"},
		}},
	})
}

func (r Route) operation() object {
	content := func(schema json.RawMessage) object { return object{"application/json": object{"schema": schema}} }
	success := object{"description": "Done"}
	switch {
	case r.media != "":
		success["content"] = object{r.media: object{}}
	case r.outside != nil:
		success["content"] = content(r.outside)
	}
	parameters := []object{}
	for _, m := range placeholder.FindAllStringSubmatch(r.path, -1) {
		parameters = append(parameters, object{"name": m[1], "in": "path", "required": true, "schema": object{"type": "string"}})
	}
	for _, p := range r.query {
		s := object{"type": p.Type}
		if p.Type == "integer" {
			s["minimum"] = 0
		}
		parameters = append(parameters, object{"name": p.Name, "in": "query", "description": p.Summary, "schema": s})
	}
	o := object{"operationId": r.name, "summary": r.summary, "parameters": parameters, "responses": object{
		fmt.Sprint(r.status): success,
		"default":            object{"description": "An error", "content": content(json.RawMessage(failed))},
	}}
	if r.inside != nil {
		o["requestBody"] = object{"required": true, "content": content(r.inside)}
	}
	if r.open {
		o["security"] = []object{}
	}
	return o
}
