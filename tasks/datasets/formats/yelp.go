package formats

import (
	"context"
	"strings"

	"github.com/mars-rec/mars/tasks"
)

// yelp reads the Yelp Open Dataset, JSON lines:
//
//	yelp_academic_dataset_business.json  {"business_id","name","city","state","categories":"A, B",...}
//	yelp_academic_dataset_user.json      {"user_id","name",...}
//	yelp_academic_dataset_review.json    {"user_id","business_id","stars","date":"2018-07-07 22:09:11","text",...}
//
// The stars and counts of businesses and users, fans, friends and is_open are
// left unread: they know the future. So are tips and check-ins.
func yelp() Reader {
	return Reader{
		Name:   "yelp",
		About:  "Yelp Open Dataset: yelp_academic_dataset_{business,user,review}.json",
		Detect: detectYelp,
		Read:   readYelp,
	}
}

const (
	yelpReviews    = "yelp_academic_dataset_review.json"
	yelpBusinesses = "yelp_academic_dataset_business.json"
	yelpUsers      = "yelp_academic_dataset_user.json"
)

var yelpKeys = []string{"user_id", "business_id", "stars", "date"}

type yelpBusiness struct {
	BusinessID  scalar `json:"business_id"`
	Name        scalar
	City, State scalar
	Categories  texts
}

func (b yelpBusiness) item() tasks.Item {
	return tasks.Item{
		ID: string(b.BusinessID), Title: string(b.Name),
		Categories: commaList(b.Categories), Text: place(b.City, b.State),
	}
}

type yelpUser struct {
	UserID scalar `json:"user_id"`
	Name   scalar
}

type yelpReview struct {
	UserID     scalar `json:"user_id"`
	BusinessID scalar `json:"business_id"`
	Stars      scalar
	Date       scalar
	Text       scalar
}

func (r yelpReview) event() event {
	return event{string(r.UserID), string(r.BusinessID), string(r.Stars), string(r.Date), string(r.Text)}
}

func detectYelp(path string) (bool, string) {
	d, err := openFolder(path)
	if err != nil || d.given != "" && d.given != yelpReviews || !hasKeys(d.keys(yelpReviews), yelpKeys...) {
		return false, ""
	}
	return true, "it has " + yelpReviews
}

func readYelp(ctx context.Context, path string, opts Options, sink Sink) error {
	if err := opts.only("yelp"); err != nil {
		return err
	}
	d, err := openFolder(path)
	if err != nil {
		return err
	}
	if !d.has(yelpReviews) || d.given != "" && d.given != yelpReviews {
		return d.missing(yelpReviews)
	}
	if !d.has(yelpBusinesses) {
		return d.lacks(yelpBusinesses)
	}
	f, err := d.feed(opts, sink, d.present(yelpBusinesses, yelpUsers, yelpReviews)...)
	if err != nil {
		return err
	}
	if err := f.read(ctx, d.files[yelpBusinesses], func(in *input) error {
		return jsonRows(ctx, in, []string{"business_id", "name"}, func(b yelpBusiness) error { return in.item(b.item()) })
	}); err != nil {
		return err
	}
	for _, name := range d.present(yelpUsers) {
		if err := f.read(ctx, name, func(in *input) error {
			return jsonRows(ctx, in, []string{"user_id"}, func(u yelpUser) error {
				return in.user(tasks.User{ID: string(u.UserID), Name: string(u.Name)})
			})
		}); err != nil {
			return err
		}
	}
	return f.read(ctx, d.files[yelpReviews], func(in *input) error {
		c := &clock{}
		return jsonRows(ctx, in, yelpKeys, func(r yelpReview) error { return in.interaction(r.event(), c) })
	})
}

// commaList splits names that are written as one text: "Bars, Coffee & Tea".
func commaList(names texts) []string {
	if len(names) == 1 {
		return strings.Split(names[0], ",")
	}
	return names
}

// place writes where a business is: "Tampa, FL".
func place(city, state scalar) string {
	return strings.Trim(string(city)+", "+string(state), ", ")
}
