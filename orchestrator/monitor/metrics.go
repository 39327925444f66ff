package monitor

import (
	"cmp"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/mars-rec/mars/model/genai"
)

// Names of our own metrics that programs read, as [Metrics] has them.
const (
	RunsPlanned    = "mars_runs_planned"
	RunsEnded      = "mars_runs_ended_total"
	RunsInFlight   = "mars_runs_in_flight"
	RunDuration    = "mars_run_duration_seconds"
	RunFailures    = "mars_run_failures_total"
	ModelAttempts  = "mars_model_attempts_total"
	AttemptTime    = "mars_model_attempt_duration_seconds"
	AttemptsAtOnce = "mars_model_attempts_in_flight"
	ModelRetries   = "mars_model_retries_total"
	RepliesCached  = "mars_model_replies_cached_total"
)

// Metrics counts events, for Prometheus. Durations, tokens and tools go by the
// names of the conventions for generative AI, with the role that asked beside
// them; what these have no name for begins with mars_. It is an [Observer].
type Metrics struct {
	registry *prometheus.Registry

	planned  prometheus.Gauge
	ended    *prometheus.CounterVec // by outcome
	runs     prometheus.Gauge
	took     *prometheus.HistogramVec // by outcome
	failures *prometheus.CounterVec   // by class of failure

	replies   *prometheus.HistogramVec // by provider, model, role
	input     *prometheus.CounterVec
	output    *prometheus.CounterVec
	cacheRead *prometheus.CounterVec
	cached    *prometheus.CounterVec
	tools     *prometheus.HistogramVec // by tool, class of failure

	attempts *prometheus.CounterVec   // by model, role, outcome
	answers  *prometheus.HistogramVec // by model
	atOnce   *prometheus.GaugeVec     // by model
	retries  *prometheus.CounterVec   // by class of failure
}

// NewMetrics returns counters that stand at zero, in a registry of their own.
func NewMetrics() *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	}
	calls := genai.DurationBuckets()
	brief := prometheus.ExponentialBuckets(0.0001, 4, 9) // tools ask the graph
	long := prometheus.ExponentialBuckets(0.1, 2, 16)    // runs take seconds to an hour
	model := []string{"gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "mars_role"}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		planned:  prometheus.NewGauge(prometheus.GaugeOpts{Name: RunsPlanned, Help: "Runs that this process is to make, those done before included."}),
		ended:    counter(RunsEnded, "Runs that have ended, by outcome: done, failed, skipped (done before), interrupted.", "outcome"),
		runs:     prometheus.NewGauge(prometheus.GaugeOpts{Name: RunsInFlight, Help: "Runs at work."}),
		took:     histogram(RunDuration, "Time of runs, by outcome.", long, "outcome"),
		failures: counter(RunFailures, "Runs that have failed, by class of failure.", "error_type"),

		replies:   histogram(genai.InferenceDuration, "Time until a model's reply was there, its attempts and waits together.", calls, model...),
		input:     counter(genai.InputTokensMetric, "Input tokens, as providers told them.", model...),
		output:    counter(genai.OutputTokensMetric, "Output tokens, as providers told them.", model...),
		cacheRead: counter(genai.CacheReadMetric, "Input tokens that providers read from their prompt caches.", model...),
		cached:    counter(RepliesCached, "Replies that were answered by the cache of replies, and not paid.", "model", "role"),
		tools:     histogram(genai.ExecuteToolDuration, "Time of tool calls; error_type is set where the tool told the model of its mistake.", brief, "gen_ai_operation_name", "gen_ai_tool_name", "error_type"),

		attempts: counter(ModelAttempts, "Calls to models, each attempt by itself, by outcome: ok, or the class of failure.", "model", "role", "outcome"),
		answers:  histogram(AttemptTime, "Time of calls to models, each attempt by itself, without the wait for its turn.", calls, "model"),
		atOnce:   prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: AttemptsAtOnce, Help: "Calls to models that are in flight."}, []string{"model"}),
		retries:  counter(ModelRetries, "Failures of calls to models that were, or will be, tried again.", "error_type"),
	}
	m.registry.MustRegister(m.planned, m.ended, m.runs, m.took, m.failures, m.replies, m.input, m.output, m.cacheRead, m.cached, m.tools,
		m.attempts, m.answers, m.atOnce, m.retries, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Plan says how many runs there are to be.
func (m *Metrics) Plan(runs int) { m.planned.Set(float64(runs)) }

// Observe implements [Observer].
func (m *Metrics) Observe(e Event) {
	switch e.Kind {
	case RunBegan:
		m.runs.Inc()
	case RunEnded:
		m.run(e)
	case AttemptMade:
		m.atOnce.WithLabelValues(e.Name).Inc()
	case AttemptOver:
		m.atOnce.WithLabelValues(e.Name).Dec()
		m.attempts.WithLabelValues(e.Name, string(e.Role), cmp.Or(genai.FailureOf(e.Err), "ok")).Inc()
		m.answers.WithLabelValues(e.Name).Observe(e.Took.Seconds())
	case Retried:
		m.retries.WithLabelValues(genai.FailureOf(e.Err)).Inc()
	case Replied:
		m.reply(e)
	case ToolCalled:
		failure := ""
		if e.Refused {
			failure = genai.BadInput
		}
		m.tools.WithLabelValues(genai.ExecuteTool, e.Name, failure).Observe(e.Took.Seconds())
	}
}

func (m *Metrics) run(e Event) {
	m.ended.WithLabelValues(string(e.Outcome)).Inc()
	if e.Outcome == "skipped" {
		return // it never began
	}
	m.runs.Dec()
	m.took.WithLabelValues(string(e.Outcome)).Observe(e.Took.Seconds())
	if e.Outcome == "failed" {
		m.failures.WithLabelValues(genai.FailureOf(e.Err)).Inc()
	}
}

func (m *Metrics) reply(e Event) {
	if e.Cached {
		m.cached.WithLabelValues(e.Name, string(e.Role)).Inc()
		return
	}
	at := genai.EndpointOf(e.Name)
	labels := []string{genai.Chat, at.Provider, at.Model, string(e.Role)}
	m.replies.WithLabelValues(labels...).Observe(e.Took.Seconds())
	if u := e.Usage; u != nil {
		m.input.WithLabelValues(labels...).Add(float64(max(0, u.InputTokens)))
		m.output.WithLabelValues(labels...).Add(float64(max(0, u.OutputTokens)))
		m.cacheRead.WithLabelValues(labels...).Add(float64(max(0, u.CachedTokens)))
	}
}

// Gauge adds a value that is read when it is asked for: read tells one for each
// combination of labels.
func (m *Metrics) Gauge(name, help string, labels []string, read func(tell func(value float64, labels ...string))) {
	m.registry.MustRegister(&reading{prometheus.NewDesc(name, help, labels, nil), prometheus.GaugeValue, read})
}

// Counter is like [Metrics.Gauge], of a value that only grows.
func (m *Metrics) Counter(name, help string, labels []string, read func(tell func(value float64, labels ...string))) {
	m.registry.MustRegister(&reading{prometheus.NewDesc(name, help, labels, nil), prometheus.CounterValue, read})
}

// reading is a metric that is kept elsewhere.
type reading struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func(tell func(float64, ...string))
}

// Describe implements [prometheus.Collector].
func (r *reading) Describe(out chan<- *prometheus.Desc) { out <- r.desc }

// Collect implements [prometheus.Collector].
func (r *reading) Collect(out chan<- prometheus.Metric) {
	r.read(func(value float64, labels ...string) {
		m, err := prometheus.NewConstMetric(r.desc, r.kind, value, labels...)
		if err != nil {
			m = prometheus.NewInvalidMetric(r.desc, err)
		}
		out <- m
	})
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
