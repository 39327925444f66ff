package guard_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mars-rec/mars/internal/guard"
)

func TestGuard(t *testing.T) {
	for _, c := range []struct {
		name   string
		cfg    guard.Config
		host   string
		header [2]string
		body   string
		status int
	}{
		{name: "this machine", host: "127.0.0.1:8090", status: 200},
		{name: "by name", host: "LocalHost:8090", status: 200},
		{name: "by IPv6", host: "[::1]:8090", status: 200},
		{name: "another host", host: "evil.example", status: 403},
		{name: "a host that looks like ours", host: "127.0.0.1.evil.example", status: 403},
		{name: "no host", host: "", status: 403},
		{name: "a given host", cfg: guard.Config{Hosts: []string{"gpu1"}}, host: "gpu1:8090", status: 200},
		{name: "any host", cfg: guard.Config{Hosts: []string{"*"}}, host: "evil.example", status: 200},
		{name: "own page", host: "localhost", header: [2]string{"Origin", "http://localhost:3000"}, status: 200},
		{name: "foreign page", host: "localhost", header: [2]string{"Origin", "https://evil.example"}, status: 403},
		{name: "page without an origin", host: "localhost", header: [2]string{"Origin", "null"}, status: 403},
		{name: "no token", cfg: guard.Config{Token: "t0k"}, host: "localhost", status: 401},
		{name: "wrong token", cfg: guard.Config{Token: "t0k"}, host: "localhost", header: [2]string{"Authorization", "Bearer t0"}, status: 401},
		{name: "token without its scheme", cfg: guard.Config{Token: "t0k"}, host: "localhost", header: [2]string{"Authorization", "t0k"}, status: 401},
		{name: "bearer token", cfg: guard.Config{Token: "t0k"}, host: "localhost", header: [2]string{"Authorization", "Bearer t0k"}, status: 200},
		{name: "key", cfg: guard.Config{Token: "t0k"}, host: "localhost", header: [2]string{"X-API-Key", "t0k"}, status: 200},
		{name: "long body", cfg: guard.Config{Limit: 8}, host: "localhost", body: strings.Repeat("x", 9), status: 413},
		{name: "body at the limit", cfg: guard.Config{Limit: 8}, host: "localhost", body: strings.Repeat("x", 8), status: 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := c.cfg.Local(c.cfg.Known(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, err := io.ReadAll(r.Body); err != nil {
					w.WriteHeader(http.StatusRequestEntityTooLarge)
				}
			})))
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(c.body))
			r.Host = c.host
			if c.header[0] != "" {
				r.Header.Set(c.header[0], c.header[1])
			}
			w := httptest.NewRecorder()
			if h.ServeHTTP(w, r); w.Code != c.status {
				t.Errorf("status %d: %s; want %d", w.Code, w.Body, c.status)
			}
			if w.Header().Get("Cache-Control") != "no-store" || (c.status == 401) != (w.Header().Get("WWW-Authenticate") != "") {
				t.Errorf("headers are %v", w.Header())
			}
		})
	}
}
