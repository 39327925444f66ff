package formats

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mars-rec/mars/tasks"
)

// goodreads reads the UCSD Book Graph, JSON lines, whole or by genre:
//
//	goodreads_books*.json         {"book_id","title","authors":[{"author_id"}],"publication_year","description","popular_shelves",...}
//	goodreads_book_authors.json   {"author_id","name",...}
//	goodreads_interactions*.json  {"user_id","book_id","rating","date_added","read_at",...}
//	goodreads_reviews*.json       the same with "review_text"
//
// Numbers may be strings, a rating of 0 is none, and times are written as
// "Tue Nov 15 11:29:22 -0800 2016" or empty. The time of an interaction is
// date_added, which every row has; the column "time" may be mapped to read_at,
// started_at or date_updated. A book that is only put on a shelf counts too,
// without a rating. Categories are the names of the first shelves that
// are not about the reader ("to-read", "owned"). Average ratings and counts are
// left unread: they know the future.
func goodreads() Reader {
	return layout{
		name:   "goodreads",
		about:  "UCSD Goodreads Book Graph: goodreads_interactions*, goodreads_reviews* with goodreads_books* beside them",
		mapped: []string{"time"},
		detect: func(d folder) string {
			for _, name := range findGoodreads(d).events {
				if hasKeys(d.keys(name), goodreadsKeys...) {
					return name + " has " + strings.Join(goodreadsKeys, ", ")
				}
			}
			return ""
		},
		parts: goodreadsParts,
	}.reader()
}

// goodreadsFiles are plain names, each list sorted.
type goodreadsFiles struct{ events, books, authors []string }

func findGoodreads(d folder) goodreadsFiles {
	named := func(part string) []string {
		return d.match(func(plain string) bool {
			return strings.HasPrefix(plain, "goodreads_"+part) && isJSONLines(plain) && !strings.Contains(plain, "spoiler")
		})
	}
	files := goodreadsFiles{books: named("books"), authors: named("book_authors")}
	// Reviews first: of two rows of one pair at one time, the first has the text.
	files.events = append(named("reviews"), named("interactions")...)
	if d.given != "" {
		if !slices.Contains(files.events, d.given) {
			return goodreadsFiles{}
		}
		_, genre, _ := strings.Cut(strings.TrimPrefix(d.given, "goodreads_"), "_")
		if same := "goodreads_books_" + genre; genre != "" && d.has(same) {
			files.books = []string{same}
		}
		files.events = []string{d.given}
	}
	return files
}

var goodreadsKeys = []string{"user_id", "book_id", "rating", "date_added"}

type goodreadsBook struct {
	BookID          scalar `json:"book_id"`
	Title           scalar
	Description     scalar
	PublicationYear scalar           `json:"publication_year"`
	PopularShelves  []goodreadsShelf `json:"popular_shelves"`
	Authors         []struct {
		AuthorID scalar `json:"author_id"`
	}
}

type goodreadsShelf struct{ Name scalar }

type goodreadsAuthor struct {
	AuthorID scalar `json:"author_id"`
	Name     scalar
}

type goodreadsEvent struct {
	UserID      scalar `json:"user_id"`
	BookID      scalar `json:"book_id"`
	Rating      scalar
	ReviewText  scalar `json:"review_text"`
	DateAdded   scalar `json:"date_added"`
	DateUpdated scalar `json:"date_updated"`
	ReadAt      scalar `json:"read_at"`
	StartedAt   scalar `json:"started_at"`
}

func (e goodreadsEvent) event(column string) event {
	at := map[string]scalar{"date_added": e.DateAdded, "date_updated": e.DateUpdated, "read_at": e.ReadAt, "started_at": e.StartedAt}[column]
	return event{string(e.UserID), string(e.BookID), string(e.Rating), string(at), string(e.ReviewText)}
}

func goodreadsParts(d folder, opts Options) ([]part, error) {
	column := opts.Columns["time"]
	if column == "" {
		column = "date_added"
	}
	if choices := []string{"date_added", "date_updated", "read_at", "started_at"}; !slices.Contains(choices, column) {
		return nil, &Error{File: d.path, Want: "one of " + strings.Join(choices, ", ") + " as the time", Got: column}
	}
	files := findGoodreads(d)
	if len(files.events) == 0 {
		return nil, d.missing("goodreads_interactions*.json or goodreads_reviews*.json")
	}
	authors := make(map[string]string) // filled by the parts that come before the books
	readAuthors := jsonRows([]string{"author_id", "name"}, func(_ *input, a goodreadsAuthor) error {
		authors[string(a.AuthorID)] = clip(string(a.Name), maxName)
		return nil
	})
	readBooks := jsonRows([]string{"book_id", "title"}, func(in *input, b goodreadsBook) error { return in.item(b.item(authors)) })
	readEvents := jsonRows(append(slices.Clone(goodreadsKeys), column),
		func(in *input, e goodreadsEvent) error { return in.interaction(e.event(column)) })

	var parts []part
	var bookNotes []string
	eventNotes := []string{"the time is " + column}
	if len(files.authors) == 0 {
		bookNotes = []string{"no goodreads_book_authors.json beside it: books have no authors"}
	}
	if len(files.books) == 0 {
		eventNotes = append(eventNotes, "no goodreads_books*.json beside it: items have no titles")
	}
	for _, name := range files.authors {
		parts = append(parts, part{name: name, read: readAuthors})
	}
	for _, name := range files.books {
		parts = append(parts, part{name: name, read: readBooks, notes: bookNotes})
	}
	for _, name := range files.events {
		parts = append(parts, part{name: name, read: readEvents, notes: eventNotes, clock: clock{layout: time.RubyDate}})
	}
	return parts, nil
}

func (b goodreadsBook) item(authors map[string]string) tasks.Item {
	item := tasks.Item{ID: string(b.BookID), Title: string(b.Title), Text: string(b.Description), Categories: genreShelves(b.PopularShelves)}
	if y, err := strconv.Atoi(string(b.PublicationYear)); err == nil && y > 0 && y < 2100 {
		item.Year = y
	}
	for _, a := range b.Authors {
		item.Creators = append(item.Creators, authors[string(a.AuthorID)])
	}
	return item
}

// maxShelves is how many shelves of a book are kept: the first say what it is,
// the rest who read it.
const maxShelves = 5

// genreShelves returns the names of the first shelves that say something of the
// book, and not of the reader.
func genreShelves(shelves []goodreadsShelf) []string {
	var names []string
	for _, s := range shelves {
		if name := string(s.Name); name != "" && !readerShelf(name) && len(names) < maxShelves {
			names = append(names, name)
		}
	}
	return names
}

// readerShelf reports whether a shelf is about the reader: what is read, owned,
// wished for, and when.
func readerShelf(name string) bool {
	words := strings.Split(name, "-")
	return name == "books" || name == "e-book" || name == "e-books" || slices.ContainsFunc(words, func(w string) bool {
		switch w {
		case "read", "reading", "reads", "reread", "tbr", "own", "owned", "have", "my", "mine", "wish", "wishlist",
			"buy", "bought", "borrowed", "library", "default", "favorite", "favorites", "favourite", "favourites", "faves",
			"kindle", "nook", "ebook", "ebooks", "audio", "audiobook", "audiobooks", "hardcover", "paperback", "shelf", "bookshelf",
			"shelves", "dnf", "unfinished", "finished", "abandoned", "maybe", "club", "bookclub", "reviewed", "arc", "netgalley", "signed", "home":
			return true
		}
		return len(w) == 4 && parseYear(w) > 0
	})
}
