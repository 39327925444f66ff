package audit

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/taskstest"
)

// TestPastHasNoFuture: whatever the past is asked, also as of a later moment, it
// tells what the whole data set tells as of its own.
func TestPastHasNoFuture(t *testing.T) {
	data, task := taskstest.Library()
	ctx := context.Background()
	for _, shift := range []time.Duration{0, time.Second, 500 * time.Millisecond, 24 * time.Hour} {
		at := task.AsOf.Add(shift)
		before := newTimeline(data).past(at)
		at = at.Truncate(time.Second)
		want := data.Graph().At(at)
		if g, err := before.build(); err != nil || g.Interactions() != want.Interactions() || !g.End().Before(at.Add(time.Second)) {
			t.Fatalf("%s: %v, a past until %s of %d interactions, want %d", at, err, g.End(), g.Interactions(), want.Interactions())
		}
		later := task
		later.AsOf = at.AddDate(10, 0, 0)
		view, err := before.View(later)
		if err != nil {
			t.Fatal(err)
		}
		cut := view.Cut()
		if cut.Users() != want.Users() || cut.Items() != want.Items() {
			t.Errorf("%s: %d users and %d items, want %d and %d", at, cut.Users(), cut.Items(), want.Users(), want.Items())
		}
		for i := range want.AllItems() {
			id := want.ItemID(i)
			n, ok := cut.Item(id)
			if !ok || cut.ItemDegree(n) != want.ItemDegree(i) {
				t.Errorf("%s: item %s has another degree", at, id)
			}
			reviews, err := view.Reviews(ctx, "", id, 0)
			if err != nil {
				t.Fatal(err)
			}
			if slices.ContainsFunc(reviews, func(r tasks.Review) bool { return !r.Time.Before(at) }) {
				t.Errorf("%s: item %s has a later review", at, id)
			}
		}
	}
}

// TestRoots: of what differs, what follows from something else is not told.
func TestRoots(t *testing.T) {
	e := func(id message.ID, body string, refs ...message.ID) message.Envelope {
		return message.Envelope{ID: id, Kind: "note", Body: []byte(body), Refs: refs}
	}
	then := []message.Envelope{e("1", `1`), e("1.1", `1`, "1"), e("1.1.1", `1`), e("1.1.2", `1`), e("1.1.3", `1`, "1.1.2"), e("1.2", `1`), e("1.2.1", `1`), e("1.3", `1`, "1.1.3")}
	for _, c := range []struct {
		name string
		now  []message.Envelope
		want []message.ID
	}{
		{"nothing", then, nil},
		{"a chain", []message.Envelope{e("1", `1`), e("1.1", `1`, "1"), e("1.1.1", `1`), e("1.1.2", `2`), e("1.1.3", `2`, "1.1.2"), e("1.2", `1`), e("1.2.1", `1`), e("1.3", `2`, "1.1.3")}, []message.ID{"1.1.2"}},
		{"two turns", []message.Envelope{e("1", `1`), e("1.1", `1`, "1"), e("1.1.1", `2`), e("1.1.2", `1`), e("1.1.3", `2`, "1.1.2"), e("1.2", `1`), e("1.2.1", `2`), e("1.3", `2`, "1.1.3")}, []message.ID{"1.1.1", "1.2.1"}},
		{"missing", then[:6], []message.ID{"1.2.1", "1.3"}},
		{"more", append(slices.Clone(then), e("1.4", `1`)), []message.ID{"1.4"}},
	} {
		var got []message.ID
		for _, d := range roots(differences(then, c.now)) {
			got = append(got, d.id)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestOrderedKeepsTheOrderAndStops(t *testing.T) {
	items := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	var got []int
	err := ordered(t.Context(), 3, items, func(_ context.Context, n int) (int, error) { return n * n, nil },
		func(n, square int) error {
			if square != n*n {
				t.Errorf("%d came with %d", n, square)
			}
			got = append(got, n)
			return nil
		})
	if err != nil || !slices.Equal(got, items) {
		t.Errorf("%v: %v", err, got)
	}
	err = ordered(t.Context(), 3, items, func(ctx context.Context, n int) (int, error) {
		if n == 4 {
			return 0, context.DeadlineExceeded
		}
		return n, nil
	}, func(n, _ int) error {
		if n > 3 {
			t.Errorf("%d was taken after the error", n)
		}
		return nil
	})
	if err != context.DeadlineExceeded {
		t.Errorf("%v", err)
	}
}

func TestMoreFindingsThanKept(t *testing.T) {
	b := Config{Most: 2}.open("x", "tasks", checkForm, checkText)
	for range 5 {
		b.add(Finding{Check: checkText, Severity: Warning})
	}
	b.add(Finding{Check: checkForm, Severity: Error})
	r := b.close()
	if r.Pass || len(r.Findings) != 3 || r.Left() != 3 || r.Findings[0].Check != checkForm || r.Warnings() != 5 {
		t.Errorf("%+v", r)
	}
}
