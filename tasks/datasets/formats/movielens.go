package formats

import (
	"context"
	"fmt"
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
	return layout{
		name:  "movielens",
		about: "MovieLens: 100k (u.data), 1M and 10M (ratings.dat), 20M and latest (ratings.csv)",
		detect: func(d folder) string {
			g, ok := findMovieLens(d)
			if !ok || !g.like(d.head(g.ratings)) {
				return ""
			}
			return "it has " + g.ratings + " as MovieLens has it"
		},
		parts: func(d folder, _ Options) ([]part, error) {
			g, ok := findMovieLens(d)
			if !ok {
				return nil, d.missing("u.data, ratings.dat or ratings.csv")
			}
			needed := []string{g.movies}
			if g.genres != "" {
				needed = append(needed, g.genres)
			}
			if !d.has(needed...) {
				return nil, d.lacks(strings.Join(needed, " and ") + " beside " + g.ratings)
			}
			return g.parts(), nil
		},
	}.reader()
}

// movieLensGeneration is how MovieLens was written at a time.
type movieLensGeneration struct {
	ratings, movies, users, genres string  // plain names; "" where there is none
	rows, about                    dialect // of ratings, and of the other files
	header, latin1                 bool
}

func movieLensGenerations() []movieLensGeneration {
	comma, colons, tab, bar := dialect{sep: ",", quoted: true}, dialect{sep: "::"}, dialect{sep: "\t"}, dialect{sep: "|"}
	return []movieLensGeneration{
		{ratings: "ratings.csv", movies: "movies.csv", rows: comma, about: comma, header: true},
		{ratings: "ratings.dat", movies: "movies.dat", users: "users.dat", rows: colons, about: colons, latin1: true},
		{ratings: "u.data", movies: "u.item", users: "u.user", genres: "u.genre", rows: tab, about: bar, latin1: true},
	}
}

func findMovieLens(d folder) (movieLensGeneration, bool) {
	for _, g := range movieLensGenerations() {
		if d.has(g.ratings) && (d.given == "" || d.given == g.ratings) {
			return g, true
		}
	}
	return movieLensGeneration{}, false
}

// like reports whether a file of ratings may begin with this line.
func (g movieLensGeneration) like(head string) bool {
	if g.header {
		return strings.HasPrefix(head, "userId,movieId,rating")
	}
	return strings.Count(head, g.rows.sep) == 3
}

func (g movieLensGeneration) parts() []part {
	var genres []string // known when the part before the movies is read
	return []part{
		{name: g.genres, read: func(ctx context.Context, in *input) (err error) {
			genres, err = readGenres(ctx, in)
			return err
		}},
		{name: g.movies, latin1: g.latin1, read: func(ctx context.Context, in *input) error { return g.readMovies(ctx, in, genres) }},
		{name: g.users, latin1: g.latin1, read: g.readUsers},
		{name: g.ratings, clock: clock{unit: 1}, read: g.readRatings},
	}
}

// open opens a table of which some columns are needed.
func (g movieLensGeneration) open(in *input, d dialect, need []string, columns ...string) (*textTable, error) {
	if !g.header {
		d.columns = columns
	}
	t, err := openText(in, d)
	if err != nil {
		return nil, err
	}
	return t, t.need(need...)
}

func readGenres(ctx context.Context, in *input) (names []string, err error) {
	t, err := openText(in, dialect{sep: "|", columns: []string{"genre", "number"}})
	if err != nil {
		return nil, err
	}
	err = each(ctx, t, func() error {
		if want := fmt.Sprint(len(names)); t.value("number") != want {
			return in.failRow("genre number "+want, show(t.value("number")))
		}
		names = append(names, t.value("genre"))
		return nil
	})
	return names, err
}

// readMovies reads movies, whose genres are a list or else one flag each.
func (g movieLensGeneration) readMovies(ctx context.Context, in *input, genres []string) error {
	need := []string{"movieId", "title", "genres"}
	columns := need
	if g.genres != "" {
		need = need[:2]
		columns = append([]string{"movieId", "title", "date", "video date", "url"}, genres...)
	}
	t, err := g.open(in, g.about, need, columns...)
	if err != nil {
		return err
	}
	return each(ctx, t, func() error {
		item := tasks.Item{ID: t.value("movieId"), Title: t.value("title"), Year: titleYear(t.value("title"))}
		if g.genres == "" {
			item.Categories = movieGenres(strings.Split(t.value("genres"), "|"))
			return in.item(item)
		}
		item.Categories = movieGenres(flagged(genres, t.row[5:]))
		if item.Year == 0 {
			item.Year = parseYear(strings.ReplaceAll(t.value("date"), "-", " ")) // 01-Jan-1995
		}
		return in.item(item)
	})
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

func (g movieLensGeneration) readUsers(ctx context.Context, in *input) error {
	t, err := g.open(in, g.about, nil, "userId", "age or sex", "sex or age", "occupation", "zip")
	if err != nil {
		return err
	}
	return each(ctx, t, func() error { return in.user(tasks.User{ID: t.value("userId")}) })
}

func (g movieLensGeneration) readRatings(ctx context.Context, in *input) error {
	columns := []string{"userId", "movieId", "rating", "timestamp"}
	t, err := g.open(in, g.rows, columns, columns...)
	if err != nil {
		return err
	}
	return each(ctx, t, func() error {
		return in.interaction(event{
			user: t.value("userId"), item: t.value("movieId"), rating: t.value("rating"), time: t.value("timestamp"),
		})
	})
}
