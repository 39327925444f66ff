package audit

import "github.com/mars-rec/mars/trajectories"

// The names of the checks.
const (
	checkRecipe     = "recipe"
	checkForm       = "form"
	checkCandidates = "candidates"
	checkTwins      = "twins"
	checkOrder      = "order"
	checkText       = "text"
	checkData       = "data"
	checkPast       = "past"
	checkGold       = "gold"
	checkMarks      = "marks"
	checkBias       = "bias"
	checkOverlap    = "overlap"
	checkFiles      = "files"
	checkRows       = "rows"
)

// claims say what holds where a check finds nothing.
var claims = map[string]string{
	checkRecipe:     "the task file, and the gold beside it, are what their recipe makes, to the byte",
	checkForm:       "every line is a task: ids are distinct, candidates are distinct, gold is among them",
	checkCandidates: "candidates are known, were there before the moment, and are new to the user; the right one is what the log says",
	checkTwins:      "no two candidates of a list have the same title",
	checkOrder:      "candidates are shuffled: the right one is at every place alike, and no list is sorted",
	checkText:       "no text is broken, holds what a terminal, a chat template or a parser obeys, or forges a tag",
	checkData:       "the data set is the one that was used, undamaged",
	checkPast:       "every message is what is derived from the interactions strictly before the moment of its task, byte for byte",
	checkGold:       "what tools and prompts say of the right item, they say of it as of any candidate",
	checkMarks:      "the right candidate is named in no form that the others are not",
	checkBias:       "which candidate is ranked first does not depend on its place in the list",
	checkOverlap:    "no user and no task is on both sides",
	checkFiles:      "the files are those of the manifest, and the filters it names hold",
	checkRows:       "every row is what its run gives, byte for byte",
}

// conversation is what was read and said in a run, as texts.
type spoken struct {
	place Place
	kind  string // prompt system, prompt user, result item_cf, reply, analysis ...
	tool  string // whose result it is
	text  string
	by    origin
}

// texts returns the texts of a run: what models and roles were shown, then what
// they said.
func texts(t *trajectories.Trajectory) ([]spoken, error) {
	var all []spoken
	for _, e := range t.Log {
		place := Place{Message: e.ID, Part: "content"}
		switch e.Kind {
		case "prompt", "result", "reply":
			m, err := trajectories.Spoken(e)
			if err != nil {
				return nil, err
			}
			s := spoken{place: place, kind: "reply", text: m.Content, by: byModel}
			switch e.Kind {
			case "prompt":
				s.kind, s.by = "prompt "+string(m.Role), byProgram
				if m.Role == "user" {
					s.by = byData
				}
			case "result":
				s.kind, s.tool, s.by = "result "+m.Name, m.Name, byData
			}
			all = append(all, s)
		case "analysis", "reflection", "plan":
			place.Part = "body"
			all = append(all, spoken{place: place, kind: string(e.Kind), text: string(e.Body), by: byModel})
		}
	}
	return all, nil
}
