package rest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/star/environment"
)

// schema returns the JSON Schema of a body, nil for none.
func schema[T any]() (json.RawMessage, error) {
	if reflect.TypeFor[T]() == reflect.TypeFor[none]() {
		return nil, nil
	}
	known := map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[json.RawMessage](): {Type: "object", Description: "a JSON Schema"},
		reflect.TypeFor[arguments]():       {Types: []string{"object", "string"}},
	}
	message, err := jsonschema.For[turn](&jsonschema.ForOptions{TypeSchemas: known})
	if err != nil {
		return nil, err
	}
	message.AdditionalProperties = nil // what trainers add is passed over
	message.Properties["content"].Type, message.Properties["content"].Types = "", []string{"string", "null"}
	message.Required = []string{"role"}
	known[reflect.TypeFor[turn]()] = message
	s, err := jsonschema.For[T](&jsonschema.ForOptions{TypeSchemas: known})
	if err != nil {
		return nil, err
	}
	return json.Marshal(s)
}

// failed is the schema of every error.
const failed = `{"type":"object","required":["error"],"properties":{"error":{"type":"object","required":["kind","message"],` +
	`"properties":{"kind":{"type":"string","description":"one word, for programs"},"message":{"type":"string","description":"for people"}}}}}`

var placeholder = regexp.MustCompile(`\{(\w+)\}`)

// describe writes the OpenAPI 3.1 description of the routes.
func describe(routes []route, e *environment.Environment) ([]byte, error) {
	type object = map[string]any
	content := func(schema json.RawMessage) object { return object{"application/json": object{"schema": schema}} }
	paths := map[string]object{}
	for _, r := range routes {
		responses := object{"default": object{"description": "An error", "content": content(json.RawMessage(failed))}}
		success := object{"description": "Done"}
		if r.out != nil {
			success["content"] = content(r.out)
		}
		responses[fmt.Sprint(r.status)] = success
		parameters := []object{}
		for _, m := range placeholder.FindAllStringSubmatch(r.path, -1) {
			parameters = append(parameters, object{"name": m[1], "in": "path", "required": true, "schema": object{"type": "string"}})
		}
		for _, p := range r.query {
			parameters = append(parameters, object{"name": p.name, "in": "query", "description": p.summary, "schema": object{"type": "integer", "minimum": 0}})
		}
		operation := object{"operationId": r.name, "summary": r.summary, "responses": responses, "parameters": parameters}
		if r.in != nil {
			operation["requestBody"] = object{"required": true, "content": content(r.in)}
		}
		if r.open {
			operation["security"] = []object{}
		}
		if paths[r.path] == nil {
			paths[r.path] = object{}
		}
		paths[r.path][strings.ToLower(r.method)] = operation
	}
	return message.Marshal(object{
		"openapi": "3.1.0",
		"info": object{
			"title": "mars environment", "version": "1",
			"description": fmt.Sprintf("Tools as of each task's moment, and the reward of an answer. A session that is idle for %s is gone.", e.Idle()),
		},
		"servers":    []object{{"url": "/"}},
		"paths":      paths,
		"security":   []object{{"token": []string{}}, {}},
		"components": object{"securitySchemes": object{"token": object{"type": "http", "scheme": "bearer", "description": "asked for only where the server was given a token"}}},
	})
}
