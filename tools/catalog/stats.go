package catalog

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/graph/rank"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tools/translate"
)

// StatsResult is the result of candidate_stats. The rankings hold every
// candidate; the numbers are of those that a sentence tells of.
type StatsResult struct {
	Evidence []string         `json:"evidence"`
	Days     int              `json:"recent_days"` // what counts as recent
	Items    []Standing       `json:"items"`       // in the order of the labels
	Rankings []phase.Evidence `json:"rankings"`
}

// Standing is one candidate's. Its title stands in the sentences.
type Standing struct {
	Label    string  `json:"label"`
	Item     string  `json:"item"`
	Degree   int     `json:"degree"`            // users who have it
	Recent   int     `json:"recent"`            // of these, who came to have it in the recent days
	Ratings  int     `json:"ratings,omitempty"` // users who rated it
	Mean     float64 `json:"mean,omitempty"`    // of their ratings, 4 significant digits
	Year     int     `json:"year,omitempty"`
	Category *Match  `json:"category,omitempty"` // of its categories the one that the user's history has most

	name translate.Item
	told bool
}

// Match is a category of a candidate with its place in the user's history.
type Match struct {
	Name  string `json:"name"`
	Count int    `json:"count"` // items of the user's history
}

func (c Config) candidateStats(ctx context.Context, view tasks.View, _ struct{}) (StatsResult, error) {
	task, cut := view.Task(), view.Cut()
	if _, err := translate.Candidates(view, "candidate_stats"); err != nil {
		return StatsResult{}, err
	}
	history, err := events(view, "candidate_stats")
	if err != nil {
		return StatsResult{}, err
	}
	shelf, err := newShelf(ctx, view, history, task.Candidates...)
	if err != nil {
		return StatsResult{}, err
	}
	r := StatsResult{Days: recentDays, Items: []Standing{}}
	for _, signal := range []string{rank.Popularity, rank.PopularityRecent, rank.Category, rank.Year} {
		scores, err := rank.Score(signal, cut, task.User, task.Candidates, shelf)
		if err != nil {
			return StatsResult{}, fmt.Errorf("candidate_stats: %w", err)
		}
		r.Rankings = append(r.Rankings, translate.Rank(task, "candidate_stats", signal, scores))
	}
	has := map[string]int{}
	for _, g := range group(history, 0, func(e graph.Event) []string { return shelf.Categories(cut.ItemID(e.Item)) }) {
		has[g.Name] = g.Count
	}
	for _, id := range task.Candidates {
		s, err := c.standing(ctx, view, shelf, has, id)
		if err != nil {
			return StatsResult{}, err
		}
		r.Items = append(r.Items, s)
	}
	r.tell(len(history))
	r.Items = slices.DeleteFunc(r.Items, func(s Standing) bool { return !s.told })
	return r, nil
}

// recentDays is what counts as recent.
const recentDays = int(rank.RecentWindow / (24 * time.Hour))

// newStanding counts the users of a candidate.
func newStanding(cut *graph.Cut, name translate.Item) Standing {
	s := Standing{Label: name.Label, Item: name.Item, name: name}
	if i, ok := cut.Item(name.Item); ok {
		s.Degree = cut.ItemDegree(i)
		s.Recent = cut.ItemDegreeSince(i, cut.AsOf().Add(-rank.RecentWindow))
	}
	return s
}

func (c Config) standing(ctx context.Context, view tasks.View, shelf shelf, has map[string]int, id string) (Standing, error) {
	name, err := translate.Name(ctx, view, id)
	s := newStanding(view.Cut(), name)
	s.Year = shelf.Year(id)
	if i, ok := view.Cut().Item(id); ok {
		all := ratings(view.Cut().Audience(i), c.Words.LikedFrom())
		s.Ratings, s.Mean = all.Count, all.Mean
	}
	for _, category := range shelf.Categories(id) {
		m := Match{translate.Cut(category, translate.MaxTitle), has[category]}
		if m.Count > 0 && (s.Category == nil || cmp.Or(cmp.Compare(m.Count, s.Category.Count), cmp.Compare(s.Category.Name, m.Name)) > 0) {
			s.Category = &m
		}
	}
	return s, err
}

// tell puts the most telling few of each kind into sentences.
func (r *StatsResult) tell(history int) {
	const enough = 5 // ratings, for a mean to be told
	r.known()
	r.best("Rising, by the share of users who are new", func(s Standing) (float64, string) {
		if s.Recent < translate.Thin {
			return 0, ""
		}
		return float64(s.Recent) / float64(s.Degree), fmt.Sprintf("%s of %s, %s", translate.Count(s.Recent), translate.Count(s.Degree), translate.Percent(s.Recent, s.Degree))
	})
	r.best(fmt.Sprintf("Best rated, of those with %d or more ratings", enough), func(s Standing) (float64, string) {
		if s.Ratings < enough {
			return 0, ""
		}
		return s.Mean, fmt.Sprintf("mean %s over %s", translate.Number(s.Mean), translate.Count(s.Ratings))
	})
	r.fits(rank.Category, "Nearest to the user's categories", func(s Standing) string {
		m := s.Category
		if m == nil {
			return ""
		}
		return fmt.Sprintf("%s: %s of the user's %s", m.Name, translate.Count(m.Count), translate.Plural(history, "item"))
	})
	r.fits(rank.Year, "Nearest in year to the user's latest items", func(s Standing) string {
		if s.Year == 0 {
			return "year unknown"
		}
		return fmt.Sprintf("%d", s.Year)
	})
	if unknown := r.labels(func(s Standing) bool { return s.Degree == 0 }); len(unknown) > 0 {
		r.Evidence = append(r.Evidence, "Without any user so far: "+strings.Join(unknown, ", ")+".")
	}
}

// known tells which candidates have the most users, in all and of late.
func (r *StatsResult) known() {
	r.best("Most users", func(s Standing) (float64, string) {
		return float64(s.Degree), translate.Plural(s.Degree, "user")
	})
	r.best(fmt.Sprintf("Most new users in the last %d days", r.Days), func(s Standing) (float64, string) {
		return float64(s.Recent), fmt.Sprintf("%s of its %s", translate.Count(s.Recent), translate.Plural(s.Degree, "user"))
	})
}

// told is the number of candidates in one sentence.
const told = 3

// best tells the candidates with the highest positive value, ties by item id.
func (r *StatsResult) best(what string, value func(Standing) (float64, string)) {
	ranked := make([]*Standing, len(r.Items))
	for i := range r.Items {
		ranked[i] = &r.Items[i]
	}
	slices.SortFunc(ranked, func(a, b *Standing) int {
		x, _ := value(*a)
		y, _ := value(*b)
		return cmp.Or(cmp.Compare(y, x), cmp.Compare(a.Item, b.Item))
	})
	var named []string
	for _, s := range ranked[:min(told, len(ranked))] {
		if x, text := value(*s); x > 0 {
			s.told = true
			named = append(named, fmt.Sprintf("%s (%s)", s.name, text))
		}
	}
	if len(named) > 0 {
		r.Evidence = append(r.Evidence, what+": "+strings.Join(named, ", ")+".")
	}
}

// fits tells the first candidates of a signal.
func (r *StatsResult) fits(signal, what string, tell func(Standing) string) {
	var named []string
	for _, e := range r.Rankings {
		if e.Signal != signal {
			continue
		}
		for _, strength := range e.Ranking[:min(told, len(e.Ranking))] {
			at := slices.IndexFunc(r.Items, func(s Standing) bool { return s.Label == strength.Label })
			if s := &r.Items[at]; strength.Score > 0 && tell(*s) != "" {
				s.told = true
				named = append(named, fmt.Sprintf("%s (%s)", s.name, tell(*s)))
			}
		}
	}
	if len(named) > 0 {
		r.Evidence = append(r.Evidence, what+": "+strings.Join(named, ", ")+".")
	}
}

func (r *StatsResult) labels(which func(Standing) bool) []string {
	var labels []string
	for _, s := range r.Items {
		if which(s) {
			labels = append(labels, s.Label)
		}
	}
	return labels
}
