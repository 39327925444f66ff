package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestKeyIsNowhere runs the teacher against a server that repeats the key in
// its error: no file that is made has it, nor has what is said.
func TestKeyIsNowhere(t *testing.T) {
	smallWorld(t, "2")
	const key = "sk-0123456789abcdef"
	t.Setenv("OPENAI_API_KEY", key)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, `{"error":{"message":"wrong key: `+r.Header.Get("Authorization")+`","type":"auth"}}`) //nolint:errcheck // then the test fails
	}))
	defer server.Close()
	var said bytes.Buffer
	args := []string{"synth", "--data", "data", "--tasks", "tasks.jsonl", "--model", "openai:x", "--base-url", server.URL, "--attempts", "1", "--out", "run.db"}
	if code := run(context.Background(), args, strings.NewReader(""), &said, &said, time.Now); code != exitFailure {
		t.Errorf("exit %d: %s", code, said.String())
	}
	if !strings.Contains(said.String(), "wrong key") || strings.Contains(said.String(), key) {
		t.Errorf("it says %s", said.String())
	}
	files, err := filepath.Glob("run.db*")
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil || bytes.Contains(b, []byte(key)) {
			t.Errorf("%s holds the key, or cannot be read: %v", name, err)
		}
	}
}

// TestBaseURLHasNoSecrets refuses base URLs that would be kept with the runs.
func TestBaseURLHasNoSecrets(t *testing.T) {
	flags := modelFlags{attempts: 1}
	for _, spec := range []string{"openai:x@https://user:hush@host/v1", "openai:x@https://hush@host/v1", "langchain:ollama/x@http://host/v1?key=hush", "openai:x@http://host/hush\x7f"} {
		_, _, err := flags.open(spec)
		if err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", spec, err)
		}
	}
}
