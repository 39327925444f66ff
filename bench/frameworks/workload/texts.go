package workload

import (
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"strings"
)

// vocabulary is what texts are made of.
var vocabulary = strings.Fields(`the a of and in to with from by for over under between against after before
harbor winter garden letters silence river stone glass empire shadow orchard lantern mirror thread engine
history archive island signal garnet velvet copper northern hidden broken quiet distant burning gentle
last first second final secret hollow silver crimson pale bitter tender restless patient wandering
drama mystery romance comedy thriller fantasy documentary western biography science travel cooking poetry
reader readers user users item items share shared also read rated liked agree support evidence overlap
nearest neighbours recent earlier often seldom strong weak moderate signal candidates ranking above below
because although however therefore while since suggests indicates confirms contradicts explains matches`)

// Words draws n words.
func Words(draw *rand.Rand, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(vocabulary[draw.IntN(len(vocabulary))])
	}
	return b.String()
}

// System returns the system prompt of a role: planner, analyst, reflector or
// ranker.
func System(role string) string { return systems[role] }

var systems = map[string]string{
	"planner":   system("planner", "You read the user's task and give each analyst one subtask that it can answer with its tools. Answer with a JSON object that has a summary and the list of subtasks, each with role and goal."),
	"analyst":   system("analyst", "You work on one subtask. Call one tool, read its answer, and report what it says of the candidates: which rise, which fall, and how sure you are. Numbers come from the tool and from nowhere else."),
	"reflector": system("reflector", "You read the findings of all analysts against the plan. Say where they contradict one another, where a claim has no number behind it, and what the ranker should weigh more or less."),
	"ranker":    system("ranker", "You weigh the findings and the reflection and rank all candidates, best first. Answer with a JSON object that has the ranking, an array of labels, and a short justification."),
}

func system(role, duty string) string {
	return "You are the " + role + " in a team that recommends items to a user. " + duty + `

Rules for everybody in the team:
- The candidates have labels c01 to c20. Speak of them by their labels, never by their titles alone.
- A tool's answer is evidence. What you know of an item from elsewhere is not.
- Be brief: a claim, the number behind it, and what follows for the ranking.
`
}

// Spec tells a model of a tool.
type Spec struct {
	Name, Description string
	Parameters        json.RawMessage // JSON Schema of [Arguments]
}

// Arguments are what every tool takes.
type Arguments struct {
	User string `json:"user" jsonschema:"the user's id as the task gives it"`
	K    int    `json:"k" jsonschema:"how many items or users to return, the nearest first"`
	Item string `json:"item,omitempty" jsonschema:"the label of a candidate, to ask of it alone"`
}

// Tools are those that every analyst may call.
var Tools = []Spec{
	{"item_cf", "Items whose users overlap most with those of the items in the user's history, with the number of shared users behind each.", parameters},
	{"user_history", "What the user has done, the newest first, with the rating and the categories of each item.", parameters},
}

var parameters = json.RawMessage(`{"type":"object","properties":{` +
	`"user":{"type":"string","description":"the user's id as the task gives it"},` +
	`"k":{"type":"integer","description":"how many items or users to return, the nearest first"},` +
	`"item":{"type":"string","description":"the label of a candidate, to ask of it alone"}},` +
	`"required":["user","k"],"additionalProperties":false}`)

// answer writes what a tool says of so many candidates.
func answer(tool string, a Arguments, items int) json.RawMessage {
	n, _ := strconv.Atoi(strings.TrimPrefix(a.User, "u"))
	draw := rand.New(rand.NewPCG(uint64(n), uint64(len(tool)*1000+a.K)))
	out := make([]byte, 0, 3<<10)
	out = append(out, `{"evidence":[`...)
	for i := range items {
		if i > 0 {
			out = append(out, ',')
		}
		shared := 1 + draw.IntN(900)
		out = append(out, `{"label":"c`...)
		out = append(out, byte('0'+(i+1)/10), byte('0'+(i+1)%10))
		out = append(out, `","text":"`...)
		out = strconv.AppendInt(out, int64(shared), 10)
		out = append(out, ` of `...)
		out = strconv.AppendInt(out, int64(shared+draw.IntN(4000)), 10)
		out = append(out, ` users of this item also have \"`...)
		for range 4 {
			out = append(append(out, vocabulary[draw.IntN(len(vocabulary))]...), ' ')
		}
		out = append(out, `\"","strength":0.`...)
		out = strconv.AppendInt(out, int64(100+draw.IntN(900)), 10)
		out = append(out, '}')
	}
	return append(out, `]}`...)
}
