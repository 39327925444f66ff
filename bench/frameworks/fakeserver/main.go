// Command fakeserver answers like OpenAI's chat completions API, after a fixed
// time, with replies of the sizes of real ones. Who asks is told by the system
// prompt, and what is said is made of the role and the user, so every side of
// the comparison hears the same.
//
//	POST /v1/chat/completions   a reply, LATENCY after the request was read
//	GET  /stats                 calls, bytes and the most calls at once since the last reset
//	POST /reset?latency=20ms    counts from 0, and sets the time
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mars-rec/mars/bench/frameworks/workload"
)

// server counts what it is asked.
type server struct {
	latency               atomic.Int64
	calls, bytes          atomic.Int64
	inFlight, most, wrong atomic.Int64
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func main() {
	log.SetFlags(0)
	debug.SetGCPercent(400)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("http://%s\n", l.Addr()) // whoever started it reads where it is
	go func() {                         // and ends it by closing its input
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	s := &server{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", s.complete)
	mux.HandleFunc("GET /stats", s.stats)
	mux.HandleFunc("POST /reset", s.reset)
	log.Fatal(http.Serve(l, mux))
}

func (s *server) complete(w http.ResponseWriter, r *http.Request) {
	buf := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(buf)
	buf.Reset()
	if _, err := buf.ReadFrom(r.Body); err != nil {
		return
	}
	due := time.Duration(s.latency.Load())
	n := s.inFlight.Add(1)
	for most := s.most.Load(); n > most && !s.most.CompareAndSwap(most, n); most = s.most.Load() {
	}
	s.calls.Add(1)
	s.bytes.Add(int64(buf.Len()))
	reply, ok := answer(buf.Bytes())
	if !ok {
		s.wrong.Add(1)
	}
	time.Sleep(due)
	s.inFlight.Add(-1)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(reply)))
	_, _ = w.Write(reply)
}

// answer writes the reply to a request.
func answer(request []byte) ([]byte, bool) {
	_, after, _ := bytes.Cut(request, []byte(`You are the `))
	role, _, _ := bytes.Cut(after, []byte(" "))
	_, after, ok := bytes.Cut(after, []byte(`User u`))
	if !ok || len(after) < 7 {
		return nil, false
	}
	number := string(after[:7])
	user, _ := strconv.Atoi(number)
	seed := uint64(len(role))
	told := bytes.Contains(request, []byte(`"role":"tool"`))
	if string(role) == "analyst" { // each says something else
		_, after, _ = bytes.Cut(after, []byte("You are the "))
		seed = uint64(after[0])<<8 | uint64(after[1])
	}
	draw := rand.New(rand.NewPCG(uint64(user), seed))
	message, finish := map[string]any{"role": "assistant", "content": nil, "refusal": nil}, "stop"
	switch {
	case string(role) == "planner":
		p := workload.Plan{Summary: workload.Words(draw, 30)}
		for _, r := range workload.Analysts {
			p.Subtasks = append(p.Subtasks, workload.Subtask{Role: r, Goal: workload.Words(draw, 20)})
		}
		text, _ := json.Marshal(p)
		message["content"] = string(text)
	case string(role) == "ranker":
		r := workload.Ranking{Justification: workload.Words(draw, 60)}
		for _, i := range draw.Perm(workload.Candidates) {
			r.Ranking = append(r.Ranking, fmt.Sprintf("c%02d", i+1))
		}
		text, _ := json.Marshal(r)
		message["content"] = string(text)
	case string(role) == "analyst" && !told:
		finish = "tool_calls"
		message["tool_calls"] = []any{map[string]any{"id": fmt.Sprintf("call_%016x", draw.Uint64()), "type": "function",
			"function": map[string]any{"name": "item_cf", "arguments": `{"user": "u` + number + `", "k": 20}`}}}
	default:
		message["content"] = workload.Words(draw, 110)
	}
	reply, err := json.Marshal(map[string]any{
		"id": fmt.Sprintf("chatcmpl-%016x", draw.Uint64()), "object": "chat.completion", "created": 1767225600, "model": "bench-1",
		"choices": []any{map[string]any{"index": 0, "message": message, "logprobs": nil, "finish_reason": finish}},
		"usage": map[string]any{"prompt_tokens": len(request) / 4, "completion_tokens": 170, "total_tokens": len(request)/4 + 170,
			"prompt_tokens_details":     map[string]any{"cached_tokens": 256, "audio_tokens": 0},
			"completion_tokens_details": map[string]any{"reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}},
		"service_tier": "default", "system_fingerprint": "fp_44709d6fcb",
	})
	return reply, err == nil
}

func (s *server) stats(w http.ResponseWriter, _ *http.Request) {
	_ = json.NewEncoder(w).Encode(map[string]int64{
		"calls": s.calls.Load(), "bytes": s.bytes.Load(), "most": s.most.Load(), "wrong": s.wrong.Load()})
}

func (s *server) reset(w http.ResponseWriter, r *http.Request) {
	d, err := time.ParseDuration(r.FormValue("latency"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.latency.Store(int64(d))
	for _, n := range []*atomic.Int64{&s.calls, &s.bytes, &s.most, &s.wrong} {
		n.Store(0)
	}
}
