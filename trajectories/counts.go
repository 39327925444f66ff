package trajectories

import (
	"maps"
	"slices"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tools"
)

// Counts says what a log came to.
type Counts struct {
	Messages int           `json:"messages"`
	Calls    int           `json:"calls"`  // of models
	Tools    int           `json:"tools"`  // calls of tools
	Usage    message.Usage `json:"usage"`  // as far as providers told
	Models   []string      `json:"models"` // that answered, sorted
}

// Count counts what is in a log.
func Count(log []message.Envelope) Counts {
	c := Counts{Messages: len(log)}
	models := map[string]bool{}
	for _, e := range log {
		switch {
		case !e.Fact():
		case e.Kind == (tools.Result{}).Kind():
			c.Tools++
		case e.Kind == (model.Output{}).Kind():
			c.Calls++
			if e.Meta.Model != "" {
				models[e.Meta.Model] = true
			}
		}
		c.Usage.Add(e.Meta.Usage)
	}
	c.Models = append([]string{}, slices.Sorted(maps.Keys(models))...)
	return c
}

// Asked says what models were asked for a log: what a cache answered they were
// not, and its usage is not in the sum.
type Asked struct {
	Calls, Cached int
	Usage         message.Usage // of the calls, as far as providers told
}

// Ask counts what models were asked for a log.
func Ask(log []message.Envelope) Asked {
	var a Asked
	for _, e := range log {
		switch {
		case !e.Fact() || e.Kind != (model.Output{}).Kind():
		case e.Meta.Cached:
			a.Cached++
		default:
			a.Calls++
			a.Usage.Add(e.Meta.Usage)
		}
	}
	return a
}
