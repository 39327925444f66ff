package service_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/internal/guard"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/builtin"
	"github.com/mars-rec/mars/model/modeltest"
	"github.com/mars-rec/mars/star"
	"github.com/mars-rec/mars/star/client"
	"github.com/mars-rec/mars/star/service"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/taskstest"
	"github.com/mars-rec/mars/tools/catalog"
	"github.com/mars-rec/mars/tools/cf"
	"github.com/mars-rec/mars/trajectories"
)

// student is the rule-based one, or one with a model of the test's.
func student(m model.Model) service.Recommender {
	s := star.Student{Model: m, Name: "m", Tools: slices.Concat(cf.Tools(cf.Config{}), catalog.Tools(catalog.Config{})),
		Config: star.Config{Form: trajectories.Form{Roles: []string{"divergence", "historical", "profile", "recent"}}}}
	return func(ctx context.Context, v tasks.View, hear func(model.Chunk)) (star.Answer, error) {
		s := s
		s.OnChunk = hear
		return s.Recommend(ctx, v)
	}
}

// config is a service over the library.
func config() (service.Config, tasks.Task) {
	source, task := taskstest.Library()
	return service.Config{
		Data:    service.Data{Name: task.Dataset, Graph: source.Graph(), Catalog: source.Catalog()},
		Student: student(builtin.New(builtin.Config{})), Model: "rules",
		Clock: func() time.Time { return task.AsOf },
	}, task
}

func serve(t *testing.T, cfg service.Config) *httptest.Server {
	t.Helper()
	h, err := service.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func request(task tasks.Task) client.Request {
	return client.Request{ID: task.ID, User: task.User, AsOf: &task.AsOf, Candidates: task.Candidates}
}

// TestTheServiceSaysWhatTheStudentSays: behind HTTP the student gives the
// ranking that it gives directly, and its reasons.
func TestTheServiceSaysWhatTheStudentSays(t *testing.T) {
	cfg, task := config()
	source, _ := taskstest.Library()
	view, err := source.View(task)
	if err != nil {
		t.Fatal(err)
	}
	want, err := cfg.Student(t.Context(), view, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := request(task)
	r.Explain = true
	got, err := client.New(serve(t, cfg).URL, client.Config{}).Recommend(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if got.By != client.ByStudent || !slices.Equal(got.Ranking, want.Ranking) || len(got.Items) != len(task.Candidates) || got.Calls != 2 || got.ToolCalls == 0 {
		t.Errorf("%+v, want the ranking %v", got, want.Ranking)
	}
	if e := got.Explanation; e == nil || e.Plan == "" || len(e.Analyses) != 4 || len(e.Reflections) != 1 || len(e.Evidence) < 4 || e.Labels["c01"] != task.Candidates[0] {
		t.Errorf("explained: %+v", got.Explanation)
	}
	r.N, r.Explain = 3, false
	if got, err = client.New(serve(t, cfg).URL, client.Config{}).Recommend(t.Context(), r); err != nil || !slices.Equal(got.Ranking, want.Ranking[:3]) || got.Explanation != nil {
		t.Errorf("the first three: %+v, %v", got, err)
	}
}

// TestAHistoryIsAUser: a visitor with the history of a user is told what the
// user is told; the request leaves nothing behind.
func TestAHistoryIsAUser(t *testing.T) {
	cfg, task := config()
	c := client.New(serve(t, cfg).URL, client.Config{})
	cut := cfg.Data.Graph.At(task.AsOf)
	u, _ := cut.User(task.User)
	var history []client.Event
	for _, e := range cut.History(u) {
		history = append(history, client.Event{Item: cut.ItemID(e.Item), Time: e.Time, Rating: e.Rating})
	}
	before := cfg.Data.Graph.Interactions()
	r := request(task)
	r.Explain = true
	r.User, r.History = "", history
	got, err := c.Recommend(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	// The same by the library: a graph that has the visitor from the start.
	var log []graph.Interaction
	for _, e := range history {
		log = append(log, graph.Interaction{User: "visitor", Item: e.Item, Time: e.Time.Unix(), Rating: e.Rating})
	}
	with, err := cfg.Data.Graph.With(log)
	if err != nil {
		t.Fatal(err)
	}
	task.User = "visitor"
	view, err := tasks.NewView(task, with.At(task.AsOf), cfg.Data.Catalog)
	if err != nil {
		t.Fatal(err)
	}
	want, err := cfg.Student(t.Context(), view, nil)
	if err != nil || !slices.Equal(got.Ranking, want.Ranking) {
		t.Errorf("ranked %v, want %v, %v", got.Ranking, want.Ranking, err)
	}
	if cfg.Data.Graph.Interactions() != before {
		t.Error("the request has changed the graph")
	}
	if _, ok := cfg.Data.Graph.At(cfg.Data.Graph.End()).User("visitor"); ok {
		t.Error("the visitor has stayed")
	}
}

// TestNothingOfTheFutureIsServed: what happens at or after the moment changes
// no answer, found candidates included.
func TestNothingOfTheFutureIsServed(t *testing.T) {
	cfg, task := config()
	other := cfg
	source, _ := taskstest.Library()
	changed := source.OtherFuture(task.AsOf)
	other.Data.Graph, other.Data.Catalog = changed.Graph(), changed.Catalog()
	for _, r := range []client.Request{request(task), {ID: "x", User: task.User, AsOf: &task.AsOf, Explain: true}} {
		a, err := client.New(serve(t, cfg).URL, client.Config{}).Recommend(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		b, err := client.New(serve(t, other).URL, client.Config{}).Recommend(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		a.Milliseconds, b.Milliseconds = 0, 0
		x, y := encode(t, a), encode(t, b)
		if !bytes.Equal(x, y) {
			t.Errorf("another future, another answer:\n%s\n%s", x, y)
		}
	}
}

func encode(t *testing.T, v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCandidatesAreFound(t *testing.T) {
	cfg, task := config()
	cfg.Candidates = 7
	got, err := client.New(serve(t, cfg).URL, client.Config{}).Recommend(t.Context(), client.Request{User: task.User})
	if err != nil {
		t.Fatal(err)
	}
	cut := cfg.Data.Graph.At(task.AsOf)
	u, _ := cut.User(task.User)
	for _, e := range cut.History(u) {
		if slices.Contains(got.Ranking, cut.ItemID(e.Item)) {
			t.Errorf("%s is recommended, which the user has", cut.ItemID(e.Item))
		}
	}
	if len(got.Ranking) != 7 || got.ID == "" {
		t.Errorf("%+v", got)
	}
}

// TestFallback: whatever keeps the student from answering, there is a ranking,
// and the answer says whose.
func TestFallback(t *testing.T) {
	for name, c := range map[string]struct {
		student service.Recommender
		why     string
	}{
		"nonsense": {student(modeltest.NewScript(modeltest.Say("I do not know"))), "could not be used"},
		"no server": {student(model.Func(func(context.Context, model.Request) (model.Reply, error) {
			return model.Reply{}, &model.Error{Err: errors.New("dial tcp 10.0.0.1: secret")}
		})), "not to be reached"},
		"too slow": {func(ctx context.Context, _ tasks.View, _ func(model.Chunk)) (star.Answer, error) {
			<-ctx.Done()
			return star.Answer{}, ctx.Err()
		}, "took too long"},
	} {
		cfg, task := config()
		cfg.Student, cfg.Time = c.student, 50*time.Millisecond
		var reported []error
		cfg.Report = func(err error) { reported = append(reported, err) }
		got, err := client.New(serve(t, cfg).URL, client.Config{}).Recommend(t.Context(), request(task))
		if err != nil || got.By != client.ByFallback || !strings.Contains(got.Why, c.why) || strings.Contains(got.Why, "secret") || len(reported) != 1 {
			t.Errorf("%s: %+v, %v, reported %v", name, got, err, reported)
		}
		sorted := slices.Sorted(slices.Values(got.Ranking))
		if !slices.Equal(sorted, slices.Sorted(slices.Values(task.Candidates))) {
			t.Errorf("%s: %v is no ranking of the candidates", name, got.Ranking)
		}
	}
}

func TestRefusals(t *testing.T) {
	cfg, task := config()
	url := serve(t, cfg).URL
	late := task.AsOf.Add(time.Hour)
	for want, r := range map[string]client.Request{
		"want a user, or a history":   {},
		"there are 1 candidates":      {User: "u", Candidates: []string{"b01"}},
		`no item "nowhere"`:           {User: "u", Candidates: []string{"b01", "nowhere"}},
		`no item "typo"`:              {History: []client.Event{{Item: "typo", Time: task.AsOf.Add(-time.Hour)}}},
		"history[1] has no time":      {History: []client.Event{{Item: "b01", Time: task.AsOf.Add(-time.Hour)}, {Item: "b02"}}},
		"listed twice":                {User: "u", Candidates: []string{"b01", "b01"}},
		"n is -1":                     {User: "u", N: -1},
		"which is not before":         {History: []client.Event{{Item: "b01", Time: late}}},
		"history[0] has no item":      {History: []client.Event{{Time: task.AsOf.Add(-time.Hour)}}},
		"there are not two items":     {User: "u07", AsOf: &time.Time{}},
		"user and id may have 256":    {User: strings.Repeat("x", 300)},
		"the history has 1001 events": {History: make([]client.Event, 1001)},
	} {
		if want == "there are not two items" {
			early := time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)
			r.AsOf = &early
		}
		_, err := client.New(url, client.Config{}).Recommend(t.Context(), r)
		wrong := (*client.Error)(nil)
		if !errors.As(err, &wrong) || wrong.Status != http.StatusBadRequest || !strings.Contains(wrong.Message, want) {
			t.Errorf("%v, want a refusal with %q", err, want)
		}
	}
}

func TestStream(t *testing.T) {
	cfg, task := config()
	resp, err := http.Post(serve(t, cfg).URL+"/v1/recommend/stream", "application/json", bytes.NewReader(encode(t, request(task))))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var text strings.Builder
	var answer client.Answer
	event := ""
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			event = name
		}
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		switch {
		case ok && event == "delta":
			var d struct{ Content string }
			if err := json.Unmarshal([]byte(data), &d); err != nil {
				t.Fatal(err)
			}
			text.WriteString(d.Content)
		case ok:
			if err := json.Unmarshal([]byte(data), &answer); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !strings.HasPrefix(text.String(), "<plan>") || !strings.Contains(text.String(), "<recommend>") || event != "answer" || len(answer.Ranking) != len(task.Candidates) {
		t.Errorf("the last event is %s; %d bytes were heard; %+v", event, text.Len(), answer)
	}
	resp, err = http.Post(serve(t, cfg).URL+"/v1/recommend/stream", "application/json", strings.NewReader("{}"))
	if err != nil || resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a bad request: %v, %v", resp.Status, err)
	}
	resp.Body.Close()
}

func TestCompare(t *testing.T) {
	cfg, task := config()
	if _, err := client.New(serve(t, cfg).URL, client.Config{}).Compare(t.Context(), request(task)); err == nil {
		t.Error("there is no teacher, and yet a comparison")
	}
	cfg.Teacher = cfg.Student
	got, err := client.New(serve(t, cfg).URL, client.Config{}).Compare(t.Context(), request(task))
	if err != nil || got.Overlap != 1 || got.Teacher.By != client.ByTeacher || got.Student.By != client.ByStudent {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestKeysAndLimits(t *testing.T) {
	cfg, task := config()
	cfg.Guard = guard.Config{Token: "sesame"}
	cfg.PerMinute = 2
	url := serve(t, cfg).URL
	var wrong *client.Error
	if _, err := client.New(url, client.Config{Key: "other"}).Recommend(t.Context(), request(task)); !errors.As(err, &wrong) || wrong.Status != http.StatusUnauthorized {
		t.Errorf("with another key: %v", err)
	}
	known := client.New(url, client.Config{Key: "sesame"})
	for range 2 {
		if _, err := known.Recommend(t.Context(), request(task)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := known.Recommend(t.Context(), request(task)); !errors.As(err, &wrong) || wrong.Status != http.StatusTooManyRequests {
		t.Errorf("the third of two a minute: %v", err)
	}
}

func TestAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg, task := config()
		cfg.AtOnce = 1
		release := make(chan struct{})
		inner := cfg.Student
		cfg.Student = func(ctx context.Context, v tasks.View, hear func(model.Chunk)) (star.Answer, error) {
			<-release
			return inner(ctx, v, hear)
		}
		h, err := service.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ask := func() int {
			r := httptest.NewRequest("POST", "http://localhost/v1/recommend", bytes.NewReader(encode(t, request(task))))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w.Code
		}
		var first int
		var all sync.WaitGroup
		all.Go(func() { first = ask() })
		synctest.Wait()
		if got := ask(); got != http.StatusServiceUnavailable {
			t.Errorf("a second at once: %d", got)
		}
		close(release)
		all.Wait()
		if first != 200 {
			t.Errorf("the first: %d", first)
		}
	})
}

func TestMetrics(t *testing.T) {
	cfg, task := config()
	url := serve(t, cfg).URL
	if _, err := client.New(url, client.Config{}).Recommend(t.Context(), request(task)); err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`mars_answers_total{by="student"} 1`, `mars_requests_total{route="recommend",status="200"} 1`, `mars_calls_total{of="model"} 2`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in\n%s", want, b.String())
		}
	}
}
