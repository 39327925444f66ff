package phase

import (
	"encoding/json"
	"fmt"

	"github.com/mars-rec/mars/message"
)

// PlanSchema is the JSON Schema of a [Plan] whose subtasks go to the roles.
// This schema and the others are strict: every property is required and none
// other is allowed, as servers with constrained decoding ask.
func PlanSchema(roles []string) json.RawMessage {
	return objectSchema(
		property{"summary", `{"type":"string"}`},
		property{"subtasks", listSchema(subtaskSchema(roles))},
	)
}

// AnalysisSchema is the JSON Schema of the [Analysis] of a role: what the
// model writes of it, so without evidence.
func AnalysisSchema(role string) json.RawMessage {
	return objectSchema(
		property{"role", fmt.Sprintf(`{"type":"string","const":%s}`, text(role))},
		property{"summary", `{"type":"string"}`},
		property{"claims", listSchema(`{"type":"string"}`)},
	)
}

// ReflectionSchema is the JSON Schema of a [Reflection] that may send subtasks
// to the roles; without roles it can only accept. Subtasks are required here,
// and empty where the verdict is accept.
func ReflectionSchema(roles []string) json.RawMessage {
	verdicts, subtasks := texts([]string{string(Accept), string(Revise)}), listSchema(subtaskSchema(roles))
	if len(roles) == 0 {
		verdicts, subtasks = texts([]string{string(Accept)}), `{"type":"array","items":{"type":"string"},"maxItems":0}`
	}
	return objectSchema(
		property{"verdict", fmt.Sprintf(`{"type":"string","enum":%s}`, verdicts)},
		property{"issues", listSchema(`{"type":"string"}`)},
		property{"subtasks", subtasks},
	)
}

// RecommendSchema is the JSON Schema of a [Recommend] over the labels. That no
// label stands twice is more than schemas for constrained decoding can say:
// [ParseRecommend] sees to it.
func RecommendSchema(labels []string) json.RawMessage {
	return objectSchema(
		property{"ranking", fmt.Sprintf(`{"type":"array","items":{"type":"string","enum":%s},"minItems":%d,"maxItems":%d}`,
			texts(labels), len(labels), len(labels))},
		property{"justification", `{"type":"string"}`},
	)
}

// SummarySchema is the JSON Schema of a [Summary].
func SummarySchema() json.RawMessage {
	return objectSchema(property{"summary", `{"type":"string"}`})
}

func subtaskSchema(roles []string) string {
	return string(objectSchema(
		property{"role", fmt.Sprintf(`{"type":"string","enum":%s}`, texts(roles))},
		property{"goal", `{"type":"string"}`},
		property{"collaborative", `{"type":"boolean"}`},
	))
}

// property is a name and a schema as JSON.
type property struct{ name, schema string }

// objectSchema writes the properties in the order given, which is the order in which
// constrained decoding makes the model write them.
func objectSchema(properties ...property) json.RawMessage {
	var all, names []byte
	for i, p := range properties {
		if i > 0 {
			all, names = append(all, ','), append(names, ',')
		}
		all = fmt.Appendf(all, "%s:%s", text(p.name), p.schema)
		names = append(names, text(p.name)...)
	}
	return fmt.Appendf(nil, `{"type":"object","properties":{%s},"required":[%s],"additionalProperties":false}`, all, names)
}

func listSchema(items string) string { return `{"type":"array","items":` + items + `}` }

func text(s string) []byte {
	b, _ := message.Marshal(s) // a string always has a JSON form
	return b
}

func texts(all []string) []byte {
	if all == nil {
		all = []string{}
	}
	b, _ := message.Marshal(all) // so does a list of them
	return b
}
