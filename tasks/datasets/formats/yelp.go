package formats

import (
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
	return layout{
		name:  "yelp",
		about: "Yelp Open Dataset: yelp_academic_dataset_{business,user,review}.json",
		detect: func(d folder) string {
			if d.given != "" && d.given != yelpReviews || !hasKeys(d.keys(yelpReviews), yelpKeys...) {
				return ""
			}
			return "it has " + yelpReviews
		},
		parts: func(d folder, _ Options) ([]part, error) {
			if !d.has(yelpReviews) || d.given != "" && d.given != yelpReviews {
				return nil, d.missing(yelpReviews)
			}
			if !d.has(yelpBusinesses) {
				return nil, d.lacks(yelpBusinesses)
			}
			return []part{
				{name: yelpBusinesses, read: jsonItems[yelpBusiness]("business_id", "name")},
				{name: yelpUsers, read: jsonUsers()},
				{name: yelpReviews, read: jsonEvents[yelpReview](yelpKeys...)},
			}, nil
		},
	}.reader()
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
