package phase

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// The parsers read what a model wrote. They are tolerant and strict: what has
// one reading is read, and each repair is named by a [Deviation]; what has two
// is refused. An error is made for two readers, a person and the model that is
// asked to try again: it says what is wrong and what would be right.
//
// An answer is the JSON object of the phase's schema, or the phase's tag with
// that object or the readable text of [Write] in it. Around it may stand prose,
// code fences, thoughts in <think> tags and blocks of other phases. Two answers
// must be equal. Texts are made inert like data, so that a parsed body can be
// put before a model. Entities are not read, nor is what merely looks like a
// label or a role.

// ParsePlan reads a plan whose subtasks go to the given roles.
func ParsePlan(text string, roles []string) (Plan, []Deviation, error) {
	t := target{tag: "plan", keys: []string{"summary", "subtasks"}}
	return parse(text, t, func(p piece, n *notes) (Plan, error) {
		if p.value.kind == "" {
			return planText(p, roles, n)
		}
		o, err := members(p.value, "the plan", n, t.keys...)
		if err != nil {
			return Plan{}, err
		}
		plan := Plan{Summary: o.text("summary"), Subtasks: o.subtasks("subtasks", roles)}
		return plan, errors.Join(o.err, plan.check())
	})
}

func (p Plan) check() error {
	if len(p.Subtasks) == 0 {
		return errors.New("the plan has no subtasks: give at least one")
	}
	return nil
}

// ParseAnalysis reads the analysis of a role. Labels are the candidates that
// it may name: a claim that names another is kept, with a deviation.
func ParseAnalysis(text, role string, labels []string) (Analysis, []Deviation, error) {
	t := target{tag: "analysis", role: role, keys: []string{"role", "summary", "claims"}}
	a, deviations, err := parse(text, t, func(p piece, n *notes) (Analysis, error) {
		if p.value.kind == "" {
			return analysisText(p, role, n)
		}
		o, err := members(p.value, "the analysis", n, t.keys...)
		if err != nil {
			return Analysis{}, err
		}
		if _, ok := p.value.get("role"); !ok {
			n.add("missing key", p.value.at, "role")
		} else if got := o.text("role"); got != role && o.err == nil {
			return Analysis{}, fmt.Errorf("the analysis is of role %s: want %q", quote(got), role)
		}
		return Analysis{Role: role, Summary: o.text("summary"), Claims: o.texts("claims")}, o.err
	})
	if err == nil && len(labels) > 0 {
		n := notes{list: deviations}
		for _, s := range append([]string{a.Summary}, a.Claims...) {
			strangers(s, labels, &n)
		}
		deviations = n.list
	}
	return a, deviations, err
}

// strangers notes the words of a text that have the form of a label and are
// none.
func strangers(text string, labels []string, n *notes) {
	for from := 0; ; {
		next := strings.IndexByte(text[from:], 'c')
		if next < 0 {
			return
		}
		i := from + next
		from = i + 1
		if i > 0 && wordByte(text[i-1]) {
			continue
		}
		for from < len(text) && wordByte(text[from]) {
			from++
		}
		if w := text[i:from]; labelWord(w) && !slices.Contains(labels, w) {
			n.add("unknown label", 0, "%s is no candidate", quote(w))
		}
	}
}

// ParseReflection reads a reflection whose subtasks go to the given roles.
// Revise needs a subtask; accept has none.
func ParseReflection(text string, roles []string) (Reflection, []Deviation, error) {
	t := target{tag: "reflection", keys: []string{"verdict", "issues", "subtasks"}}
	return parse(text, t, func(p piece, n *notes) (Reflection, error) {
		if p.value.kind == "" {
			return reflectionText(p, roles, n)
		}
		o, err := members(p.value, "the reflection", n, t.keys...)
		if err != nil {
			return Reflection{}, err
		}
		r := Reflection{Verdict: Verdict(o.text("verdict")), Issues: []string{}}
		if _, ok := p.value.get("issues"); ok {
			r.Issues = o.texts("issues")
		} else {
			n.add("missing key", p.value.at, "issues")
		}
		if _, ok := p.value.get("subtasks"); ok {
			r.Subtasks = o.subtasks("subtasks", roles)
		}
		if o.err != nil {
			return Reflection{}, o.err
		}
		return r, r.check()
	})
}

func (r Reflection) check() error {
	switch {
	case r.Verdict != Accept && r.Verdict != Revise:
		return fmt.Errorf("the verdict is %s: want accept or revise", quote(string(r.Verdict)))
	case r.Verdict == Accept && len(r.Subtasks) > 0:
		return errors.New("the verdict is accept, but there are subtasks: revise, or leave them out")
	case r.Verdict == Revise && len(r.Subtasks) == 0:
		return errors.New("the verdict is revise, but there is no subtask: say who is to do what again, or accept")
	}
	return nil
}

// ParseRecommend reads a ranking of the labels. What it accepts is always a
// permutation of them: nothing is padded, dropped or guessed.
func ParseRecommend(text string, labels []string) (Recommend, []Deviation, error) {
	t := target{tag: "recommend", keys: []string{"ranking", "justification"}, labels: labels}
	if len(labels) == 0 {
		return Recommend{}, nil, errors.New("there are no labels to rank")
	}
	return parse(text, t, func(p piece, n *notes) (Recommend, error) {
		var r Recommend
		var err error
		switch p.value.kind {
		case "":
			if r.Ranking = p.list; r.Ranking == nil {
				r.Ranking = labelList(p.text, t, n)
			}
			if r.Ranking == nil {
				return r, fmt.Errorf("<recommend> holds no list of labels: answer %s", example(labels))
			}
		case anArray:
			r.Ranking, err = labelValues(p.value, n)
		default:
			var o *object
			if o, err = members(p.value, "the recommendation", n, t.keys...); err != nil {
				return r, err
			}
			if ranking, ok := o.need("ranking"); ok {
				r.Ranking, err = labelValues(ranking, n)
			}
			if _, ok := p.value.get("justification"); ok {
				r.Justification = o.optional("justification")
			}
			err = errors.Join(o.err, err)
		}
		if err != nil {
			return r, err
		}
		return r, permutation(labels, r.Ranking)
	})
}

func example(labels []string) string {
	return fmt.Sprintf("with a JSON array of all %d labels, such as [%q, ...]", len(labels), labels[0])
}

// labelValues reads the strings of an array. Spaces around a label are the
// only thing that it overlooks.
func labelValues(v value, n *notes) ([]string, error) {
	if v.kind != anArray {
		return nil, fmt.Errorf("the ranking is %s: want an array of labels", v.kind)
	}
	ranking := make([]string, len(v.list))
	for i, e := range v.list {
		if e.kind != aString {
			return nil, fmt.Errorf("place %d of the ranking is %s: want a label", i+1, e.kind)
		}
		ranking[i] = strings.Trim(e.text, " \t\r\n\u00a0")
		if ranking[i] != e.text {
			n.add("space", e.at, "around a label")
		}
	}
	return ranking, nil
}

// permutation reports how a ranking is none of all labels, each once.
func permutation(labels, ranking []string) error {
	count := make(map[string]int, len(labels))
	for _, l := range labels {
		count[l] = 0
	}
	var unknown, twice, missing []string
	for _, l := range ranking {
		switch c, ok := count[l]; {
		case !ok:
			unknown = append(unknown, quote(l))
		case c == 1:
			twice = append(twice, l)
		}
		count[l]++
	}
	for _, l := range labels {
		if count[l] == 0 {
			missing = append(missing, l)
		}
	}
	var faults []string
	for _, f := range []struct {
		format string
		labels []string
	}{{"names %s, which is no candidate", unknown}, {"lists %s twice", twice}, {"lacks %s", missing}} {
		if len(f.labels) > 0 {
			faults = append(faults, fmt.Sprintf(f.format, names(f.labels)))
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("the ranking %s; answer with all %d labels, each once", strings.Join(faults, " and "), len(labels))
}

// names joins up to five names.
func names(all []string) string {
	const most = 5
	if len(all) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), len(all)-most)
	}
	return strings.Join(all, ", ")
}

// ParseSummary reads a summary: its JSON object.
func ParseSummary(text string) (Summary, []Deviation, error) {
	t := target{keys: []string{"summary"}}
	return parse(text, t, func(p piece, n *notes) (Summary, error) {
		o, err := members(p.value, "the summary", n, t.keys...)
		if err != nil {
			return Summary{}, err
		}
		return Summary{Summary: o.text("summary")}, o.err
	})
}

// parse reads every answer in a reply; they must be one.
func parse[B any](text string, t target, read func(piece, *notes) (B, error)) (B, []Deviation, error) {
	var zero, body B
	var n notes
	pieces, err := scan(text, t, &n)
	if err != nil {
		return zero, nil, err
	}
	if len(pieces) == 0 {
		return zero, nil, fmt.Errorf("the reply has no answer: answer with one JSON object with the keys %s", strings.Join(t.keys, ", "))
	}
	for i, p := range pieces {
		b, err := read(p, &n)
		if err != nil {
			return zero, nil, err
		}
		if i == 0 {
			body = b
		} else if !reflect.DeepEqual(body, b) {
			return zero, nil, fmt.Errorf("the reply has two different answers, at bytes %d and %d: give one", pieces[0].at, p.at)
		} else {
			n.add("repeated answer", p.at, "the same answer again")
		}
	}
	return body, n.list, nil
}
