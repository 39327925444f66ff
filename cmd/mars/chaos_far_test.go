package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/builtin"
	"github.com/mars-rec/mars/model/openai/openaitest"
	"github.com/mars-rec/mars/model/openai/server"
)

// till is a provider that goes wrong, and the bill that it keeps: which requests
// reached it, from which process, and which answers a store has had since when.
// A request is known by the hash of its body, in which the seed of its run is.
type till struct {
	*openaitest.Provider
	url string

	mu       sync.Mutex
	requests map[string]int    // by body
	order    []string          // of the requests
	bodyOf   map[string]string // by the answer's id
	durable  map[string]int    // answers that a store had, by body, and after how many children
	again    []string          // requests for what a store had, told
	twice    int               // of processes that were at work before it was known
	children int               // that were started
}

// newTill serves a provider until the test ends. What it answers is a function of
// the request alone: mostly the rule-based teacher's answer, sometimes a wrong
// one. What goes wrong on the way is drawn from the seed.
func newTill(t testing.TB, seed uint64) *till {
	t.Helper()
	b := &till{requests: map[string]int{}, bodyOf: map[string]string{}, durable: map[string]int{}}
	b.Provider = openaitest.New(openaitest.Config{
		Answer: teaching(),
		Name:   "paid",
		Seed:   seed,
		Faults: soon(openaitest.Faults()),
		Delay:  func(draw *rand.Rand) time.Duration { return time.Duration(draw.IntN(50)) * time.Millisecond },
		Heard:  b.hear,
	})
	srv := httptest.NewServer(b)
	t.Cleanup(srv.Close)
	b.url = srv.URL
	return b
}

// soon are the faults without those after which a caller rightly waits for a
// minute.
func soon(all []string) []string {
	return slices.DeleteFunc(all, func(name string) bool {
		return name == "429, Retry-After of a day" || name == "429, Retry-After as a date of next year"
	})
}

// of is the address by which one child calls the provider, so that its requests
// can be told from those of others.
func (b *till) of(child int) string { return fmt.Sprintf("%s/%d/v1", b.url, child) }

// child is the number of a process that is started now.
func (b *till) child() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.children++
	return b.children
}

func (b *till) hear(r openaitest.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	sum := sha256.Sum256(r.Body)
	key := string(sum[:])
	b.requests[key]++
	b.order = append(b.order, key)
	b.bodyOf[r.ID] = key
	since, had := b.durable[key]
	var child int
	_, _ = fmt.Sscanf(r.Path, "/%d/", &child)
	switch {
	case had && child > since:
		b.again = append(b.again, fmt.Sprintf("process %d asks again for an answer that the store had before process %d", child, since+1))
	case had:
		b.twice++
	}
}

// kept notes the answers that a store has: none of them may be asked for again by
// a process that starts later.
func (b *till) kept(ids []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range ids {
		if key, ok := b.bodyOf[id]; ok {
			if _, known := b.durable[key]; !known {
				b.durable[key] = b.children
			}
		}
	}
}

// asked tells how many requests came, of how many different ones.
func (b *till) asked() (all, different int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.order), len(b.requests)
}

// teaching answers as the rule-based teacher does, with the tokens that it took.
// Of the answers some are wrong, always to the same requests.
func teaching() func(body []byte) (openaitest.Answer, error) {
	teacher := builtin.New(builtin.Config{})
	right := server.New(model.Func(func(ctx context.Context, req model.Request) (model.Reply, error) {
		reply, err := teacher.Generate(ctx, req)
		said := model.Request{Messages: []model.Message{reply.Message}}
		reply.Usage = &message.Usage{InputTokens: req.Size()/4 + 1, OutputTokens: said.Size()/4 + 1}
		return reply, err
	}), server.Config{Name: "paid"})
	return func(body []byte) (openaitest.Answer, error) {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/v1/chat/completions", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		right.ServeHTTP(w, r)
		var said struct {
			Choices []struct {
				Message json.RawMessage
				Finish  string `json:"finish_reason"`
			}
			Usage struct {
				In  int `json:"prompt_tokens"`
				Out int `json:"completion_tokens"`
			}
		}
		if err := json.Unmarshal(w.Body.Bytes(), &said); err != nil || len(said.Choices) != 1 {
			return openaitest.Answer{}, fmt.Errorf("the teacher says %s", w.Body)
		}
		a := openaitest.Answer{Message: said.Choices[0].Message, Finish: said.Choices[0].Finish, Input: said.Usage.In, Output: said.Usage.Out}
		if sum := sha256.Sum256(body); sum[0] < wrongShare {
			return wrong(a, int(sum[1]))
		}
		return a, nil
	}
}

// wrongShare of 256 answers are wrong ones.
const wrongShare = 8

// wrong makes an answer one that a model that is not up to its work gives.
func wrong(a openaitest.Answer, kind int) (openaitest.Answer, error) {
	var m struct {
		Role    string            `json:"role"`
		Content string            `json:"content"`
		Calls   []json.RawMessage `json:"tool_calls,omitempty"`
	}
	if err := json.Unmarshal(a.Message, &m); err != nil {
		return a, err
	}
	call := func(name, arguments string) json.RawMessage {
		return fmt.Appendf(nil, `{"id":"c","type":"function","function":{"name":%q,"arguments":%q}}`, name, arguments)
	}
	ways := []func(){
		func() { m.Content, a.Finish = m.Content[:len(m.Content)/2], "length" },
		func() { m.Content = strings.Replace(m.Content, `"`, ``, 1) },
		func() { m.Content += "}" },
		func() { m.Content = "<think>which one" + m.Content },
		func() { m.Content = "Here it is:\n" + m.Content + "\nI hope that this helps!" },
		func() { m.Content += "\n" + m.Content },
		func() { m.Content, m.Calls, a.Finish = "", []json.RawMessage{call("drop_table", `{}`)}, "tool_calls" },
		func() {
			m.Content, m.Calls, a.Finish = "", []json.RawMessage{call("item_cf", `{"item": "`)}, "tool_calls"
		},
		func() { m.Content, m.Calls = "", nil },
		func() { m.Content, m.Calls = "I cannot help with that.", nil },
	}
	ways[kind%len(ways)]()
	var err error
	a.Message, err = message.Marshal(m)
	return a, err
}
