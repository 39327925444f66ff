package catalog

import (
	"context"
	"fmt"

	"github.com/mars-rec/mars/graph/rank"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/tools/translate"
)

type itemArguments struct {
	Item string `json:"item" jsonschema:"an item id, or a candidate's label"`
}

// ItemResult is the result of item_info.
type ItemResult struct {
	Evidence []string `json:"evidence"`
	translate.Item
	Year       int      `json:"year,omitempty"`
	Categories []string `json:"categories,omitempty"`
	Creators   []string `json:"creators,omitempty"`
	Text       string   `json:"text,omitempty"` // the description, cut
	Degree     int      `json:"degree"`         // users who have it
	Recent     int      `json:"recent"`         // of these, who came to have it in the recent days
	Days       int      `json:"recent_days"`
	Ratings    Ratings  `json:"ratings,omitzero"`
	Reviews    []Review `json:"reviews,omitempty"` // the latest first
}

// Review is what a user wrote, cut. Who it was is not told.
type Review struct {
	Date   string  `json:"date"`
	Rating float64 `json:"rating,omitempty"`
	Text   string  `json:"text"`
}

func (c Config) itemInfo(ctx context.Context, view tasks.View, a itemArguments) (ItemResult, error) {
	found, err := translate.Find(view, a.Item)
	if err != nil {
		return ItemResult{}, err
	}
	item, err := view.Item(ctx, found.ID)
	if err != nil {
		return ItemResult{}, err
	}
	name, err := translate.Name(ctx, view, found.ID)
	if err != nil {
		return ItemResult{}, err
	}
	r := ItemResult{Item: name, Year: item.Year, Text: translate.Cut(item.Text, translate.MaxText), Days: int(rank.RecentWindow.Hours() / 24)}
	r.Categories, r.Creators = names(item.Categories), names(item.Creators)
	cut := view.Cut()
	if found.Seen {
		r.Degree = cut.ItemDegree(found.Node)
		r.Recent = cut.ItemDegreeSince(found.Node, cut.AsOf().Add(-rank.RecentWindow))
		r.Ratings = ratings(cut.Audience(found.Node), c.Words.LikedFrom())
	}
	r.Evidence = append(r.Evidence, describe(item)+".",
		fmt.Sprintf("Users who %s it before %s: %s, of them %s in the last %d days.", c.Words.Did(), translate.Moment(view),
			translate.Count(r.Degree), translate.Count(r.Recent), r.Days))
	if r.Ratings.Count > 0 {
		r.Evidence = append(r.Evidence, fmt.Sprintf("Ratings: %s.", rate(r.Ratings, c.Words)))
	}
	return r, c.reviews(ctx, view, found.ID, &r)
}

// reviews adds the latest reviews of the item.
func (c Config) reviews(ctx context.Context, view tasks.View, id string, r *ItemResult) error {
	const most = 3
	reviews, err := view.Reviews(ctx, "", id, most)
	if err != nil {
		return err
	}
	for _, review := range reviews {
		if review.Text == "" {
			continue
		}
		told := Review{review.Time.UTC().Format(date), translate.Round(review.Rating), translate.Cut(review.Text, translate.MaxReview)}
		r.Reviews = append(r.Reviews, told)
		rated := ""
		if told.Rating > 0 {
			rated = fmt.Sprintf(" rated it %s and", translate.Number(told.Rating))
		}
		r.Evidence = append(r.Evidence, fmt.Sprintf("On %s a user%s wrote: %s", told.Date, rated, translate.Quote(told.Text)))
	}
	return nil
}

// names bounds a list of names from the catalog.
func names(all []string) []string {
	const most = 12
	var short []string
	for _, n := range all[:min(most, len(all))] {
		short = append(short, translate.Cut(n, translate.MaxTitle))
	}
	return short
}

type searchArguments struct {
	Query string `json:"query" jsonschema:"words"`
	Limit int    `json:"limit,omitzero" jsonschema:"how many items" minimum:"1" maximum:"50" default:"10"`
}

// SearchResult is the result of catalog_search.
type SearchResult struct {
	Evidence []string `json:"evidence"`
	Items    []Hit    `json:"items"` // by the number of matched words, ties by id
}

// Hit is an item that the search found.
type Hit struct {
	translate.Item
	Degree int `json:"degree"` // users who have it
}

// maxQuery bounds a query, in bytes.
const maxQuery = 500

func (c Config) catalogSearch(ctx context.Context, view tasks.View, a searchArguments) (SearchResult, error) {
	if len(a.Query) > maxQuery {
		return SearchResult{}, tools.Inputf("query of catalog_search has %d bytes: at most %d are read", len(a.Query), maxQuery)
	}
	found, err := view.Search(ctx, a.Query, a.Limit)
	if err != nil {
		return SearchResult{}, err
	}
	r := SearchResult{Items: []Hit{}}
	if len(found) == 0 {
		r.Evidence = []string{fmt.Sprintf("No item known before %s matches. Titles, categories, creators and descriptions are searched for whole words.", translate.Moment(view))}
		return r, nil
	}
	r.Evidence = append(r.Evidence, fmt.Sprintf("%s, by the number of words that match.", translate.Plural(len(found), "item")))
	for _, item := range found {
		name, err := translate.Name(ctx, view, item.ID)
		if err != nil {
			return SearchResult{}, err
		}
		hit := Hit{Item: name}
		if i, ok := view.Cut().Item(item.ID); ok {
			hit.Degree = view.Cut().ItemDegree(i)
		}
		r.Items = append(r.Items, hit)
		line := describe(item)
		if name.Label != "" {
			line = name.Label + " " + line
		}
		r.Evidence = append(r.Evidence, fmt.Sprintf("%s; %s %s it.", line, translate.Plural(hit.Degree, "user"), c.Words.Did()))
	}
	return r, nil
}
