// Package environment is the world that a student is trained in: for each task
// the prompt, the tools as of the task's moment, and at the end the reward.
//
//	Open ─> Begin(task) ─> Prompt   system and user, the bytes of the training rows
//	                        │
//	                       Call*    item_cf {"window": "all"} ─> the tool's answer
//	                        │       Step*: a whole message with its calls
//	                       Answer   <plan>…<recommend>[…] ─> reward, and the session has ended
//
// A [Session] is one episode over one task. What it shows is what a training row
// shows: the prompt is that of [trajectories.Opening], the tools tell themselves
// by their [model.ToolSpec], their answers are those of [tools.Result]. What it
// gives at the end is what [reward.Conversation], or a [reward.Composition], says
// of the conversation, so that an environment, a recorded run and the Python
// trainer agree to the digit.
//
// The package speaks no protocol. Its three faces are packages of their own:
// rest (plain HTTP with an OpenAPI description), ors (Open Reward Standard) and
// mcp (Model Context Protocol).
//
// # What stays inside
//
// Gold is read when an answer is judged and leaves only as the reward and the
// parts that it is the sum of. Those that weigh nothing, and the rank of the
// right item, which the score knows too, are dropped. Sessions are named by random ids that cannot be guessed, know
// nothing of one another, and are bounded in number, calls, bytes and idle time.
package environment

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/reward"
)

// Errors of sessions. A face gives each its protocol's form.
var (
	ErrNoSession = errors.New("there is no such session: it never was, has ended, or was idle for too long")
	ErrNoTask    = errors.New("there is no such task")
	ErrFull      = errors.New("all sessions are taken: end some, or try again later")
	ErrBegun     = errors.New("the session has a task already")
	ErrNotBegun  = errors.New("the session has no task yet")
	ErrEnded     = errors.New("the session has been answered: nothing more can be done in it")
	ErrSpent     = errors.New("the session has said all that it may: only a shorter answer is taken")
)

// Config of an environment. What is not said to be optional must be there.
type Config struct {
	Tasks  []tasks.Task
	Source tasks.Source
	Tools  []tools.Named        // in the order in which the student is told of them; none only where the form is without
	Form   trajectories.Form    // of the team that taught the student: which conversation is well formed
	Detail trajectories.Detail  // how much the student is told
	Gold   map[string]gold.Gold // by task; nil: answers get no reward. Otherwise every task has one
	Reward *reward.Composition  // of an answer; nil: the paper's

	Sessions int              // open at once; 0: 1024
	Idle     time.Duration    // after which a session is gone; 0: 15 minutes
	Calls    int              // of tools in one session; 0: 64
	Bytes    int              // said and heard in one session; 0: 4 MB
	Wait     time.Duration    // for one tool; 0: 20 seconds
	Clock    func() time.Time // nil: time.Now
	Random   io.Reader        // of session ids; nil: crypto/rand
	Report   func(error)      // is told of a failure whose cause clients do not hear; nil: nobody
}

func (c Config) withDefaults() Config {
	c.Sessions = orDefault(c.Sessions, 1024)
	c.Idle = orDefault(c.Idle, 15*time.Minute)
	c.Calls = orDefault(c.Calls, 64)
	c.Bytes = orDefault(c.Bytes, 4<<20)
	c.Wait = orDefault(c.Wait, 20*time.Second)
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.Report == nil {
		c.Report = func(error) {}
	}
	return c
}

func orDefault[N int | time.Duration](n, otherwise N) N {
	if n == 0 {
		return otherwise
	}
	return n
}

// Environment is the sessions over a list of tasks. It is safe for concurrent
// use and starts no goroutine.
type Environment struct {
	cfg   Config
	index map[string]int // of tasks, by id
	specs []model.ToolSpec
	told  string // what every student is told first
	// reward is what answers are judged by.
	reward reward.Description

	mu       sync.Mutex
	sessions map[string]*Session
}

// New makes an environment. It checks every task, and its gold where there is
// gold.
func New(cfg Config) (*Environment, error) {
	e := &Environment{cfg: cfg.withDefaults(), index: map[string]int{}, sessions: map[string]*Session{}}
	switch {
	case len(cfg.Tasks) == 0:
		return nil, errors.New("environment: there are no tasks")
	case cfg.Source == nil || len(cfg.Form.Roles) == 0:
		return nil, errors.New("environment: source or roles are missing")
	case len(cfg.Tools) == 0 && cfg.Form.Wants(trajectories.ToolPhase):
		return nil, errors.New("environment: tools are missing, without which no answer is well formed")
	}
	if err := cfg.Form.Check(); err != nil {
		return nil, fmt.Errorf("environment: %w", err)
	}
	for i, t := range cfg.Tasks {
		if _, ok := e.index[t.ID]; ok {
			return nil, fmt.Errorf("environment: task %s is there twice", t.ID)
		}
		e.index[t.ID] = i
		if err := t.Check(); err != nil {
			return nil, fmt.Errorf("environment: %w", err)
		}
		if cfg.Gold == nil {
			continue
		}
		g, ok := cfg.Gold[t.ID]
		if !ok {
			return nil, fmt.Errorf("environment: task %s has no gold", t.ID)
		}
		if err := (gold.Case{Task: t, Gold: g}).Check(); err != nil {
			return nil, fmt.Errorf("environment: %w", err)
		}
	}
	for _, t := range cfg.Tools {
		if t.Name == AnswerSpec().Name {
			return nil, fmt.Errorf("environment: a tool has the name %s, which ends an episode", t.Name)
		}
		e.specs = append(e.specs, t.ToolSpec)
	}
	var err error
	if e.reward, err = reward.Describe(cfg.Reward); err != nil {
		return nil, err
	}
	if e.specs, err = cfg.Detail.Specs(e.specs); err != nil {
		return nil, fmt.Errorf("environment: %w", err)
	}
	opening, err := cfg.Detail.Opening(tasks.Task{}, nil)
	if err != nil {
		return nil, err
	}
	e.told = opening[0].Content
	return e, nil
}

// System is the system message, which is that of every task.
func (e *Environment) System() string { return e.told }

// Tasks returns the tasks in their order. They must not be changed.
func (e *Environment) Tasks() []tasks.Task { return e.cfg.Tasks }

// Has reports whether there is a task of that id.
func (e *Environment) Has(id string) bool { _, ok := e.index[id]; return ok }

// Tools returns what the student is told of the tools, in order: the specs of
// the training rows. They must not be changed.
func (e *Environment) Tools() []model.ToolSpec { return e.specs }

// Idle is the time after which a session that is not used is gone.
func (e *Environment) Idle() time.Duration { return e.cfg.Idle }

// Reward says what answers are judged by, and false where there is no gold.
func (e *Environment) Reward() (reward.Description, bool) { return e.reward, e.cfg.Gold != nil }

// Scores reports whether answers are rewarded.
func (e *Environment) Scores() bool { return e.cfg.Gold != nil }

// Open makes a session that has no task yet. Where all are taken, one that has
// been answered makes room; if there is none, it is [ErrFull].
func (e *Environment) Open() (*Session, error) {
	id, err := e.Token()
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.cfg.Clock()
	var answered *Session // the one that was used least recently
	for id, s := range e.sessions {
		if now.Sub(s.used) >= e.cfg.Idle {
			delete(e.sessions, id)
		} else if s.answered && (answered == nil || s.used.Before(answered.used)) {
			answered = s
		}
	}
	if len(e.sessions) >= e.cfg.Sessions {
		if answered == nil {
			return nil, ErrFull
		}
		delete(e.sessions, answered.id)
	}
	s := &Session{id: id, env: e, used: now}
	e.sessions[id] = s
	return s, nil
}

// Start opens a session and begins a task in it.
func (e *Environment) Start(ctx context.Context, task string) (*Session, error) {
	s, err := e.Open()
	if err != nil {
		return nil, err
	}
	if err := s.Begin(ctx, task); err != nil {
		e.End(s.id)
		return nil, err
	}
	return s, nil
}

// Session returns the session of that id and counts as a use of it. One that
// does not exist, or was idle for too long, is [ErrNoSession].
func (e *Environment) Session(id string) (*Session, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s, ok := e.sessions[id]
	if !ok {
		return nil, ErrNoSession
	}
	now := e.cfg.Clock()
	if now.Sub(s.used) >= e.cfg.Idle {
		delete(e.sessions, id)
		return nil, ErrNoSession
	}
	s.used = now
	return s, nil
}

// End forgets a session, if there is one of that id.
func (e *Environment) End(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.sessions, id)
}

// answeredBy notes that a session may make room for another.
func (e *Environment) answeredBy(s *Session) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s.answered = true
}

// Token returns a name that cannot be guessed: 128 random bits in hex.
func (e *Environment) Token() (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(e.cfg.Random, b[:]); err != nil {
		return "", fmt.Errorf("environment: random id: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}
