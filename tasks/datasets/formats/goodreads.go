package formats

import (
	"context"
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
	return Reader{
		Name:   "goodreads",
		About:  "UCSD Goodreads Book Graph: goodreads_interactions*, goodreads_reviews* with goodreads_books* beside them",
		Detect: detectGoodreads,
		Read:   readGoodreads,
	}
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

func detectGoodreads(path string) (bool, string) {
	d, err := openFolder(path)
	if err != nil {
		return false, ""
	}
	files := findGoodreads(d)
	for _, name := range files.events {
		if hasKeys(d.keys(name), goodreadsKeys...) {
			return true, name + " has " + strings.Join(goodreadsKeys, ", ")
		}
	}
	return false, ""
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

func readGoodreads(ctx context.Context, path string, opts Options, sink Sink) error {
	if err := opts.only("goodreads", "time"); err != nil {
		return err
	}
	column := opts.Columns["time"]
	if column == "" {
		column = "date_added"
	}
	if choices := []string{"date_added", "date_updated", "read_at", "started_at"}; !slices.Contains(choices, column) {
		return &Error{File: path, Want: "one of " + strings.Join(choices, ", ") + " as the time", Got: column}
	}
	d, err := openFolder(path)
	if err != nil {
		return err
	}
	files := findGoodreads(d)
	if len(files.events) == 0 {
		return d.missing("goodreads_interactions*.json or goodreads_reviews*.json")
	}
	f, err := d.feed(opts, sink, d.present(slices.Concat(files.authors, files.books, files.events)...)...)
	if err != nil {
		return err
	}

	authors := make(map[string]string)
	for _, name := range d.present(files.authors...) {
		if err := f.read(ctx, name, func(in *input) error {
			return jsonRows(ctx, in, []string{"author_id", "name"}, func(a goodreadsAuthor) error {
				authors[string(a.AuthorID)] = clip(string(a.Name), maxName)
				return nil
			})
		}); err != nil {
			return err
		}
	}
	for _, name := range d.present(files.books...) {
		if err := f.read(ctx, name, func(in *input) error {
			if len(files.authors) == 0 {
				in.note("no goodreads_book_authors.json beside it: books have no authors")
			}
			return jsonRows(ctx, in, []string{"book_id", "title"}, func(b goodreadsBook) error { return in.item(b.item(authors)) })
		}); err != nil {
			return err
		}
	}
	for _, name := range d.present(files.events...) {
		if err := f.read(ctx, name, func(in *input) error {
			in.note("the time is %s", column)
			if len(files.books) == 0 {
				in.note("no goodreads_books*.json beside it: items have no titles")
			}
			c := &clock{layout: time.RubyDate}
			need := append(slices.Clone(goodreadsKeys), column)
			return jsonRows(ctx, in, need, func(e goodreadsEvent) error { return in.interaction(e.event(column), c) })
		}); err != nil {
			return err
		}
	}
	return nil
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
