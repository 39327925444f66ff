package tasks

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/message/phase"
)

// Item is what the catalog says of an item. Aggregates that a source ships
// (average rating, counts) are not here: they know the future.
type Item struct {
	ID         string   `json:"id"`
	Title      string   `json:"title"`
	Categories []string `json:"categories,omitempty"` // genres, categories
	Creators   []string `json:"creators,omitempty"`   // authors, brand, directors
	Year       int      `json:"year,omitempty"`       // of publication or release; 0: unknown
	Text       string   `json:"text,omitempty"`       // description
}

// User is what the catalog says of a user.
type User struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

// Review is what a user wrote about an item.
type Review struct {
	User   string    `json:"user"`
	Item   string    `json:"item"`
	Time   time.Time `json:"time"`
	Rating float64   `json:"rating,omitempty"` // 0: none
	Text   string    `json:"text"`
}

// ReviewQuery asks for reviews of a user, of an item, or of both.
type ReviewQuery struct {
	User, Item string    // "" means any; not both empty
	Before     time.Time // strictly
	Limit      int       // the latest first; 0: as many as the catalog gives at most
}

// Catalog is the descriptive side of a data set. It is safe for concurrent
// use, and what it returns must not be changed. It need not cut anything at a
// moment except reviews: [View] sees to the rest.
type Catalog interface {
	// Item and User report false where the id is unknown.
	Item(ctx context.Context, id string) (Item, bool, error)
	User(ctx context.Context, id string) (User, bool, error)
	Reviews(ctx context.Context, q ReviewQuery) ([]Review, error)
	// Search yields items whose metadata match the words of the query, the
	// number of matched words first (descending), then the id (ascending).
	Search(ctx context.Context, query string) iter.Seq2[Item, error]
}

// Source opens the view of a task.
type Source interface {
	View(Task) (View, error)
}

// View is the data as of one task's moment. Everything in it happened strictly
// before [Task.AsOf]; every text that comes out of it has passed
// [phase.Clean], so that data cannot forge structure. A View is safe for
// concurrent use.
type View struct {
	task    Task
	cut     *graph.Cut
	catalog Catalog
	shown   *shown
}

// NewView makes the view of a task. The cut must not reach past the task's
// moment. A view needs a moment and nothing more: the data can be looked at
// without a user or candidates. Whoever runs a task checks it by [Task.Check].
func NewView(task Task, cut *graph.Cut, catalog Catalog) (View, error) {
	if err := task.visible(); err != nil {
		return View{}, err
	}
	if cut.AsOf().After(task.AsOf) {
		return View{}, fmt.Errorf("view of task %s: the graph is cut at %s, after the task's %s",
			task.ID, cut.AsOf().Format(time.RFC3339), task.AsOf.Format(time.RFC3339))
	}
	return View{task, cut, catalog, &shown{}}, nil
}

// Task returns the task that is viewed.
func (v View) Task() Task { return v.task }

// Cut returns the graph as of the task's moment.
func (v View) Cut() *graph.Cut { return v.cut }

// Item returns what the catalog says of an item, its texts made inert. An item
// that the catalog does not know has its id for a title.
func (v View) Item(ctx context.Context, id string) (Item, error) {
	item, ok, err := v.catalog.Item(ctx, id)
	if err != nil {
		return Item{}, fmt.Errorf("item %s: %w", id, err)
	}
	if !ok {
		item = Item{ID: id}
	}
	return clean(item), nil
}

// User returns what the catalog says of a user, its texts made inert.
func (v View) User(ctx context.Context, id string) (User, error) {
	user, ok, err := v.catalog.User(ctx, id)
	if err != nil {
		return User{}, fmt.Errorf("user %s: %w", id, err)
	}
	if !ok {
		user = User{ID: id}
	}
	user.Name = phase.Clean(user.Name)
	return user, nil
}

// Reviews returns reviews written before the task's moment, the latest first,
// their texts made inert.
func (v View) Reviews(ctx context.Context, user, item string, limit int) ([]Review, error) {
	reviews, err := v.catalog.Reviews(ctx, ReviewQuery{User: user, Item: item, Before: v.task.AsOf, Limit: limit})
	if err != nil {
		return nil, fmt.Errorf("reviews of user %q, item %q: %w", user, item, err)
	}
	var kept []Review
	for _, r := range reviews {
		if r.Time.Before(v.task.AsOf) {
			r.Text = phase.Clean(r.Text)
			kept = append(kept, r)
		}
	}
	return kept, nil
}

// Search returns up to limit items whose metadata match the query, best first:
// by the number of matched words, ties by id. Items without an interaction
// before the task's moment are hidden, unless they are candidates.
func (v View) Search(ctx context.Context, query string, limit int) ([]Item, error) {
	var found []Item
	for item, err := range v.catalog.Search(ctx, query) {
		if err != nil {
			return nil, fmt.Errorf("search %q: %w", query, err)
		}
		if len(found) >= limit {
			break
		}
		_, candidate := v.task.Label(item.ID)
		if i, ok := v.cut.Item(item.ID); candidate || (ok && v.cut.ItemDegree(i) > 0) {
			found = append(found, clean(item))
		}
	}
	return found, nil
}

func clean(item Item) Item {
	if item.Title == "" {
		item.Title = item.ID
	}
	item.Title = phase.Clean(item.Title)
	item.Text = phase.Clean(item.Text)
	item.Categories = cleanAll(item.Categories)
	item.Creators = cleanAll(item.Creators)
	return item
}

// cleanAll cleans names: a copy of them, unless all are clean already. It is
// never nil.
func cleanAll(names []string) []string {
	if len(names) == 0 {
		return []string{}
	}
	out := names
	for i, s := range names {
		clean := phase.Clean(s)
		if clean == s {
			continue
		}
		if &out[0] == &names[0] {
			out = slices.Clone(names)
		}
		out[i] = clean
	}
	return out
}
