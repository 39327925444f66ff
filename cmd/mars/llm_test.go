package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
)

// serveLLM runs mars llm on a free port and returns its URL and a function that
// interrupts it and returns its exit code.
func serveLLM(t *testing.T, args ...string) (string, func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, append([]string{"llm", "--listen", "127.0.0.1:0"}, args...), strings.NewReader(""), w, io.Discard, time.Now)
		w.Close()
	}()
	t.Cleanup(cancel)
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("mars llm said %q: %v", line, err)
	}
	return strings.TrimSpace(line), func() int { cancel(); return <-code }
}

func TestLLMServesTheTeacher(t *testing.T) {
	url, stop := serveLLM(t)
	req := model.Request{
		Messages: []model.Message{{Role: model.System, Content: "Plan."}, {Role: model.User, Content: "c01 | Dune\n"}},
		Format:   &model.Format{Name: "plan", Schema: phase.PlanSchema([]string{"recent"})},
	}
	flags := modelFlags{attempts: 2, timeout: time.Minute, baseURL: url, format: "schema"}
	answers := map[string]string{}
	for _, spec := range []string{"builtin", "openai:builtin", "openai:builtin@" + url, "langchain:openai/builtin"} {
		m, _, err := flags.open(spec)
		if err != nil {
			t.Fatal(err)
		}
		reply, err := m.Generate(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		answers[reply.Message.Content] = spec
	}
	if len(answers) != 1 {
		t.Errorf("the teacher's answers differ: %v", answers)
	}
	if code := stop(); code != exitOK {
		t.Errorf("exit code %d after an interrupt", code)
	}
}

func TestLLMAsksForItsToken(t *testing.T) {
	t.Setenv(tokenVariable, "t0k")
	url, _ := serveLLM(t, "--name", "teacher")
	for key, want := range map[string]int{"": 401, "t0k": 200} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/models/teacher", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+key)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != want {
			t.Errorf("with the key %q: status %d, want %d", key, resp.StatusCode, want)
		}
	}
}
