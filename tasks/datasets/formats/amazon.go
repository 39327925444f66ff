package formats

import (
	"encoding/json"
	"html"
	"path/filepath"
	"strings"

	"github.com/mars-rec/mars/tasks"
)

// The two generations of Amazon reviews that are in use: JSON lines, a file of
// reviews and one of products (meta_*) for each category. They differ in the
// names of fields, the unit of time, and in what an item is: 2023 joins the
// variants of a product under parent_asin.
//
//	2018  {"reviewerID","asin","overall","unixReviewTime" (seconds),"reviewText",...}
//	      {"asin","title","brand","category":[...],"description":[...],...}
//	2023  {"user_id","parent_asin","rating","timestamp" (milliseconds),"text",...}
//	      {"parent_asin","title","store","categories":[...],"description":[...],"details":{...}}
//
// Average ratings, rating counts and sales ranks are left unread: they know
// the future.

func amazon2018() Reader {
	return amazon[review2018, meta2018]{
		name: "amazon-2018", about: "Amazon Reviews 2018: Category.json or Category_5.json, with meta_Category.json beside it",
		review: []string{"reviewerID", "asin", "overall", "unixReviewTime"}, meta: []string{"asin", "title"}, unit: 1,
	}.reader()
}

func amazon2023() Reader {
	return amazon[review2023, meta2023]{
		name: "amazon-2023", about: "Amazon Reviews 2023: Category.jsonl, with meta_Category.jsonl beside it",
		review: []string{"user_id", "parent_asin", "rating", "timestamp"}, meta: []string{"parent_asin", "title"}, unit: 1000,
	}.reader()
}

type review2018 struct {
	ReviewerID     scalar `json:"reviewerID"`
	ASIN           scalar `json:"asin"`
	Overall        scalar `json:"overall"`
	UnixReviewTime scalar `json:"unixReviewTime"`
	ReviewText     scalar `json:"reviewText"`
}

func (r review2018) event() event {
	return event{string(r.ReviewerID), string(r.ASIN), string(r.Overall), string(r.UnixReviewTime), string(r.ReviewText)}
}

type review2023 struct {
	UserID     scalar `json:"user_id"`
	ParentASIN scalar `json:"parent_asin"`
	Rating     scalar
	Timestamp  scalar
	Text       scalar
}

func (r review2023) event() event {
	return event{string(r.UserID), string(r.ParentASIN), string(r.Rating), string(r.Timestamp), string(r.Text)}
}

type meta2018 struct {
	ASIN        scalar `json:"asin"`
	Title       scalar
	Brand       scalar
	Category    texts
	Description texts
	Date        scalar
	Details     json.RawMessage
}

func (m meta2018) item() tasks.Item {
	title := html.UnescapeString(string(m.Title))
	if strings.Contains(title, "var aPageStart") { // a script of the page, where the title was not found
		title = ""
	}
	return tasks.Item{
		ID: string(m.ASIN), Title: title, Text: html.UnescapeString(m.Description.join()),
		Categories: shelfPath(m.Category), Creators: []string{html.UnescapeString(string(m.Brand))},
		Year: firstYear(string(m.Date), m.Details),
	}
}

type meta2023 struct {
	ParentASIN  scalar `json:"parent_asin"`
	Title       scalar
	Store       scalar
	Author      json.RawMessage
	Categories  texts
	Description texts
	Details     json.RawMessage
}

func (m meta2023) item() tasks.Item {
	var author struct{ Name scalar }
	_ = json.Unmarshal(m.Author, &author) // null, and "" in some rows: then there is none
	creator := string(author.Name)
	if creator == "" {
		creator = strings.TrimSuffix(string(m.Store), " (Author)")
	}
	return tasks.Item{
		ID: string(m.ParentASIN), Title: html.UnescapeString(string(m.Title)), Text: html.UnescapeString(m.Description.join()),
		Categories: shelfPath(m.Categories), Year: firstYear("", m.Details),
		Creators: []string{html.UnescapeString(creator)},
	}
}

// shelfPath takes the categories up to the first that is none: in the 2018
// files feature texts and pieces of markup follow the path.
func shelfPath(names texts) []string {
	var path []string
	for _, n := range names {
		if n = html.UnescapeString(n); strings.ContainsAny(n, "<>") || strings.HasSuffix(n, ".") || len(n) > 60 {
			break
		}
		path = append(path, n)
	}
	return path
}

// firstYear returns the year of publication or release.
func firstYear(date string, details json.RawMessage) int {
	if y := parseYear(date); y > 0 {
		return y
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(details, &fields) != nil {
		return 0
	}
	for _, key := range []string{"Publication date", "Publisher", "Publisher:", "Release date", "Release Date", "Date First Available"} {
		if text, err := scalarText(fields[key]); err == nil {
			if y := parseYear(text); y > 0 {
				return y
			}
		}
	}
	return 0
}

// amazon is one generation, with its rows R of reviews and M of products.
type amazon[R interface{ event() event }, M interface{ item() tasks.Item }] struct {
	name, about  string
	review, meta []string // keys by which a row is known
	unit         int64    // of times, in a second
}

func (a amazon[R, M]) reader() Reader {
	return layout{name: a.name, about: a.about, wider: true, detect: a.detect, parts: a.parts}.reader()
}

func (a amazon[R, M]) detect(d folder) string {
	if found := a.reviews(d); len(found) > 0 {
		return found[0] + " has " + strings.Join(a.review, ", ")
	}
	return ""
}

// reviews returns the folder's files of reviews, by plain name.
func (a amazon[R, M]) reviews(d folder) []string {
	return d.match(func(plain string) bool {
		return (d.given == "" || d.given == plain) && isJSONLines(plain) && hasKeys(d.keys(plain), a.review...)
	})
}

// products returns the file of products that belongs to a file of reviews: by
// name that of the same category, whatever is in it, or else the only one; ""
// if there is none.
func (a amazon[R, M]) products(d folder, reviews string) string {
	category := strings.TrimSuffix(strings.TrimSuffix(reviews, filepath.Ext(reviews)), "_5")
	found := d.match(func(plain string) bool {
		return isJSONLines(plain) && strings.TrimSuffix(plain, filepath.Ext(plain)) == "meta_"+category
	})
	if len(found) == 0 {
		found = d.match(func(plain string) bool {
			return isJSONLines(plain) && strings.HasPrefix(plain, "meta_") && hasKeys(d.keys(plain), a.meta...)
		})
	}
	if len(found) != 1 {
		return ""
	}
	return found[0]
}

func (a amazon[R, M]) parts(d folder, _ Options) ([]part, error) {
	found := a.reviews(d)
	switch {
	case len(found) > 1:
		return nil, &Error{File: d.path, Want: "one file of reviews (name it as the path)", Got: strings.Join(found, ", ")}
	case len(found) == 0 && d.given != "":
		// Reading it says what is wrong with it, and on which line.
		found = []string{d.given}
	case len(found) == 0:
		return nil, d.missing("a file of JSON lines with " + strings.Join(a.review, ", "))
	}
	products := a.products(d, found[0])
	reviews := part{name: found[0], read: jsonEvents[R](a.review...), clock: clock{unit: a.unit}}
	if products == "" {
		reviews.notes = []string{"no meta_ file of this category beside it: items have no titles"}
	}
	return []part{{name: products, read: jsonItems[M](a.meta...)}, reviews}, nil
}

func isJSONLines(plain string) bool {
	switch filepath.Ext(plain) {
	case ".json", ".jsonl", ".ndjson":
		return true
	}
	return false
}
