package rank

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mars-rec/mars/graph"
)

// Signals returns the names of all signals, in the order of their features.
func Signals() []string {
	return []string{ItemCF, ItemCFRecent, ItemCFLast, UserCF, Popularity, PopularityRecent, Category, Year}
}

// WindowSignal returns the name of Item-CF over the last n items of a history:
// item_cf for all of it (0), item_cf_recent for ten, item_cf_last for three,
// item_cf_last_<n> for others.
func WindowSignal(last int) string {
	switch last {
	case 0:
		return ItemCF
	case 10:
		return ItemCFRecent
	case 3:
		return ItemCFLast
	}
	return ItemCFLast + "_" + strconv.Itoa(last)
}

// CircleSignal returns the name of User-CF among the n nearest users: user_cf
// for the usual fifty (also written 0), user_cf_<n> for others. Another circle
// is another measurement.
func CircleSignal(n int) string {
	if n == 0 || n == usualCircle {
		return UserCF
	}
	return UserCF + "_" + strconv.Itoa(n)
}

// usualCircle is the number of neighbours of a [graph.UserQuery] that names none.
const usualCircle = 50

// Score computes a signal by its name, in its standard definition. Besides the
// names of [Signals] it knows item_cf_last_<n>, Item-CF over the last n items,
// user_cf_<n>, User-CF among the n nearest users, and popularity_recent_<n>, the popularity of the last n days. Attributes may
// be nil if the signal is none of [Category] and [Year]. An unknown name is an
// error.
func Score(signal string, cut *graph.Cut, user string, items []string, attributes Attributes) ([]float64, error) {
	switch signal {
	case ItemCF:
		return ScoreItemCF(cut, user, items, ItemCFQuery{}), nil
	case ItemCFRecent:
		return ScoreItemCF(cut, user, items, ItemCFQuery{Last: 10}), nil
	case ItemCFLast:
		return ScoreItemCF(cut, user, items, ItemCFQuery{Last: 3}), nil
	case UserCF:
		return ScoreUserCF(cut, user, items, graph.UserQuery{}), nil
	case Popularity:
		return ScorePopularity(cut, items), nil
	case PopularityRecent:
		return ScorePopularityRecent(cut, items, 0), nil
	}
	if signal == Category || signal == Year {
		if attributes == nil {
			return nil, fmt.Errorf("signal %s needs the catalog's attributes", signal)
		}
		if signal == Category {
			return ScoreCategory(cut, user, items, attributes), nil
		}
		return ScoreYear(cut, user, items, attributes), nil
	}
	if n, ok := number(signal, ItemCFLast+"_"); ok && WindowSignal(n) == signal {
		return ScoreItemCF(cut, user, items, ItemCFQuery{Last: n}), nil
	}
	if n, ok := number(signal, UserCF+"_"); ok && CircleSignal(n) == signal {
		return ScoreUserCF(cut, user, items, graph.UserQuery{Neighbours: n}), nil
	}
	if n, ok := number(signal, PopularityRecent+"_"); ok && n <= maxDays {
		return ScorePopularityRecent(cut, items, time.Duration(n)*24*time.Hour), nil
	}
	return nil, fmt.Errorf("unknown signal %q: there are %s", signal, strings.Join(Signals(), ", "))
}

// maxDays bounds a window of days, so that it is a time.Duration.
const maxDays = 100_000

// number reads the positive number after a prefix.
func number(name, prefix string) (int, bool) {
	tail, ok := strings.CutPrefix(name, prefix)
	if !ok {
		return 0, false
	}
	n, err := strconv.Atoi(tail)
	return n, err == nil && n > 0 && strconv.Itoa(n) == tail
}
