package formats

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/mars-rec/mars/tasks"
)

// movieLens reads the data sets of GroupLens in their three generations:
//
//	100k      u.data    user <tab> item <tab> rating <tab> time
//	          u.item    id|title (year)|date|video date|url|one 0 or 1 a genre
//	          u.genre   name|number            u.user    id|age|sex|job|zip
//	1M, 10M   ratings.dat   user::movie::rating::time
//	          movies.dat    id::title (year)::genre|genre    users.dat
//	latest    ratings.csv   userId,movieId,rating,timestamp
//	          movies.csv    movieId,title,genres
//
// The older ones are in ISO-8859-1, the newer in UTF-8. Tags and links are left
// unread.
func movieLens() Reader {
	return Reader{
		Name:   "movielens",
		About:  "MovieLens: 100k (u.data), 1M and 10M (ratings.dat), 20M and latest (ratings.csv)",
		Detect: detectMovieLens,
		Read:   readMovieLens,
	}
}

// movieLensKind is a generation of MovieLens: its files and how to read them.
type movieLensKind struct {
	ratings, movies, users string // plain names
	more                   []string
	sep                    string
	quoted, old            bool
	columns                []string // of ratings; nil: in a header
}

var movieLensKinds = []movieLensKind{
	{ratings: "ratings.csv", movies: "movies.csv", sep: ",", quoted: true},
	{ratings: "ratings.dat", movies: "movies.dat", users: "users.dat", sep: "::", old: true, columns: []string{"userId", "movieId", "rating", "timestamp"}},
	{ratings: "u.data", movies: "u.item", users: "u.user", more: []string{"u.genre"}, sep: "\t", old: true, columns: []string{"userId", "movieId", "rating", "timestamp"}},
}

func findMovieLens(d folder) (movieLensKind, bool) {
	for _, k := range movieLensKinds {
		if d.has(k.ratings) && (d.given == "" || d.given == k.ratings) {
			return k, true
		}
	}
	return movieLensKind{}, false
}

func detectMovieLens(path string) (bool, string) {
	d, err := openFolder(path)
	if err != nil {
		return false, ""
	}
	k, ok := findMovieLens(d)
	if !ok {
		return false, ""
	}
	head := d.head(k.ratings)
	if k.columns == nil && !strings.HasPrefix(head, "userId,movieId,rating") ||
		k.columns != nil && strings.Count(head, k.sep) != 3 {
		return false, ""
	}
	return true, "it has " + k.ratings + " as MovieLens has it"
}

func readMovieLens(ctx context.Context, path string, opts Options, sink Sink) error {
	if err := opts.only("movielens"); err != nil {
		return err
	}
	d, err := openFolder(path)
	if err != nil {
		return err
	}
	k, ok := findMovieLens(d)
	if !ok {
		return d.missing("u.data, ratings.dat or ratings.csv")
	}
	needed := append([]string{k.movies}, k.more...)
	if !d.has(needed...) {
		return d.lacks(strings.Join(needed, " and ") + " beside " + k.ratings)
	}
	f, err := d.feed(opts, sink, d.present(append(needed, k.ratings, k.users)...)...)
	if err != nil {
		return err
	}

	var genres []string
	for _, name := range d.present(k.more...) {
		if err := f.read(ctx, name, func(in *input) error {
			genres, err = readGenres(ctx, in)
			return err
		}); err != nil {
			return err
		}
	}
	if err := f.read(ctx, d.files[k.movies], func(in *input) error { return k.readMovies(ctx, in, genres) }); err != nil {
		return err
	}
	for _, name := range d.present(k.users) {
		if err := f.read(ctx, name, func(in *input) error { return k.readUsers(ctx, in) }); err != nil {
			return err
		}
	}
	return f.read(ctx, d.files[k.ratings], func(in *input) error { return k.readRatings(ctx, in) })
}

func readGenres(ctx context.Context, in *input) (names []string, err error) {
	d := &delimited{in: in, sep: "|", columns: []string{"genre", "number"}}
	for {
		row, err := d.next(ctx)
		if err == io.EOF {
			return names, nil
		}
		if err != nil {
			return nil, err
		}
		if want := fmt.Sprint(len(names)); row[1] != want {
			return nil, in.failRow("genre number "+want, show(row[1]))
		}
		names = append(names, row[0])
	}
}

func (k movieLensKind) readMovies(ctx context.Context, in *input, genres []string) error {
	in.old = k.old
	d := &delimited{in: in, sep: k.sep, quoted: k.quoted, columns: []string{"movieId", "title", "genres"}}
	switch {
	case len(k.more) > 0:
		d.sep = "|"
		d.columns = append([]string{"movieId", "title", "date", "video date", "url"}, genres...)
	case k.columns == nil:
		if err := d.header(ctx); err != nil {
			return err
		}
	}
	at, err := d.index("movieId", "title")
	if err != nil {
		return err
	}
	list := -1
	if len(k.more) == 0 {
		i, err := d.index("genres")
		if err != nil {
			return err
		}
		list = i[0]
	}
	for {
		row, err := d.next(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		item := tasks.Item{ID: row[at[0]], Title: row[at[1]], Year: titleYear(row[at[1]])}
		if list >= 0 {
			item.Categories = movieGenres(strings.Split(row[list], "|"))
		} else {
			item.Categories = movieGenres(flagged(genres, row[5:]))
			if item.Year == 0 {
				item.Year = parseYear(strings.ReplaceAll(row[2], "-", " ")) // 01-Jan-1995
			}
		}
		if err := in.item(item); err != nil {
			return err
		}
	}
}

// flagged returns the names whose flag is 1.
func flagged(names, flags []string) []string {
	var on []string
	for i, name := range names {
		if flags[i] == "1" {
			on = append(on, name)
		}
	}
	return on
}

// movieGenres leaves out what MovieLens writes where there is no genre.
func movieGenres(names []string) []string {
	if len(names) == 1 && (names[0] == "(no genres listed)" || names[0] == "unknown") {
		return nil
	}
	return names
}

// titleYear returns the year, or the first of a span of years, at the end of a
// title: "Toy Story (1995)", "Rome (2005-2007)"; 0 if there is none. It stays in
// the title, where it tells a film from its remake.
func titleYear(title string) int {
	open := strings.LastIndex(title, "(")
	span, closed := strings.CutSuffix(strings.TrimSpace(title[open+1:]), ")")
	if open < 0 || !closed || len(span) < 4 || inWord(span, 4) || strings.Trim(span, "0123456789 -–") != "" {
		return 0
	}
	return parseYear(span[:4])
}

func (k movieLensKind) readUsers(ctx context.Context, in *input) error {
	in.old = k.old
	d := &delimited{in: in, sep: k.sep, columns: []string{"userId", "age or sex", "sex or age", "occupation", "zip"}}
	if len(k.more) > 0 {
		d.sep = "|"
	}
	for {
		row, err := d.next(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := in.user(tasks.User{ID: row[0]}); err != nil {
			return err
		}
	}
}

func (k movieLensKind) readRatings(ctx context.Context, in *input) error {
	d := &delimited{in: in, sep: k.sep, quoted: k.quoted, columns: k.columns}
	if d.columns == nil {
		if err := d.header(ctx); err != nil {
			return err
		}
	}
	at, err := d.index("userId", "movieId", "rating", "timestamp")
	if err != nil {
		return err
	}
	c := &clock{unit: 1}
	for {
		row, err := d.next(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		e := event{user: row[at[0]], item: row[at[1]], rating: row[at[2]], time: row[at[3]]}
		if err := in.interaction(e, c); err != nil {
			return err
		}
	}
}
