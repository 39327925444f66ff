package audit

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/gold"
)

// judge looks at the candidates of tasks, with the whole log at hand.
type judge struct {
	data Data
	end  *graph.Cut
	// all says that negatives come from the whole log, as published protocols
	// have it: then candidates that nobody had yet are by design, and a warning.
	all bool
	// strict says that the tasks were made of this log: then the right item must
	// be what it tells.
	strict bool
}

func newJudge(d Data, recipe *gold.Recipe) *judge {
	g := d.Graph()
	j := &judge{data: d, end: g.At(g.End())}
	if recipe != nil && recipe.Config != nil {
		j.all, j.strict = recipe.Config.Pool == gold.AllItems, true
	}
	return j
}

// judge adds what is wrong with the candidates of a task. golds is empty where
// the right items are not known.
func (j *judge) judge(ctx context.Context, b *book, task tasks.Task, golds []string, place Place) error {
	tell := func(s Severity, i int, what string, args ...any) {
		p := place
		p.Part = fmt.Sprintf("candidates, %s", tasks.Label(i))
		b.add(Finding{Check: checkCandidates, Severity: s, Case: task.ID, Place: p, Bytes: task.Candidates[i], What: fmt.Sprintf(what, args...)})
	}
	taken := j.taken(task.User)
	cut := j.data.Graph().At(task.AsOf)
	degrees := make([]int, len(task.Candidates))
	reachable := 0 // degree of the right item, or the highest
	for i, item := range task.Candidates {
		if node, ok := cut.Item(item); ok {
			degrees[i] = cut.ItemDegree(node)
		}
		if len(golds) == 0 || slices.Contains(golds, item) {
			reachable = max(reachable, degrees[i])
		}
	}
	for i, item := range task.Candidates {
		right := slices.Contains(golds, item)
		when, has := taken[item]
		_, known, err := j.data.Catalog().Item(ctx, item)
		if err != nil {
			return err
		}
		switch {
		case !known:
			tell(Error, i, "the data set has no such item")
		case degrees[i] == 0 && !right && reachable > 0:
			s := Error
			if j.all {
				s = Warning
			}
			tell(s, i, "%s, so it cannot be the right one, and its absence from all evidence tells so", j.firstSeen(item))
		case degrees[i] == 0 && right && slices.Max(degrees) > 0:
			tell(Warning, i, "nobody had the right item before the moment, while others of the list were taken: that alone tells it apart from them")
		}
		switch {
		case has && when < task.AsOf.Unix() && right:
			tell(Error, i, "the user had the right item already at %s, before the moment: it is in the history", stamp(when))
		case has && when < task.AsOf.Unix():
			tell(Error, i, "the user had the item already at %s, so it cannot be the right one", stamp(when))
		case has && !right && len(golds) > 0:
			tell(Warning, i, "the user took the item at %s, at or after the moment: it counts as wrong and was right", stamp(when))
		case !has && right && j.strict:
			tell(Error, i, "the log does not tell that the user ever took the right item")
		}
	}
	return nil
}

// taken returns when the user took each item, in the whole log.
func (j *judge) taken(user string) map[string]int64 {
	u, ok := j.end.User(user)
	if !ok {
		return nil
	}
	taken := map[string]int64{}
	for _, e := range j.end.History(u) {
		taken[j.end.ItemID(e.Item)] = e.Time.Unix()
	}
	return taken
}

func (j *judge) firstSeen(item string) string {
	node, ok := j.end.Item(item)
	if !ok {
		return "nobody ever took the item"
	}
	return "nobody had the item before " + j.end.Audience(node)[0].Time.Format(time.RFC3339)
}

func stamp(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }

// had reports whether the user took an item with that title before the moment.
func (j *judge) had(ctx context.Context, task tasks.Task, title string) (bool, error) {
	u, ok := j.end.User(task.User)
	if !ok {
		return false, nil
	}
	view, err := tasks.NewView(tasks.Task{ID: task.ID, AsOf: task.AsOf}, j.data.Graph().At(task.AsOf), j.data.Catalog())
	if err != nil {
		return false, err
	}
	for _, e := range j.end.History(u) {
		if e.Time.Unix() >= task.AsOf.Unix() {
			break
		}
		item, err := view.Item(ctx, j.end.ItemID(e.Item))
		if err != nil {
			return false, err
		}
		if strings.HasPrefix(item.Title, title) {
			return true, nil
		}
	}
	return false, nil
}

// twins adds candidates of the same title: which of them is right is a matter of
// chance, or of what the data set thought of doubles.
func (j *judge) twins(ctx context.Context, b *book, task tasks.Task, golds []string, place Place) error {
	seen := map[string]int{}
	for i, id := range task.Candidates {
		item, known, err := j.data.Catalog().Item(ctx, id)
		if err != nil {
			return err
		}
		name := normalised(item)
		if !known || name == "" {
			continue
		}
		other, double := seen[name]
		seen[name] = i
		if !double {
			continue
		}
		what := fmt.Sprintf("%s and %s have the same title, as items %s and %s", tasks.Label(other), tasks.Label(i), task.Candidates[other], id)
		if slices.Contains(golds, id) || slices.Contains(golds, task.Candidates[other]) {
			what += "; one of them is the right one"
		}
		p := place
		p.Part = fmt.Sprintf("candidates, %s", tasks.Label(i))
		b.add(Finding{Check: checkTwins, Severity: Warning, Case: task.ID, Place: p, Bytes: item.Title, What: what})
	}
	return nil
}

// normalised is a title without case, accents, punctuation and spaces, and the
// year, which tells remakes apart.
func normalised(item tasks.Item) string {
	var w strings.Builder
	for _, r := range norm.NFKD.String(strings.ToLower(item.Title)) {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			w.WriteRune(r)
		}
	}
	if w.Len() > 0 && item.Year != 0 && !strings.Contains(item.Title, fmt.Sprint(item.Year)) {
		fmt.Fprintf(&w, " %d", item.Year)
	}
	return w.String()
}
