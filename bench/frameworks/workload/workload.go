// Package workload is what every side of the comparison does: the task, the
// prompts, the tools and what is read of the replies. A side adds nothing to it
// but how it calls models and tools, one after the other or at once.
//
//	task ─> planner ─> 4 analysts at once ─> reflector ─> ranker ─> ranking
//	        1 call     2 calls, 1 tool each  1 call       1 call
//
// That is 11 calls of a model and 4 of a tool for a trajectory, five calls of a
// model one after the other. Texts are made of a seed and differ by task:
//
//	                     short     long
//	system prompt        0.7 kB    0.7 kB
//	question             1.2 kB    3 kB
//	a tool's answer      0.8 kB    2.5 kB
//	reply                0.7 kB    0.7 kB
//	sent, in all          36 kB     65 kB   11 requests, with the tools' schemas
package workload

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
)

// What a trajectory comes to.
const (
	Calls     = 11 // of a model
	ToolCalls = 4
	Depth     = 5 // calls of a model that wait for one another
)

// Candidates is how many items a task ranks.
const Candidates = 20

// Analysts are the roles that work at once.
var Analysts = []string{"profile", "historical", "recent", "divergence"}

// users is how many users have texts of their own; beyond them they repeat.
const users = 1024

// World has the texts of the users. It is immutable.
type World struct {
	long                  bool
	histories, candidates [users]string
}

// NewWorld makes the texts, the same on every call.
func NewWorld(long bool) *World {
	w := &World{long: long}
	for u := range w.histories {
		draw := rand.New(rand.NewPCG(uint64(u), 0x776f726c64))
		w.histories[u], w.candidates[u] = w.list(draw, "h", 5), w.list(draw, "c", Candidates)
		if long {
			w.histories[u] += w.list(draw, "g", 9)
		}
	}
	return w
}

// list writes items as a prompt shows them.
func (w *World) list(draw *rand.Rand, prefix string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s%02d | %s | %s\n", prefix, i+1, Words(draw, 3), Words(draw, 1))
		if w.long {
			fmt.Fprintf(&b, "    by %s, %d; %s; rated %d of 5\n", Words(draw, 2), 1950+draw.IntN(74), Words(draw, 4), 1+draw.IntN(5))
		}
	}
	return b.String()
}

// Answer is what a tool says: JSON made of the user and of what is asked.
func (w *World) Answer(tool string, a Arguments) json.RawMessage {
	if w.long {
		return answer(tool, a, Candidates)
	}
	return answer(tool, a, 7)
}

// Task is one user's, with the texts of its prompts.
type Task struct {
	N                   int
	User                string // "u0000017"
	history, candidates string
}

// Task returns the nth task.
func (w *World) Task(n int) Task {
	return Task{n, fmt.Sprintf("u%07d", n), w.histories[n%users], w.candidates[n%users]}
}

// Planner is the question to the planner.
func (t Task) Planner() string {
	return "User " + t.User + " is to choose among these candidates:\n" + t.candidates +
		"\nThe user's latest interactions, the newest last:\n" + t.history +
		"\nGive each of the analysts profile, historical, recent and divergence one subtask.\n"
}

// Analyst is the question to an analyst, whose goal the plan gives.
func (t Task) Analyst(role, goal string) string {
	return "User " + t.User + ". You are the " + role + " analyst. Your subtask: " + goal +
		"\n\nThe candidates:\n" + t.candidates + "\nThe user's latest interactions:\n" + t.history +
		"\nCall a tool for evidence, then say what it means for the candidates.\n"
}

// Reflector is the question to the reflector.
func (t Task) Reflector(plan string, analyses []string) string {
	return "User " + t.User + ". The plan: " + plan + "\n\n" + findings(analyses) +
		"\nThe candidates:\n" + t.candidates + "\nSay whether the findings bear what they claim.\n"
}

// Ranker is the question to the ranker.
func (t Task) Ranker(analyses []string, reflection string) string {
	return "User " + t.User + ".\n\n" + findings(analyses) + "\nThe reflection: " + reflection +
		"\n\nThe candidates:\n" + t.candidates + "\nRank all of them, best first.\n"
}

func findings(analyses []string) string {
	var b strings.Builder
	for i, text := range analyses {
		b.WriteString("Findings of the " + Analysts[i] + " analyst:\n" + text + "\n")
	}
	return b.String()
}

// Plan is what is read of the planner's reply.
type Plan struct {
	Summary  string    `json:"summary"`
	Subtasks []Subtask `json:"subtasks"`
}

// Subtask is one analyst's part of a plan.
type Subtask struct {
	Role string `json:"role"`
	Goal string `json:"goal"`
}

// ReadPlan reads the planner's reply.
func ReadPlan(reply string) (Plan, error) {
	var p Plan
	if err := json.Unmarshal([]byte(reply), &p); err != nil {
		return p, fmt.Errorf("plan: %w", err)
	}
	return p, nil
}

// Goal returns the goal of a role.
func (p Plan) Goal(role string) string {
	for _, s := range p.Subtasks {
		if s.Role == role {
			return s.Goal
		}
	}
	return ""
}

// Ranking is what is read of the ranker's reply.
type Ranking struct {
	Ranking       []string `json:"ranking"` // labels, best first
	Justification string   `json:"justification"`
}

// ReadRanking reads the ranker's reply, which must have a label for each
// candidate.
func ReadRanking(reply string) (Ranking, error) {
	var r Ranking
	if err := json.Unmarshal([]byte(reply), &r); err != nil {
		return r, fmt.Errorf("ranking: %w", err)
	}
	if len(r.Ranking) != Candidates {
		return r, fmt.Errorf("the ranking has %d of %d candidates", len(r.Ranking), Candidates)
	}
	return r, nil
}
