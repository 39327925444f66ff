package service

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/mars-rec/mars/star/client"
)

// metrics are the service's counters, in a registry of their own.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	answers  *prometheus.CounterVec
	calls    *prometheus.CounterVec
	tokens   *prometheus.CounterVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mars_requests_total", Help: "Requests, by route and status."}, []string{"route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "mars_request_seconds", Help: "Time of requests, by route.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 16)}, []string{"route"}),
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mars_answers_total", Help: "Rankings, by who gave them: student or fallback."}, []string{"by"}),
		calls:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mars_calls_total", Help: "Calls that answers took, of the model and of tools, and those of the model that were cached."}, []string{"of"}),
		tokens:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mars_tokens_total", Help: "Tokens of the student's model, as far as its server tells."}, []string{"direction"}),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.answers, m.calls, m.tokens)
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

func (m *metrics) observe(route string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
}

func (m *metrics) answered(a client.Answer) {
	m.answers.WithLabelValues(a.By).Inc()
	m.calls.WithLabelValues("model").Add(float64(a.Calls))
	m.calls.WithLabelValues("cached").Add(float64(a.CachedCalls))
	m.calls.WithLabelValues("tool").Add(float64(a.ToolCalls))
	m.tokens.WithLabelValues("input").Add(float64(a.InputTokens))
	m.tokens.WithLabelValues("output").Add(float64(a.OutputTokens))
}
