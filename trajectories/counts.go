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
		if u := e.Meta.Usage; u != nil {
			c.Usage.InputTokens += u.InputTokens
			c.Usage.OutputTokens += u.OutputTokens
			c.Usage.CachedTokens += u.CachedTokens
		}
	}
	c.Models = append([]string{}, slices.Sorted(maps.Keys(models))...)
	return c
}
