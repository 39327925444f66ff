// Package client asks a student that is served: the words of its HTTP API, and
// a client of it.
//
//	POST {base}/v1/recommend          Request ──> Answer
//	POST {base}/v1/recommend/stream   Request ──> text as it is written, then the Answer
//	POST {base}/v1/compare            Request ──> Comparison of teacher and student
//
// The package imports nothing but the standard library, so that it can be
// copied into any program.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Request asks for a recommendation: for a user of the data set, or for one who
// is described by the history that comes with the request; among candidates, or
// among items that the graph finds.
type Request struct {
	ID         string     `json:"id,omitempty" jsonschema:"comes back in the answer; made up if not given"`
	User       string     `json:"user,omitempty" jsonschema:"id of a user; may be unknown, and left out where there is a history"`
	History    []Event    `json:"history,omitempty" jsonschema:"what the user did, besides what the data set knows; it is not kept"`
	AsOf       *time.Time `json:"as_of,omitempty" jsonschema:"the moment: nothing at or after it is seen; now if not given"`
	Candidates []string   `json:"candidates,omitempty" jsonschema:"items to rank, 2 to 100; found in the graph if not given"`
	N          int        `json:"n,omitempty" jsonschema:"how many are returned; all if not given"`
	Explain    bool       `json:"explain,omitempty" jsonschema:"tell the plan, the analyses, the reflections and the evidence"`
}

// Event is one thing that a user did.
type Event struct {
	Item   string    `json:"item"`
	Time   time.Time `json:"time"`
	Rating float32   `json:"rating,omitempty" jsonschema:"in the data set's stars; left out where there is none"`
}

// Who gave an answer.
const (
	ByStudent  = "student"
	ByTeacher  = "teacher"
	ByFallback = "fallback" // the fused score of the graph's signals
)

// Answer is a ranking and what it came from.
type Answer struct {
	ID          string       `json:"id"`
	By          string       `json:"by" jsonschema:"student, teacher, or fallback: the fused score of the graph's signals"`
	Why         string       `json:"why,omitempty" jsonschema:"of a fallback: what kept the student from answering"`
	User        string       `json:"user"`
	AsOf        time.Time    `json:"as_of"`
	Ranking     []string     `json:"ranking" jsonschema:"ids of items, best first"`
	Items       []Item       `json:"items" jsonschema:"the same, described"`
	Explanation *Explanation `json:"explanation,omitempty"`
	Expense
}

// Expense is what an answer cost. What is unknown is 0.
type Expense struct {
	Calls        int     `json:"calls" jsonschema:"of the model"`
	CachedCalls  int     `json:"cached_calls" jsonschema:"not made, since the model had answered the same before; their tokens are not counted"`
	ToolCalls    int     `json:"tool_calls"`
	InputTokens  int     `json:"input_tokens"`
	OutputTokens int     `json:"output_tokens"`
	Milliseconds float64 `json:"milliseconds"`
}

// Item is an item of a ranking.
type Item struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Year  int    `json:"year,omitempty"`
}

// Explanation is what was said on the way to a ranking. Candidates go by the
// labels of their order in the request, as Labels tells.
type Explanation struct {
	Labels      map[string]string `json:"labels" jsonschema:"item of each label"`
	Plan        string            `json:"plan,omitempty"`
	Analyses    []Analysis        `json:"analyses"`
	Reflections []Reflection      `json:"reflections"`
	Evidence    []Signal          `json:"evidence" jsonschema:"what the tools said of the candidates"`
}

// Analysis is what one role found.
type Analysis struct {
	Role    string   `json:"role"`
	Summary string   `json:"summary"`
	Claims  []string `json:"claims"`
}

// Reflection is a verdict on what was found.
type Reflection struct {
	Verdict string   `json:"verdict"`
	Issues  []string `json:"issues"`
}

// Signal is one signal's ranking of the candidates.
type Signal struct {
	Tool    string   `json:"tool"`
	Signal  string   `json:"signal"`
	Ranking []string `json:"ranking" jsonschema:"best first, each as label:level=score; the level goes from 0, the lowest score, to 9, the highest"`
}

// Comparison is two answers to one request.
type Comparison struct {
	Teacher Answer  `json:"teacher"`
	Student Answer  `json:"student"`
	Overlap float64 `json:"overlap" jsonschema:"share of the teacher's first five that are among the student's first five"`
}

// Config of a [Client]. The zero value works.
type Config struct {
	Key  string       // sent as a bearer token; "": none
	HTTP *http.Client // nil: one with a time-out of two minutes that follows no redirect
}

// Client asks a service. It is safe for concurrent use.
type Client struct {
	base string
	cfg  Config
}

// New returns a client of the service at base, such as http://127.0.0.1:8080.
func New(base string, cfg Config) *Client {
	if cfg.HTTP == nil {
		cfg.HTTP = &http.Client{
			Timeout:       2 * time.Minute,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return &Client{strings.TrimRight(base, "/"), cfg}
}

// Error is an answer that is none: what the service said.
type Error struct {
	Status  int
	Kind    string // one word, for programs
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("%d %s: %s", e.Status, e.Kind, e.Message) }

// Recommend asks for a ranking.
func (c *Client) Recommend(ctx context.Context, r Request) (Answer, error) {
	var a Answer
	err := c.post(ctx, "/v1/recommend", r, &a)
	if err == nil && a.Ranking == nil {
		err = errors.New("the answer has no ranking")
	}
	if err != nil {
		return Answer{}, fmt.Errorf("recommend: %w", err)
	}
	return a, nil
}

// Compare asks teacher and student, where the service has both.
func (c *Client) Compare(ctx context.Context, r Request) (Comparison, error) {
	var a Comparison
	if err := c.post(ctx, "/v1/compare", r, &a); err != nil {
		return Comparison{}, fmt.Errorf("compare: %w", err)
	}
	return a, nil
}

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 8 << 20

func (c *Client) post(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if c.cfg.Key != "" {
		req.Header.Set("Authorization", "Bearer "+c.cfg.Key)
	}
	resp, err := c.cfg.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return err
	case len(b) > maxAnswer:
		return fmt.Errorf("an answer of more than %d bytes", maxAnswer)
	case resp.StatusCode == http.StatusOK:
		return json.Unmarshal(b, out)
	}
	var wrong struct {
		Error struct{ Kind, Message string } `json:"error"`
	}
	if json.Unmarshal(b, &wrong) != nil || wrong.Error.Message == "" {
		wrong.Error.Kind, wrong.Error.Message = "failure", resp.Status
	}
	return &Error{resp.StatusCode, wrong.Error.Kind, wrong.Error.Message}
}
