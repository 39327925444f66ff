package monitor

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	commonmodel "github.com/prometheus/common/model"

	"github.com/mars-rec/mars/model/genai"
)

// Snapshot is what [Metrics] told at one moment.
type Snapshot struct {
	Began    time.Time      `json:"process_began,omitzero"`
	Planned  int            `json:"planned"`
	Ended    map[string]int `json:"ended"` // runs by outcome
	InFlight int            `json:"in_flight"`

	Roles    []Timed         `json:"roles"`
	Models   []Timed         `json:"models"`
	Tools    []Timed         `json:"tools"`
	Outcomes map[string]int  `json:"attempts"` // of models, by outcome
	Retries  int             `json:"retries"`
	Failures map[string]int  `json:"failures"` // runs, by class of failure
	Limits   []Limited       `json:"limits"`   // sorted by model
	Open     []string        `json:"breakers_open"`
	Spend    map[string]Cost `json:"spend"` // by currency
	Queue    int             `json:"store_queue"`
}

// Timed sums up calls by a histogram: the quantiles are read between its bounds.
type Timed struct {
	Name          string  `json:"name"`
	Calls         int     `json:"calls"`
	InputTokens   int     `json:"input_tokens"`
	OutputTokens  int     `json:"output_tokens"`
	MedianSeconds float64 `json:"p50_seconds"`
	HighSeconds   float64 `json:"p95_seconds"`
}

// Limited is how the limiter of a model stands.
type Limited struct {
	Model    string `json:"model"`
	Limit    int    `json:"limit"`
	InFlight int    `json:"in_flight"`
	Waiting  int    `json:"waiting"`
}

// Cost is what was spent in one unit: a currency, or tokens.
type Cost struct {
	Spent float64 `json:"spent"`
	Limit float64 `json:"limit,omitempty"` // 0: none
	Left  float64 `json:"left,omitempty"`
}

// ReadMetrics reads what [Metrics] serves. What it does not know it passes over.
func ReadMetrics(r io.Reader) (Snapshot, error) {
	parser := expfmt.NewTextParser(commonmodel.UTF8Validation)
	f, err := parser.TextToMetricFamilies(r)
	if err != nil {
		return Snapshot{}, fmt.Errorf("metrics: %w", err)
	}
	if f[RunsPlanned] == nil {
		return Snapshot{}, fmt.Errorf("metrics: %s is not among them: these are not of a synthesis", RunsPlanned)
	}
	in := families(f)
	s := Snapshot{
		Planned: in.sum(RunsPlanned), InFlight: in.sum(RunsInFlight), Retries: in.sum(ModelRetries), Queue: in.sum("mars_store_queue_length"),
		Ended: in.by(RunsEnded, "outcome"), Outcomes: in.by(ModelAttempts, "outcome"), Failures: in.by(RunFailures, "error_type"),
		Roles: in.timed(genai.InferenceDuration, "mars_role"), Models: in.timed(genai.InferenceDuration, "gen_ai_request_model"),
		Tools: in.timed(genai.ExecuteToolDuration, "gen_ai_tool_name"), Limits: []Limited{}, Open: []string{}, Spend: map[string]Cost{},
	}
	if at := in.number("process_start_time_seconds"); at > 0 {
		s.Began = time.Unix(0, int64(at*1e9))
	}
	waiting, flying := in.by("mars_limiter_waiting", "model"), in.by("mars_limiter_in_flight", "model")
	for _, m := range sortedBy(in.by("mars_limiter_concurrency", "model")) {
		s.Limits = append(s.Limits, Limited{m.name, m.n, flying[m.name], waiting[m.name]})
	}
	for _, b := range sortedBy(in.by("mars_breaker_open", "provider")) {
		if b.n > 0 {
			s.Open = append(s.Open, b.name)
		}
	}
	for unit, spent := range in.values("mars_spend_total", "currency") {
		s.Spend[unit] = Cost{Spent: spent}
	}
	left := in.values("mars_budget_left", "unit")
	for unit, limit := range in.values("mars_budget_limit", "unit") {
		s.Spend[unit] = Cost{Spent: limit - left[unit], Limit: limit, Left: left[unit]}
	}
	return s, nil
}

type families map[string]*dto.MetricFamily

// values sums up a metric by one of its labels.
func (f families) values(name, label string) map[string]float64 {
	out := map[string]float64{}
	for _, m := range f[name].GetMetric() {
		out[labelled(m, label)] += m.GetCounter().GetValue() + m.GetGauge().GetValue()
	}
	return out
}

func (f families) by(name, label string) map[string]int {
	out := map[string]int{}
	for value, n := range f.values(name, label) {
		out[value] = int(n)
	}
	return out
}

func (f families) number(name string) (sum float64) {
	for _, n := range f.values(name, "") {
		sum += n
	}
	return sum
}

func (f families) sum(name string) int { return int(f.number(name)) }

// timed sums up a histogram by one of its labels, with the tokens beside it.
func (f families) timed(name, label string) []Timed {
	input, output := f.by(genai.InputTokensMetric, label), f.by(genai.OutputTokensMetric, label)
	buckets := map[string]map[float64]uint64{}
	calls := map[string]int{}
	for _, m := range f[name].GetMetric() {
		key, h := labelled(m, label), m.GetHistogram()
		calls[key] += int(h.GetSampleCount())
		if buckets[key] == nil {
			buckets[key] = map[float64]uint64{}
		}
		for _, b := range h.GetBucket() {
			buckets[key][b.GetUpperBound()] += b.GetCumulativeCount()
		}
	}
	out := []Timed{}
	for _, c := range sortedBy(calls) {
		out = append(out, Timed{c.name, c.n, input[c.name], output[c.name], quantile(buckets[c.name], c.n, 0.5), quantile(buckets[c.name], c.n, 0.95)})
	}
	return out
}

// quantile reads a quantile between the bounds of a histogram; beyond the last
// bound it is that bound.
func quantile(cumulative map[float64]uint64, n int, q float64) float64 {
	want, below, from := q*float64(n), 0.0, 0.0
	bounds := slices.Sorted(maps.Keys(cumulative))
	for i, bound := range bounds {
		at := float64(cumulative[bound])
		if at >= want && at > below {
			if i == len(bounds)-1 && bound > 1e300 { // +Inf
				return from
			}
			return from + (bound-from)*(want-below)/(at-below)
		}
		below, from = at, bound
	}
	return from
}

func labelled(m *dto.Metric, label string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == label {
			return l.GetValue()
		}
	}
	return ""
}

type named struct {
	name string
	n    int
}

func sortedBy(counts map[string]int) []named {
	out := make([]named, 0, len(counts))
	for name, n := range counts {
		out = append(out, named{name, n})
	}
	slices.SortFunc(out, func(a, b named) int { return cmp.Compare(a.name, b.name) })
	return out
}
