package monitor_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mars-rec/mars/orchestrator/monitor"
)

// TestReadMetrics reads back what is served.
func TestReadMetrics(t *testing.T) {
	m := monitor.NewMetrics()
	m.Plan(4)
	m.Gauge("mars_limiter_concurrency", "limit", []string{"model"}, func(tell func(float64, ...string)) { tell(17, "openai:x") })
	m.Gauge("mars_breaker_open", "open", []string{"provider"}, func(tell func(float64, ...string)) { tell(1, "a"); tell(0, "b") })
	m.Counter("mars_spend_total", "spend", []string{"currency", "role", "model"}, func(tell func(float64, ...string)) {
		tell(0.25, "EUR", "planner", "x")
		tell(0.5, "EUR", "ranker", "x")
	})
	m.Gauge("mars_budget_limit", "limit", []string{"unit"}, func(tell func(float64, ...string)) { tell(5, "EUR") })
	m.Gauge("mars_budget_left", "left", []string{"unit"}, func(tell func(float64, ...string)) { tell(4, "EUR") })
	some(m)
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	s, err := monitor.ReadMetrics(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if s.Planned != 4 || s.InFlight != 1 || s.Ended["done"] != 1 || s.Ended["failed"] != 1 || s.Failures["503"] != 1 || s.Retries != 1 || s.Outcomes["ok"] != 1 || s.Outcomes["503"] != 1 {
		t.Errorf("%+v", s)
	}
	// One call of 3 seconds is between the bounds 2.56 and 5.12.
	if r := s.Roles[0]; len(s.Roles) != 1 || r.Name != "planner" || r.Calls != 1 || r.InputTokens != 100 || r.MedianSeconds < 2.56 || r.HighSeconds > 5.12 || r.MedianSeconds >= r.HighSeconds {
		t.Errorf("roles: %+v", s.Roles)
	}
	if len(s.Tools) != 1 || s.Tools[0].Name != "item_cf" || len(s.Limits) != 1 || s.Limits[0].Limit != 17 || len(s.Open) != 1 || s.Open[0] != "a" {
		t.Errorf("%+v", s)
	}
	if c := s.Spend["EUR"]; c.Spent != 1 || c.Limit != 5 || c.Left != 4 || s.Began.IsZero() {
		t.Errorf("spend %+v, began %s", s.Spend, s.Began)
	}
	for text, want := range map[string]string{"go_goroutines 7\n": "not of a synthesis", "<html>": "metrics:"} {
		if _, err := monitor.ReadMetrics(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
