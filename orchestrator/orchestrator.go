// Package orchestrator runs a team on a task, and on many tasks.
//
// The workflow is data: a [Team] of seats, a checked DAG. For each task the
// [Orchestrator] opens the view of the data, makes the tools for it, seats the
// agents on a bus and puts the task to the conductor, which leads the team
// layer by layer:
//
//	task ─> planner ─> analysts (all at once) ─> reflector ─> ranker ─> ranking
//	                       ^                        │
//	                       └── subtasks, at most ───┘
//	                           Rounds times
//
// Everything that is said goes to a [message.Log]; every fact comes from a
// [agents.Record] if it is known there. The orchestrator cannot tell a live run
// from a replay, a resumed run or a fork: they differ only in the record that
// they are given.
package orchestrator

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mars-rec/mars/agents"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/membus"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tools"
)

// The two addresses that no seat can have.
const (
	UserAddress message.Address = "user" // who asks
	TeamAddress message.Address = "team" // the conductor
)

// Model is a model under the name that the user gave it. The name is part of
// the digest of each request.
type Model struct {
	Name string
	model.Model
}

// Config is what an [Orchestrator] works with.
type Config struct {
	Team   Team         // the zero Team is DefaultTeam
	Source tasks.Source // opens the data as of a task's moment
	Tools  []tools.Named
	// Cast makes the agent of a seat for one view of the data.
	Cast func(agents.Seat, tasks.View) (agents.Agent, error)

	Model  Model            // of every seat that names no other
	Models map[string]Model // by the name that a seat gives

	Seed     int64          // each run's requests carry a seed made of it and the run's id
	Sampling model.Sampling // of every request; its Seed is set from Seed

	Bus func() message.Bus // nil: in process
	// Outside has the seats whose agents are in other processes and the bus
	// that reaches each; Cast makes none of them. A nil bus is for runs whose
	// record knows their answers.
	Outside map[message.Address]message.Bus

	Clock func() time.Time // nil: time.Now; only Meta depends on it
}

// Orchestrator runs one team. It is safe for concurrent use.
type Orchestrator struct {
	cfg       Config
	conductor *conductor
	digests   map[message.Address]*model.Digests // of each seat's requests
}

// New checks the configuration.
func New(cfg Config) (*Orchestrator, error) {
	if len(cfg.Team.Seats) == 0 {
		cfg.Team = DefaultTeam()
	}
	if err := cfg.Team.Check(); err != nil {
		return nil, err
	}
	if cfg.Source == nil || cfg.Cast == nil {
		return nil, errors.New("orchestrator: Source and Cast are required")
	}
	for _, s := range cfg.Team.Seats {
		if _, ok := cfg.Outside[s.Name]; ok {
			continue
		}
		if _, ok := cfg.Models[s.Model]; s.Model != "" && !ok {
			return nil, fmt.Errorf("orchestrator: %s speaks with the model %q, which is not there", s.Name, s.Model)
		}
		if s.Model == "" && cfg.Model.Model == nil {
			return nil, fmt.Errorf("orchestrator: %s has no model", s.Name)
		}
		for _, name := range s.Tools {
			if !slices.ContainsFunc(cfg.Tools, func(n tools.Named) bool { return n.Name == name }) {
				return nil, fmt.Errorf("orchestrator: %s may call the tool %q, which is not there", s.Name, name)
			}
		}
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	o := &Orchestrator{cfg, newConductor(cfg.Team), map[message.Address]*model.Digests{}}
	for _, s := range cfg.Team.Seats {
		o.digests[s.Name] = model.NewDigests(o.model(s).Name)
	}
	return o, nil
}

// model is the one that a seat speaks with.
func (o *Orchestrator) model(s agents.Seat) Model {
	if s.Model != "" {
		return o.cfg.Models[s.Model]
	}
	return o.cfg.Model
}

// Team returns the workflow.
func (o *Orchestrator) Team() Team { return o.cfg.Team }

// Result is what a run came to.
type Result struct {
	Task          string
	Ranking       []string // item ids, all candidates, best first
	Justification string
}

// Run lets the team answer one task. Every message goes to log; record, which
// may be nil, answers the facts that are already known. An error is this run's
// failure: what had been said is in the log.
func (o *Orchestrator) Run(ctx context.Context, task tasks.Task, log message.Log, record agents.Record) (Result, error) {
	return o.RunAs(ctx, task.ID, task, log, record)
}

// RunAs is [Orchestrator.Run] for one of several runs of the same task, which go
// by ids of their own: each draws with the seed that its id makes.
func (o *Orchestrator) RunAs(ctx context.Context, run string, task tasks.Task, log message.Log, record agents.Record) (Result, error) {
	if err := task.Check(); err != nil {
		return Result{}, err
	}
	ctx, cancel := context.WithCancel(ctx) // ends what the agents serve
	defer cancel()
	bus, err := o.seat(ctx, run, task, log, record)
	if err != nil {
		return Result{}, err
	}
	body, err := message.Marshal(task)
	if err != nil {
		return Result{}, err
	}
	first := message.Envelope{ID: message.Root, From: UserAddress, To: TeamAddress, Kind: task.Kind(), Body: body}
	first.Meta.Time = o.cfg.Clock()
	if err := log.Append(ctx, first); err != nil {
		return Result{}, err
	}
	answer, err := bus.Request(ctx, first)
	if err != nil {
		return Result{}, err
	}
	answer.Meta.Time = o.cfg.Clock()
	if err := log.Append(ctx, answer.With(nil)); err != nil {
		return Result{}, err
	}
	return result(task, answer)
}

// seat puts the team on a bus.
func (o *Orchestrator) seat(ctx context.Context, run string, task tasks.Task, log message.Log, record agents.Record) (message.Bus, error) {
	view, err := o.cfg.Source.View(task)
	if err != nil {
		return nil, err
	}
	all, err := tools.Open(view, o.cfg.Tools...)
	if err != nil {
		return nil, err
	}
	var bus message.Bus = membus.New()
	if o.cfg.Bus != nil {
		bus = o.cfg.Bus()
	} else {
		ctx = context.WithoutCancel(ctx) // nobody else has the bus: it ends with the run, and need not be told
	}
	base := agents.Config{Run: run, Bus: bus, Log: log, Clock: o.cfg.Clock, Record: record, Sampling: o.cfg.Sampling, Outside: o.cfg.Outside}
	seed := runSeed(o.cfg.Seed, run)
	base.Sampling.Seed = &seed
	if err := agents.Serve(ctx, TeamAddress, o.conductor, base); err != nil {
		return nil, err
	}
	for _, s := range o.cfg.Team.Seats {
		if _, ok := o.cfg.Outside[s.Name]; ok {
			continue
		}
		agent, err := o.cfg.Cast(s, view)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
		cfg := base
		m := o.model(s)
		cfg.Model, cfg.Name, cfg.Digests = m.Model, m.Name, o.digests[s.Name]
		cfg.Tools = make(tools.Set, 0, len(s.Tools))
		for _, name := range s.Tools {
			tool, _ := all.Find(name) // New has checked that it is there
			cfg.Tools = append(cfg.Tools, tool)
		}
		if err := agents.Serve(ctx, s.Name, agent, cfg); err != nil {
			return nil, err
		}
	}
	return bus, nil
}

// result turns the team's labels into items. A ranking that is not a
// permutation of the candidates does not pass, whoever made it.
func result(task tasks.Task, answer message.Envelope) (Result, error) {
	rec, err := message.Decode[phase.Recommend](answer)
	if err != nil {
		return Result{}, err
	}
	r := Result{Task: task.ID, Justification: rec.Justification}
	seen := map[string]bool{}
	for _, label := range rec.Ranking {
		item, ok := task.Item(label)
		if !ok || seen[item] {
			return Result{}, fmt.Errorf("%s: the ranking names %s, which is no candidate or was named before", TeamAddress, label)
		}
		seen[item] = true
		r.Ranking = append(r.Ranking, item)
	}
	if len(r.Ranking) != len(task.Candidates) {
		return Result{}, fmt.Errorf("%s: the ranking names %d of %d candidates", TeamAddress, len(r.Ranking), len(task.Candidates))
	}
	return r, nil
}

// runSeed makes a run's own seed, so that a run does not depend on which others
// are made. 31 bits: what every provider takes.
func runSeed(seed int64, run string) int64 {
	h := sha256.New()
	binary.Write(h, binary.BigEndian, seed) //nolint:errcheck // a hash does not fail
	h.Write([]byte(run))
	return int64(binary.BigEndian.Uint32(h.Sum(nil)) >> 1)
}
