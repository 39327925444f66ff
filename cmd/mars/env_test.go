package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/reward"
	"github.com/mars-rec/mars/trajectories/store"
)

// serving runs a command that serves on a free port and returns its URL and a
// function that interrupts it and returns its exit code.
func serving(t *testing.T, args ...string) (string, func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	code := make(chan int, 1)
	var said bytes.Buffer
	go func() {
		code <- run(ctx, append(args, "--listen", "127.0.0.1:0"), strings.NewReader(""), w, &said, time.Now)
		w.Close()
	}()
	t.Cleanup(cancel)
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("mars %s: exit %d: %s", args[0], <-code, said.String())
	}
	return strings.TrimSpace(line), func() int { cancel(); return <-code }
}

// ask sends a request in JSON and reads the answer into v.
func ask(t *testing.T, method, url, token string, body, v any) int {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}

// chatCall is a call as chat APIs have it.
func chatCall(c model.ToolCall) map[string]any {
	return map[string]any{"id": c.ID, "type": "function", "function": map[string]string{"name": c.Name, "arguments": c.Arguments}}
}

// TestTheEnvironmentIsTheTeachersWorld: a recorded run, played again through
// the environment word for word, is shown the same task and the same answers of
// tools, and is worth what mars score gives it, by the paper's reward and by one
// of parts.
func TestTheEnvironmentIsTheTeachersWorld(t *testing.T) {
	smallWorld(t, "4")
	mars(t, "synth", "--data", "data", "--tasks", "tasks.jsonl", "--model", "builtin", "--out", "run.db")
	t.Setenv("MARS_TEST_TOKEN", "t0k")
	recipe := "name: shaped\nparts: {format: {weight: 0.5}, ndcg: {weight: 2, at: 5}, mrr: {weight: 0.3}, grounded: {weight: 1.5}, economy: {weight: 0.1, calls: 6}}\n"
	if err := os.WriteFile("reward.yaml", []byte(recipe), 0o644); err != nil {
		t.Fatal(err)
	}
	shaped, err := reward.Compose(strings.NewReader(recipe))
	if err != nil {
		t.Fatal(err)
	}
	playAgain(t, reward.Paper)
	playAgain(t, shaped.Score, "--reward", "reward.yaml")
}

// playAgain plays the runs of run.db through mars env and expects the rewards
// that they have by want.
func playAgain(t *testing.T, want reward.Reward, flags ...string) {
	t.Helper()
	url, stop := serving(t, append([]string{"env", "--data", "data", "--tasks", "tasks.jsonl", "--gold", "gold.jsonl", "--token-env", "MARS_TEST_TOKEN"}, flags...)...)
	st, err := store.Open(t.Context(), "run.db", store.Config{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	golds, err := gold.ReadFile("gold.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	runs := 0
	for tr, err := range st.Trajectories(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		runs++
		messages, err := trajectories.Serialize(tr, trajectories.Linear{})
		if err != nil {
			t.Fatal(err)
		}
		scored, err := want(t.Context(), tr, golds[tr.Run.ID])
		if err != nil {
			t.Fatal(err)
		}
		var begun struct {
			Session  string
			Messages []struct{ Role, Content string }
		}
		if status := ask(t, "POST", url+"/v1/sessions", "t0k", map[string]string{"task": tr.Run.ID}, &begun); status != 201 {
			t.Fatal(status)
		}
		for i, m := range begun.Messages {
			if m.Content != messages[i].Content {
				t.Errorf("%s: message %d is\n%s\nthe row's is\n%s", tr.Run.ID, i, m.Content, messages[i].Content)
			}
		}
		var heard struct {
			Messages        []struct{ Content string }
			Reward          *float64
			Scorer, Version string
		}
		for i := 2; i < len(messages); i++ {
			m := messages[i]
			if m.Role == model.ToolRole {
				if got := heard.Messages[0].Content; got != m.Content {
					t.Errorf("%s: %s answers\n%s\nin the run\n%s", tr.Run.ID, m.Name, got, m.Content)
				}
				heard.Messages = heard.Messages[1:]
				continue
			}
			said := map[string]any{"role": "assistant", "content": m.Content}
			var calls []any
			for _, c := range m.ToolCalls {
				calls = append(calls, chatCall(c))
			}
			if calls != nil {
				said["tool_calls"] = calls
			}
			heard.Messages = nil
			if status := ask(t, "POST", url+"/v1/sessions/"+begun.Session+"/step", "t0k", map[string]any{"message": said}, &heard); status != 200 {
				t.Fatal(status)
			}
		}
		if heard.Reward == nil || *heard.Reward != scored.Value || heard.Scorer != scored.Scorer || heard.Version != scored.Version {
			t.Errorf("%s: the environment gives %+v, mars score %+v", tr.Run.ID, heard, scored)
		}
	}
	if runs != 4 {
		t.Errorf("%d runs", runs)
	}
	var refused any
	for path, token := range map[string]string{"/v1/tasks": "", "/list_environments": "x", "/mcp": ""} {
		if status := statusOf(t, url+path, token); status != 401 {
			t.Errorf("%s without its token: %d", path, status)
		}
	}
	if status := ask(t, "GET", url+"/openapi.json", "", nil, &refused); status != 200 {
		t.Errorf("the description: %d", status)
	}
	if code := stop(); code != exitOK {
		t.Errorf("exit code %d after an interrupt", code)
	}
}

func statusOf(t *testing.T, url, token string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// TestMCP: over streamable HTTP, and over standard input and output, where
// nothing but the protocol is written.
func TestMCP(t *testing.T) {
	smallWorld(t, "2")
	url, stop := serving(t, "mcp", "--data", "data", "--tasks", "tasks.jsonl", "--gold", "gold.jsonl")
	client := sdk.NewClient(&sdk.Implementation{Name: "test"}, nil)
	play := func(transport sdk.Transport) {
		s, err := client.Connect(t.Context(), transport, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		task := firstTask(t)
		r, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: "begin", Arguments: map[string]string{"task": task}})
		if err != nil || r.IsError {
			t.Fatal(r, err)
		}
		r, err = s.CallTool(t.Context(), &sdk.CallToolParams{Name: "answer", Arguments: map[string]string{"text": "no answer"}})
		if err != nil || r.IsError {
			t.Fatal(r, err)
		}
		if got, _ := r.StructuredContent.(map[string]any); got["reward"] != -1.0 {
			t.Errorf("no answer is worth %v", got)
		}
	}
	play(&sdk.StreamableClientTransport{Endpoint: url})
	if code := stop(); code != exitOK {
		t.Errorf("exit code %d after an interrupt", code)
	}

	in, ours := io.Pipe()
	theirs, out := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(t.Context(), []string{"mcp", "--data", "data", "--tasks", "tasks.jsonl", "--gold", "gold.jsonl"}, in, out, io.Discard, time.Now)
		out.Close()
	}()
	play(&sdk.IOTransport{Reader: theirs, Writer: ours})
	if code := <-code; code != exitOK {
		t.Errorf("exit code %d at the end of the input", code)
	}
}

func firstTask(t *testing.T) string {
	golds, err := gold.ReadFile("gold.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for id := range golds {
		return id
	}
	return ""
}
