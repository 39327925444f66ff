// Package rest serves an environment over plain HTTP, in JSON:
//
//	GET    /health                     {"status":"ok"}
//	GET    /openapi.json               this list, for machines
//	GET    /v1/tools                   what the student is told of the tools
//	GET    /v1/reward                  what answers are judged by: name, version, parts
//	GET    /v1/tasks?offset=0          the tasks, without their gold
//	POST   /v1/sessions                {"task":"classic-7"} -> the prompt
//	GET    /v1/sessions/{id}           how far it is
//	POST   /v1/sessions/{id}/call      {"name":"item_cf","arguments":{...}} -> {"content":"..."}
//	POST   /v1/sessions/{id}/step      {"message":{...}} -> the messages that answer its calls
//	POST   /v1/sessions/{id}/answer    {"text":"..."} or {"messages":[...]} -> the reward
//	DELETE /v1/sessions/{id}
//
// The routes are a table, and the description is made of it, with the schemas
// that requests are held to: what is served is what is described. Errors are
// {"error":{"kind","message"}}.
package rest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/mars-rec/mars/internal/api"
	"github.com/mars-rec/mars/internal/guard"
	"github.com/mars-rec/mars/star/environment"
)

// New returns the handler that serves e.
func New(e *environment.Environment, access environment.Access) (http.Handler, error) {
	schemas, err := schemas()
	if err != nil {
		return nil, fmt.Errorf("rest: %w", err)
	}
	return api.New(api.Config{
		Title:       "mars environment",
		Description: fmt.Sprintf("Tools as of each task's moment, and the reward of an answer. A session that is idle for %s is gone.", e.Idle()),
		Guard:       guard.Config{Token: access.Token, Hosts: access.Hosts, Limit: access.Limit},
		Schemas:     schemas,
		Fail:        failure,
	}, (&service{e}).routes()...)
}

// schemas are those of types that JSON reads in more than one way.
func schemas() (map[reflect.Type]*jsonschema.Schema, error) {
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
	return known, nil
}

// failure is what clients are told of an error of the environment, nil for one
// that is not its own. Causes that they must not hear are left out already.
func failure(err error) *api.Failure {
	f := &api.Failure{Message: err.Error()}
	switch {
	case errors.Is(err, environment.ErrNoSession):
		f.Status, f.Kind = http.StatusNotFound, "no_session"
	case errors.Is(err, environment.ErrNoTask):
		f.Status, f.Kind = http.StatusNotFound, "no_task"
	case errors.Is(err, environment.ErrEnded):
		f.Status, f.Kind = http.StatusConflict, "ended"
	case errors.Is(err, environment.ErrBegun), errors.Is(err, environment.ErrNotBegun):
		f.Status, f.Kind = http.StatusConflict, "conflict"
	case errors.Is(err, environment.ErrSpent):
		f.Status, f.Kind = http.StatusRequestEntityTooLarge, "spent"
	case errors.Is(err, environment.ErrFull):
		f.Status, f.Kind, f.After = http.StatusServiceUnavailable, "full", 5*time.Second
	default:
		return nil
	}
	return f
}
