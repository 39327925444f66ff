// Package formats reads interaction logs in the formats in which they are
// published, one file of this package each.
//
//	ratings.csv.gz  movies.csv      reviews.json  meta.json      *.inter  ...
//	       └──────────────────────────────┬────────────────────────────┘
//	                        Detect, Find  │  which Reader
//	                                      ▼
//	      folder   the files of a format, by name, whatever their packing
//	      input    one file: unpacked, hashed, counted, cut into lines
//	      table    rows with named columns, or rows of JSON
//	      row      what is said in it, checked and bounded
//	                                      ▼
//	        Sink   Item, User, Interaction, and each File when it was read
//
// What sources tell of a later time than that of an event (average ratings,
// counts of reviews, ranks) is left unread.
package formats

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/tasks"
)

// Reader reads one public format. It streams: its memory grows with the number
// of items and users at most, never with the text of reviews.
//
// A row that breaks the format (a column too few, JSON that does not parse,
// bytes that are not UTF-8 where they should be) ends the import with a
// [*Error], since half of a data set is worse than none. A row that is well
// formed but says too little (no time, an id that cannot be used) is dropped
// and counted.
type Reader struct {
	Name  string // as [Find] knows it
	About string // one line: what it reads

	// Wider says that the item file describes more than this collection, such
	// as the whole category of a shop: items that nobody took are then left out
	// of the catalog. Otherwise the item file is the catalog, and all of it stays.
	Wider bool

	// Detect says why the file or directory looks like this format, from names
	// and first bytes; "" if it does not.
	Detect func(path string) (why string)

	// Read reads a file or directory into the sink. It returns the sink's error
	// as it is, and stops when ctx is done.
	Read func(ctx context.Context, path string, opts Options, sink Sink) error
}

// Options of a reader. The zero value is right for all formats but plain
// tables with unusual column names.
type Options struct {
	// Columns says which column of the source plays a role: user, item, rating,
	// time, review, title, categories, creators, year, text, name. Roles that are
	// not here go to columns of the usual names. "#3" is the third column of a
	// CSV or TSV file without a header. Formats with fixed columns allow only what
	// their documentation says.
	Columns map[string]string

	// TimeLayout is how times are written, in the notation of package time. The
	// default takes whole or fractional Unix seconds, milliseconds (told from
	// seconds by the first row of a file), RFC 3339 and "2006-01-02 15:04:05".
	TimeLayout string

	// Progress, if set, is told now and then how many bytes of all files were
	// read, as they lie on disk, and of how many.
	Progress func(done, total int64)
}

// Sink receives what a reader reads. What is said of an item or a user comes
// before the first interaction that names it. The same item, user or pair may
// come more than once; the sink decides. Methods are called from one goroutine.
type Sink interface {
	// Item, User and Interaction receive one row each. Their ids are valid: not
	// empty, UTF-8, without control or invisible characters, at most 200 bytes.
	// The review is "" where there is none. An error ends the reading and is
	// returned by it.
	Item(tasks.Item) error
	User(tasks.User) error
	Interaction(in graph.Interaction, review string) error

	// File is called when a file was read to its end, and tells how many of its
	// rows could not be used.
	File(File)
}

// Reason says why a row was dropped.
type Reason string

// Reasons for which a reader drops a row.
const (
	BadTime   Reason = "bad time"   // empty, unreadable, or outside of 1970 to 9999
	BadRating Reason = "bad rating" // not a number, negative or not finite
	BadID     Reason = "bad id"     // empty, over 200 bytes, or with control or invisible characters
)

// File is what was read of one input file.
type File struct {
	Name    string         `json:"name"`   // relative to the path that was read
	SHA256  string         `json:"sha256"` // of the bytes on disk, in hex
	Bytes   int64          `json:"bytes"`  // on disk
	Rows    int            `json:"rows"`   // rows read, header excluded
	Dropped map[Reason]int `json:"dropped,omitempty"`
	Notes   []string       `json:"notes,omitempty"` // how it was read, where there was a choice
}

// Error says where a file is not what its format promises.
type Error struct {
	File string
	Line int    // from 1; 0 where the file as a whole is meant
	Want string // what was expected
	Got  string // what was found
	Role string // the role for which no column was found; "" where it is something else
}

// ErrOptions says that the options do not fit the format, or are none.
var ErrOptions = errors.New("options")

// Error names file, line, what was expected and what was found.
func (e *Error) Error() string {
	where := e.File
	if e.Line > 0 {
		where = fmt.Sprintf("%s:%d", e.File, e.Line)
	}
	return fmt.Sprintf("%s: expected %s, found %s", where, e.Want, e.Got)
}

// Readers returns the readers of all formats, the most particular first: the
// order in which [Detect] asks them.
func Readers() []Reader {
	return []Reader{
		movieLens(), amazon2018(), amazon2023(), goodreads(), yelp(), agentSociety(), recBole(),
		parquetTable(), jsonTable(), csvTable(), tsvTable(),
	}
}

// Find returns the reader of a format by its name.
func Find(format string) (Reader, error) {
	var names []string
	for _, r := range Readers() {
		if r.Name == format {
			return r, nil
		}
		names = append(names, r.Name)
	}
	slices.Sort(names)
	return Reader{}, fmt.Errorf("unknown format %q: want auto or one of %s", format, strings.Join(names, ", "))
}

// Detect returns the first reader that recognises the file or directory, and
// why.
func Detect(path string) (reader Reader, why string, err error) {
	for _, r := range Readers() {
		if why := r.Detect(path); why != "" {
			return r, why, nil
		}
	}
	d, err := openFolder(path)
	if err != nil {
		return Reader{}, "", err
	}
	what := "an empty folder"
	if len(d.names) > 0 {
		what = "files named " + strings.Join(d.names, ", ")
	}
	if d.given != "" {
		what = "a file that begins with " + show(d.head(d.given))
	}
	return Reader{}, "", &Error{File: path, Want: "a known format (or its name in --format)", Got: shorten(what, 200)}
}
