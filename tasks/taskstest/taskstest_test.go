package taskstest_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/taskstest"
)

func TestSource(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0).UTC() }
	source := taskstest.New(
		[]tasks.Item{{ID: "a", Title: "The Dune"}, {ID: "b", Title: "Dune Messiah"}, {ID: "c", Title: "Dune again"}},
		nil,
		[]graph.Interaction{{User: "u", Item: "a", Time: 5}, {User: "v", Item: "b", Time: 9}, {User: "v", Item: "nowhere", Time: 1}},
		[]tasks.Review{{User: "u", Item: "a", Time: at(5), Text: "old"}, {User: "v", Item: "a", Time: at(8), Text: "new"}, {User: "v", Item: "a", Time: at(9), Text: "later"}},
	)
	view, err := source.View(tasks.Task{AsOf: at(9)})
	if err != nil {
		t.Fatal(err)
	}
	found, err := view.Search(t.Context(), "dune, THE!", 10)
	if err != nil || len(found) != 1 || found[0].ID != "a" {
		t.Errorf("search: got %v, %v: only a has an event before the moment", found, err)
	}
	reviews, err := view.Reviews(t.Context(), "", "a", 1)
	if err != nil || len(reviews) != 1 || reviews[0].Text != "new" {
		t.Errorf("reviews: got %v, %v", reviews, err)
	}
	if item, err := view.Item(t.Context(), "nowhere"); err != nil || item.Title != "nowhere" {
		t.Errorf("item without a record: got %v, %v", item, err)
	}
}

func TestOtherFuture(t *testing.T) {
	source, task := taskstest.Library()
	if err := task.Check(); err != nil {
		t.Fatal(err)
	}
	other := source.OtherFuture(task.AsOf)
	log := func(s *taskstest.Source, at time.Time) map[[2]string]graph.Event {
		cut := s.Graph().At(at)
		events := map[[2]string]graph.Event{}
		for u := range cut.AllUsers() {
			for _, e := range cut.History(u) {
				pair := [2]string{cut.UserID(u), cut.ItemID(e.Item)}
				e.User, e.Item = 0, 0
				events[pair] = e
			}
		}
		return events
	}
	if one, two := log(source, task.AsOf), log(other, task.AsOf); len(one) < 100 || !reflect.DeepEqual(one, two) {
		t.Errorf("the pasts differ, or are small: %d and %d events", len(one), len(two))
	}
	end := task.AsOf.AddDate(10, 0, 0)
	if one, two := log(source, end), log(other, end); reflect.DeepEqual(one, two) {
		t.Error("the futures are the same")
	}
	second := task.AsOf.Add(time.Second)
	if one, two := log(source, second), log(other, second); len(one) >= len(two) {
		t.Errorf("nothing new happens at the moment itself: %d and %d events", len(one), len(two))
	}
}
