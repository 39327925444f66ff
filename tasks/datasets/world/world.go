// Package world generates a world of books and their readers, as source files:
// the data of the demo and of tests that need thousands of users. Nothing of it
// is real.
//
//	genres ── authors ── books ── series      what there is; books come out as time goes on
//	              │         │
//	          circles    companions           whom and what some readers share
//	              └────┬────┘
//	                readers                   a circle each, most drift to a near one
//	                   │
//	       item.json  user.json  review.json
//
// What a recommender can learn from it, and what of the log tells it:
//
//   - readers of a circle share genres and authors: co-reading over the whole
//     history;
//   - tastes drift: the recent history says more than the distant one;
//   - volumes of a series are read in order, and every book has a few
//     companions to which its readers go on: the last books say most;
//   - popularity is skewed, and new books draw readers for half a year;
//   - stars follow taste, quality and the reader's mood, and reviews follow the
//     stars.
//
// Some users come late and have only a few books; some books come out so late
// that hardly anyone has them: both kinds of cold start occur.
//
// The files have the layout of the AgentSociety challenge (JSON lines), with
// names of authors, categories, year and description on the items. Users are
// written one at a time: memory grows with the number of books only.
package world

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/mars-rec/mars/tasks"
)

// Config of a world. The zero value is the demo's: 600 users, 800 books, about
// 20,000 interactions over six years from 2015 on, seed 0.
type Config struct {
	Seed         uint64
	Users        int       // 0: 600
	Items        int       // 0: 800
	Interactions int       // about so many; 0: 100 for every three users
	Start        time.Time // zero: 2015-01-01; whole seconds, UTC
	Years        int       // that the log lasts; 0: 6
}

func (c Config) withDefaults() (Config, error) {
	c.Users, c.Items, c.Years = cmp.Or(c.Users, 600), cmp.Or(c.Items, 800), cmp.Or(c.Years, 6)
	c.Interactions = cmp.Or(c.Interactions, c.Users*100/3)
	if c.Start.IsZero() {
		c.Start = time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if c.Users < 1 || c.Items < 1 || c.Interactions < 1 || c.Years < 1 || c.Years > 100 {
		return c, fmt.Errorf("world of %d users, %d items, %d interactions, %d years: want at least 1 of each, and at most 100 years",
			c.Users, c.Items, c.Interactions, c.Years)
	}
	if c.Interactions/c.Users > c.Items/2 {
		return c, fmt.Errorf("world: %d interactions for each of %d users: want at most half of the %d items", c.Interactions/c.Users, c.Users, c.Items)
	}
	c.Start = c.Start.UTC().Truncate(time.Second)
	return c, nil
}

// span is how long the log lasts.
func (c Config) span() time.Duration { return time.Duration(c.Years) * 365 * 24 * time.Hour }

// stream returns the random numbers of one part of the world.
func stream(seed uint64, part string) *rand.Rand {
	sum := sha256.Sum256(fmt.Appendf(nil, "mars world 1\x00%d\x00%s", seed, part))
	return rand.New(rand.NewPCG(binary.BigEndian.Uint64(sum[:8]), binary.BigEndian.Uint64(sum[8:16])))
}

// Summary counts what was written.
type Summary struct {
	Users, Items, Interactions int
}

// The rows of the three files.
type (
	itemRow struct {
		ItemID      string   `json:"item_id"`
		Title       string   `json:"title"`
		Authors     []string `json:"authors"`
		Categories  []string `json:"categories"`
		Year        int      `json:"publication_year"`
		Description string   `json:"description"`
		Source      string   `json:"source"`
		Type        string   `json:"type"`
	}
	userRow struct {
		UserID string `json:"user_id"`
		Name   string `json:"name"`
		Source string `json:"source"`
	}
	reviewRow struct {
		ReviewID string `json:"review_id"`
		UserID   string `json:"user_id"`
		ItemID   string `json:"item_id"`
		Stars    int    `json:"stars"`
		Text     string `json:"text"`
		Date     string `json:"date"` // 2006-01-02 15:04:05, UTC
		Source   string `json:"source"`
		Type     string `json:"type"`
	}
)

// source marks every row as made up.
const source = "mars-world"

// Write generates a world into item.json, user.json and review.json of a
// directory, which it makes if needed; files of these names are replaced. The
// same configuration gives the same bytes.
func Write(dir string, c Config) (Summary, error) {
	c, err := c.withDefaults()
	if err != nil {
		return Summary{}, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Summary{}, fmt.Errorf("world: %w", err)
	}
	lib := newLibrary(c)
	circles := newCircles(c, lib)
	s := Summary{Users: c.Users, Items: len(lib.books)}
	err = write(filepath.Join(dir, "item.json"), func(w io.Writer) error {
		for _, b := range lib.books {
			categories := []string{lib.genres[b.genre].name}
			if b.second >= 0 {
				categories = append(categories, lib.genres[b.second].name)
			}
			if err := tasks.WriteLine(w, itemRow{b.id, b.title, []string{lib.authors[b.author].name}, categories, b.year, b.text, source, "book"}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Summary{}, err
	}
	err = write(filepath.Join(dir, "user.json"), func(users io.Writer) error {
		return write(filepath.Join(dir, "review.json"), func(reviews io.Writer) error {
			for n := range c.Users {
				r := newReader(c, lib, circles, n)
				if err := r.write(users, reviews, lib); err != nil {
					return err
				}
				s.Interactions += len(r.reads)
			}
			return nil
		})
	})
	return s, err
}

// write puts a reader and their reads into the two files.
func (r reader) write(users, reviews io.Writer, lib *library) error {
	if err := tasks.WriteLine(users, userRow{r.id, r.name, source}); err != nil {
		return err
	}
	for n, read := range r.reads {
		row := reviewRow{fmt.Sprintf("%s-%d", r.id, n+1), r.id, lib.books[read.book].id, read.stars, read.text,
			time.Unix(read.time, 0).UTC().Format(time.DateTime), source, "book"}
		if err := tasks.WriteLine(reviews, row); err != nil {
			return err
		}
	}
	return nil
}

// write creates a file and fills it.
func write(path string, fill func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("world: %w", err)
	}
	w := bufio.NewWriterSize(f, 1<<16)
	if err := errors.Join(fill(w), w.Flush(), f.Close()); err != nil {
		return fmt.Errorf("world %s: %w", filepath.Base(path), err)
	}
	return nil
}
