package overview_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/overview"
	"github.com/mars-rec/mars/trajectories/store"
)

var began = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// batch is a store that is written to, and a follower that reads it.
type batch struct {
	*testing.T
	st  *store.Store
	f   *overview.Follower
	now time.Time
}

func open(t *testing.T, window int) *batch {
	t.Helper()
	path := filepath.Join(t.TempDir(), "run.db")
	b := &batch{T: t, now: began}
	var err error
	if b.st, err = store.Open(t.Context(), path, store.Config{Manifest: &trajectories.Manifest{}, Step: true}); err != nil {
		t.Fatal(err)
	}
	reader, err := store.Open(t.Context(), path, store.Config{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { err = errors.Join(reader.Close(), b.st.Close()) })
	b.f = overview.New(reader, overview.Config{Window: window, Clock: func() time.Time { return b.now }})
	return b
}

func task(id string) tasks.Task {
	return tasks.Task{ID: id, Dataset: "d", User: "u", Scenario: "classic", AsOf: began, Candidates: []string{"a", "b"}}
}

// begin begins a run that has made one call of a model and one of a tool by the
// second given.
func (b *batch) begin(id string, second float64, took time.Duration) *store.Run {
	b.Helper()
	r, err := b.st.Begin(b.Context(), task(id))
	if err != nil {
		b.Fatal(err)
	}
	at := began.Add(time.Duration(second * float64(time.Second)))
	add := func(id message.ID, body message.Body, meta message.Meta) {
		b.Helper()
		text, err := message.Marshal(body)
		if err != nil {
			b.Fatal(err)
		}
		meta.Digest = "d"
		if err := r.Append(b.Context(), message.Envelope{ID: id, From: "planner", Kind: body.Kind(), Body: text, Meta: meta}); err != nil {
			b.Fatal(err)
		}
	}
	add("1.1.1", model.Output{Message: model.Message{Role: model.Assistant, Content: id}}, message.Meta{Model: "m", Time: at, Duration: took, Attempts: 3, Usage: &message.Usage{InputTokens: 100, OutputTokens: 10}})
	add("1.1.2", tools.Result{Tool: "item_cf", Error: "no"}, message.Meta{Time: at.Add(time.Millisecond), Duration: time.Millisecond})
	return r
}

func (b *batch) look() overview.Overview {
	b.Helper()
	o, err := b.f.Look(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return o
}

// TestLook follows a batch from before its first run to after its last.
func TestLook(t *testing.T) {
	b := open(t, 100)
	if o := b.look(); o.Total != 0 || !o.Ended() || o.PerMinute != 0 {
		t.Errorf("an empty store: %+v", o)
	}
	var planned []tasks.Task
	for i := range 10 {
		planned = append(planned, task(fmt.Sprint("t", i)))
	}
	if err := b.st.Add(t.Context(), planned...); err != nil {
		t.Fatal(err)
	}
	for i := range 4 { // one each second
		if err := b.begin(fmt.Sprint("t", i), float64(i), time.Duration(i+1)*time.Second).Seal(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.begin("t4", 4, time.Second).Fail(t.Context(), errors.New("planner: generate 1.1.3: status 429: wait 17 s")); err != nil {
		t.Fatal(err)
	}
	if err := b.begin("t5", 5, time.Second).Fail(t.Context(), errors.New("planner: generate 1.1.7: status 429: wait 23 s")); err != nil {
		t.Fatal(err)
	}
	slow := b.begin("t6", 3, 2*time.Second)
	b.now = began.Add(6 * time.Second)
	o := b.look()
	if o.Total != 10 || o.Done != 4 || o.Failed != 2 || o.Running != 1 || o.Pending != 3 || o.Calls != 6 || o.Tools != 6 || o.Usage.InputTokens != 600 {
		t.Errorf("counts: %+v", o)
	}
	if r := o.Roles[0]; len(o.Roles) != 1 || r.Name != "planner" || r.Calls != 6 || r.Retries != 12 || r.Median != time.Second || r.High != 4*time.Second || r.Usage.OutputTokens != 60 {
		t.Errorf("roles: %+v", o.Roles)
	}
	if r := o.ToolRows[0]; r.Name != "item_cf" || r.Refused != 6 || o.Models[0].Name != "m" {
		t.Errorf("tools: %+v, models: %+v", o.ToolRows, o.Models)
	}
	if len(o.Failures) != 1 || o.Failures[0].Runs != 2 || o.Failures[0].Class != "429" || strings.ContainsAny(o.Failures[0].Cause, "0123456789") {
		t.Errorf("failures: %+v", o.Failures)
	}
	if len(o.AtWork) != 1 || o.AtWork[0].Run != "t6" || !o.AtWork[0].Since.Equal(began.Add(time.Second)) || o.AtWork[0].Path != "1.1.2" {
		t.Errorf("at work: %+v", o.AtWork)
	}
	// Five more after the first in the six seconds until now; four are left.
	if o.PerMinute < 49 || o.PerMinute > 51 || o.Left < 4700*time.Millisecond || o.Left > 4900*time.Millisecond {
		t.Errorf("pace %f, left %s", o.PerMinute, o.Left)
	}
	if err := slow.Seal(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	again := b.begin("t4", 7, time.Second)                          // tried once more
	if err := b.st.Add(t.Context(), task("one more")); err != nil { // what was queued before is then written too
		t.Fatal(err)
	}
	if o = b.look(); o.Total != 11 || o.Done != 5 || o.Failed != 1 || o.Running != 1 || o.Window != 6 || len(o.AtWork) != 1 || o.AtWork[0].Run != "t4" {
		t.Errorf("after more: %+v", o)
	}
	if err := again.Seal(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if o = b.look(); o.Done != 6 || o.Failed != 1 || o.Failures[0].Runs != 1 {
		t.Errorf("after the last: %+v", o)
	}
	b.now = b.now.Add(time.Hour)
	if o = b.look(); o.Left != 0 || o.PerMinute == 0 {
		t.Errorf("of a store that nobody writes to: %s left at %f", o.Left, o.PerMinute)
	}
}

// TestWindow: rows are of the runs that ended last, whenever the follower came.
func TestWindow(t *testing.T) {
	b := open(t, 3)
	for i := range 8 {
		if err := b.begin(fmt.Sprint("t", i), float64(i), time.Duration(i+1)*time.Second).Seal(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
	}
	o := b.look()
	if o.Done != 8 || o.Window != 3 || o.Roles[0].Calls != 3 || o.Roles[0].Median != 7*time.Second {
		t.Errorf("%+v", o)
	}
	if err := b.begin("t8", 8, time.Minute).Seal(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	if o = b.look(); o.Window != 3 || o.Roles[0].Median != 8*time.Second || o.Roles[0].High != time.Minute {
		t.Errorf("%+v", o)
	}
}
