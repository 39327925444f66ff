package roles

import (
	"encoding/json"
	"strings"
	"sync"

	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
)

// shapes has the formats that were asked for, each written once: the same few,
// over the same roles and labels, are asked for in every run.
type shapes struct{ known sync.Map } // of *model.Format, by the names in them

func (s *shapes) plan(roles []string) *model.Format {
	return s.over("plan", roles, phase.PlanSchema)
}

func (s *shapes) analysis(role string) *model.Format {
	return s.over("analysis", []string{role}, func([]string) json.RawMessage { return phase.AnalysisSchema(role) })
}

func (s *shapes) reflection(roles []string) *model.Format {
	return s.over("reflection", roles, phase.ReflectionSchema)
}

func (s *shapes) recommend(labels []string) *model.Format {
	return s.over("recommend", labels, phase.RecommendSchema)
}

func (s *shapes) summary() *model.Format {
	return s.over("summary", nil, func([]string) json.RawMessage { return phase.SummarySchema() })
}

// over is the format of that name whose schema is made of the names.
func (s *shapes) over(format string, names []string, schema func(names []string) json.RawMessage) *model.Format {
	const apart = "\x00" // which stands in no name
	key := format + apart + strings.Join(names, apart)
	if known, ok := s.known.Load(key); ok {
		return known.(*model.Format)
	}
	known, _ := s.known.LoadOrStore(key, &model.Format{Name: format, Schema: schema(names)})
	return known.(*model.Format)
}
