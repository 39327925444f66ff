package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mars-rec/mars/internal/api"
	"github.com/mars-rec/mars/internal/guard"
)

type question struct {
	Name string `json:"name"`
	N    int    `json:"n,omitempty" jsonschema:"how often"`
}

type answer struct {
	Text string `json:"text"`
}

// serve returns the handler of a small table, what it observed and reported.
func serve(t *testing.T, token string) (http.Handler, *[]string) {
	var seen []string
	greet := func(r api.Request, q question) (answer, error) {
		switch q.Name {
		case "":
			return answer{}, api.Invalid("name is empty")
		case "busy":
			return answer{}, &api.Failure{Status: http.StatusServiceUnavailable, Kind: "busy", Message: "later", After: 1500 * time.Millisecond}
		case "broken":
			return answer{}, errors.New("open /home/me/secret.db")
		}
		return answer{fmt.Sprintf("<%s> by %q", q.Name, r.Key)}, nil
	}
	text := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("up 1\n")) })
	h, err := api.New(api.Config{
		Title: "greeter", Guard: guard.Config{Token: token, Limit: 1000},
		Report:  func(err error) { seen = append(seen, err.Error()) },
		Observe: func(route string, status int, _ time.Duration) { seen = append(seen, fmt.Sprint(route, " ", status)) },
		Clock:   time.Now,
	},
		api.At("POST", "/greet/{whom}", "greet", "Greet somebody", greet).Taking(api.Parameter{Name: "loud", Summary: "whether", Type: "string"}),
		api.At("DELETE", "/greet", "forget", "Forget", func(api.Request, api.None) (api.None, error) { return api.None{}, nil }).Giving(http.StatusNoContent),
		api.Raw("GET", "/metrics", "metrics", "Numbers", "text/plain", text).Public(),
	)
	if err != nil {
		t.Fatal(err)
	}
	return h, &seen
}

func ask(h http.Handler, method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestAnswers(t *testing.T) {
	h, seen := serve(t, "")
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"POST", "/greet/x", `{"name":"ann"}`, 200, `{"text":"<ann> by \"\""}`},
		{"POST", "/greet/x", `{"name":""}`, 400, `{"error":{"kind":"invalid_request","message":"name is empty"}}`},
		{"POST", "/greet/x", `{"nam":"ann"}`, 400, `unknown field`},
		{"POST", "/greet/x", `{"name":"ann"}{}`, 400, "there is more after the JSON object"},
		{"POST", "/greet/x", `{"name":"` + strings.Repeat("x", 1000) + `"}`, 413, `"kind":"too_large"`},
		{"POST", "/greet/x", `{"name":"broken"}`, 500, `"it failed, and this is not the caller's fault"`},
		{"POST", "/greet/x", `{"name":"busy"}`, 503, `"kind":"busy"`},
		{"DELETE", "/greet", ``, 204, ""},
		{"GET", "/metrics", ``, 200, "up 1\n"},
		{"GET", "/nowhere", ``, 404, "/openapi.json lists what there is"},
	} {
		w := ask(h, c.method, c.path, c.body)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s %s %.40s: %d %s", c.method, c.path, c.body, w.Code, w.Body)
		}
		if c.status == 503 && w.Header().Get("Retry-After") != "2" {
			t.Errorf("Retry-After is %q", w.Header().Get("Retry-After"))
		}
	}
	if !slices.Contains(*seen, "open /home/me/secret.db") || !slices.Contains(*seen, "greet 503") {
		t.Errorf("the operator hears %q", *seen)
	}
}

func TestToken(t *testing.T) {
	h, _ := serve(t, "sesame")
	if w := ask(h, "POST", "/greet/x", `{"name":"ann"}`); w.Code != 401 || !strings.Contains(w.Body.String(), `"kind":"token"`) {
		t.Errorf("without a token: %d %s", w.Code, w.Body)
	}
	if w := ask(h, "POST", "/greet/x", `{"name":"ann"}`, "X-API-Key", "sesame"); w.Code != 200 || !strings.Contains(w.Body.String(), "sesame") {
		t.Errorf("with the token: %d %s", w.Code, w.Body)
	}
	if w := ask(h, "GET", "/metrics", ""); w.Code != 200 {
		t.Errorf("what is public: %d %s", w.Code, w.Body)
	}
}

func TestDescription(t *testing.T) {
	h, _ := serve(t, "sesame")
	var d struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Parameters  []struct{ Name, In string }
			RequestBody *struct {
				Content map[string]struct{ Schema struct{ Required []string } }
			} `json:"requestBody"`
			Responses map[string]any
			Security  *[]any
		}
	}
	if err := json.Unmarshal(ask(h, "GET", "/openapi.json", "").Body.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	greet := d.Paths["/greet/{whom}"]["post"]
	if greet.OperationID != "greet" || len(greet.Parameters) != 2 || greet.Parameters[0].In != "path" || greet.Security != nil ||
		!slices.Equal(greet.RequestBody.Content["application/json"].Schema.Required, []string{"name"}) {
		t.Errorf("%+v", greet)
	}
	if forget := d.Paths["/greet"]["delete"]; forget.RequestBody != nil || forget.Responses["204"] == nil {
		t.Errorf("%+v", forget)
	}
	if metrics := d.Paths["/metrics"]["get"]; metrics.Security == nil || len(*metrics.Security) != 0 {
		t.Errorf("%+v", metrics)
	}
}
