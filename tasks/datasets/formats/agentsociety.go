package formats

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mars-rec/mars/tasks"
)

// agentSociety reads the layout of the AgentSociety challenge, which brings
// Amazon, Goodreads and Yelp under the same three names, JSON lines, one source
// or several in a file (told apart by "source" and "type"):
//
//	item.json    {"item_id","name" or "title","categories","description","source","type",...}
//	user.json    {"user_id","name",...}
//	review.json  {"user_id","item_id","stars","text","date" or "timestamp" or "date_added",...}
//
// The names may carry that of a subset (item_subset.json, yelp_item.json).
// Files whose name says test are the challenge's held-out part: left unread. A
// user may have reviews and no record. Stars and counts of items and users know
// the future: they are left unread.
func agentSociety() Reader {
	return layout{
		name:  "agentsociety",
		about: "AgentSociety challenge: user.json, item.json, review.json",
		detect: func(d folder) string {
			reviews, err := societyFile(d, "review")
			if d.given != "" || err != nil || !hasKeys(d.keys(reviews), agentSocietyKeys...) {
				return ""
			}
			return reviews + " has " + strings.Join(agentSocietyKeys, ", ")
		},
		parts: func(d folder, _ Options) ([]part, error) {
			if d.given != "" {
				return nil, d.missing("a directory with user.json, item.json and review.json")
			}
			parts := []part{
				{name: "item", read: jsonItems[societyItem]("item_id")},
				{name: "user", read: jsonUsers()},
				{name: "review", read: jsonEvents[societyReview](agentSocietyKeys...)},
			}
			for i, kind := range parts {
				var err error
				if parts[i].name, err = societyFile(d, kind.name); err != nil {
					return nil, err
				}
			}
			return parts, nil
		},
	}.reader()
}

var agentSocietyKeys = []string{"user_id", "item_id", "stars"}

type societyItem struct {
	ItemID          scalar `json:"item_id"`
	Name, Title     scalar
	Categories      texts
	Description     texts
	City, State     scalar
	Store           scalar
	Authors         json.RawMessage  // names, or objects with ids that say nothing here
	PublicationYear scalar           `json:"publication_year"`
	PopularShelves  []goodreadsShelf `json:"popular_shelves"`
	Details         json.RawMessage
}

func (i societyItem) item() tasks.Item {
	item := tasks.Item{
		ID: string(i.ItemID), Title: string(i.Title), Text: i.Description.join(),
		Categories: commaList(i.Categories), Year: parseYear(string(i.PublicationYear)),
	}
	if item.Title == "" {
		item.Title = string(i.Name)
	}
	if item.Text == "" {
		item.Text = place(i.City, i.State)
	}
	if len(i.Categories) == 0 {
		item.Categories = genreShelves(i.PopularShelves)
	}
	if item.Year == 0 {
		item.Year = firstYear("", i.Details)
	}
	var authors texts
	if json.Unmarshal(i.Authors, &authors) == nil {
		item.Creators = authors
	}
	item.Creators = append(item.Creators, string(i.Store))
	return item
}

type societyReview struct {
	UserID    scalar `json:"user_id"`
	ItemID    scalar `json:"item_id"`
	Stars     scalar
	Text      scalar
	Date      scalar
	Timestamp scalar
	DateAdded scalar `json:"date_added"`
}

func (r societyReview) event() event {
	at := r.Date
	for _, other := range []scalar{r.Timestamp, r.DateAdded} {
		if at == "" {
			at = other
		}
	}
	return event{string(r.UserID), string(r.ItemID), string(r.Stars), string(at), string(r.Text)}
}

// societyFile returns the file of a kind of record by plain name: its own, or
// else the only one that has the kind among the words of its name.
func societyFile(d folder, kind string) (string, error) {
	if d.has(kind + ".json") {
		return kind + ".json", nil
	}
	found := d.match(func(plain string) bool {
		words := strings.FieldsFunc(strings.TrimSuffix(plain, filepath.Ext(plain)), func(r rune) bool { return r == '_' || r == '-' })
		return isJSONLines(plain) && slices.Contains(words, kind) && !slices.Contains(words, "test")
	})
	switch len(found) {
	case 0:
		return "", d.lacks(kind + ".json")
	case 1:
		return found[0], nil
	}
	return "", &Error{File: d.path, Want: "one file " + kind + ".json", Got: strings.Join(found, ", ")}
}
