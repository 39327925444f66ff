package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mars-rec/mars/agents"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/star"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/datasets"
	"github.com/mars-rec/mars/tools/stored"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/store"
)

// setup is what runs are made with. It is kept in the run store, so that a
// replay makes them with the same.
type setup struct {
	Data     string            `json:"data"` // the data set's directory
	Team     orchestrator.Team `json:"team"`
	Prompts  string            `json:"prompts,omitempty"` // folder that overrides the shipped prompts
	Model    string            `json:"model"`
	Seed     int64             `json:"seed"`
	Sampling model.Sampling    `json:"sampling,omitzero"`
	Stored   string            `json:"stored,omitempty"` // file of stored evidence: a path, or a name in the data set's directory
	Fork     *forked           `json:"fork,omitempty"`
	// Student says that the student works alone, with the tools of the team and
	// plans for its roles.
	Student bool `json:"student,omitempty"`
	// Detail is how much the student is told.
	Detail trajectories.Detail `json:"detail,omitempty"`
}

// workers is who works: the team, or the student alone.
func (s setup) workers() orchestrator.Team {
	if !s.Student {
		return hybridTeam(s.Team)
	}
	var names []string
	for _, spec := range toolSpecs(s.Team) {
		names = append(names, spec.Name)
	}
	return orchestrator.Team{Seats: []agents.Seat{star.Seat(names)}}
}

// seatsApart names the seats of a store's team that are not those of this one; nil
// if there are none, or the store does not tell.
func seatsApart(ctx context.Context, path string, team orchestrator.Team) error {
	st, err := openStore(ctx, path)
	if err != nil {
		return nil // that the store is of another team has been said
	}
	defer st.Close() // it was only read
	then, err := setupOf(st)
	if err != nil {
		return nil // as above
	}
	seats := map[message.Address][2]string{}
	for side, t := range []orchestrator.Team{then.workers(), team} {
		for _, seat := range t.Seats {
			b, err := json.Marshal(seat)
			if err != nil {
				return err
			}
			pair := seats[seat.Name]
			pair[side] = string(b)
			seats[seat.Name] = pair
		}
	}
	var apart []string
	for _, name := range slices.Sorted(maps.Keys(seats)) {
		switch pair := seats[name]; {
		case pair[1] == "":
			apart = append(apart, string(name)+" is missing here")
		case pair[0] == "":
			apart = append(apart, string(name)+" is new")
		case pair[0] != pair[1]:
			apart = append(apart, string(name)+" differs")
		}
	}
	if then.workers().Rounds != team.Rounds {
		apart = append(apart, fmt.Sprintf("rounds: %d, then %d", then.workers().Rounds, team.Rounds))
	}
	if len(apart) == 0 {
		return nil
	}
	return fmt.Errorf("of the team, %s", strings.Join(apart, ", "))
}

// forked says that runs are made with something else up to a point.
type forked struct {
	Origin trajectories.Origin `json:"origin"`
	Then   setup               `json:"then"` // what the run was made with that they come from
}

// open opens the data set that the runs were made with, or the one at dir if
// that is not empty.
func (s setup) open(dir string) (*datasets.Dataset, error) {
	d, err := datasets.Open(cmp.Or(dir, s.Data))
	return d, hinted(err, "--data names the data set if it is no longer there")
}

// works is a team that is ready to run, and what it stands on.
type works struct {
	*orchestrator.Orchestrator
	data    *datasets.Dataset
	stored  *stored.Store // nil: none
	made    string        // fingerprint of the data set that the answers are of; "": its own
	prompts string        // their digest
	cfg     orchestrator.Config
	origin  *trajectories.Origin // of forks; nil: they are none
}

// of returns the team that makes the run of that id. Each fork draws with a
// seed of its own, or all would say the same.
func (w *works) of(run string) (*orchestrator.Orchestrator, error) {
	if w.origin == nil {
		return w.Orchestrator, nil
	}
	cfg := w.cfg
	cfg.Seed += int64(w.origin.Number(run))
	return orchestrator.New(cfg)
}

// timed lets the team tell the time by the program's clock.
func (w *works) timed(now func() time.Time) (err error) {
	w.cfg.Clock = now
	w.Orchestrator, err = orchestrator.New(w.cfg)
	return err
}

// again lets the team make a recorded run once more, with the seed that it had.
func (w *works) again(ctx context.Context, run trajectories.Run, log message.Log, record agents.Record) (orchestrator.Result, error) {
	team, err := w.of(run.ID)
	if err != nil {
		return orchestrator.Result{}, err
	}
	if w.origin != nil { // what tells forks apart is the seed of their team
		return team.Run(ctx, run.Task, log, record)
	}
	return team.RunAs(ctx, run.ID, run.Task, log, record)
}

// Close releases what assemble opened.
func (w *works) Close() error {
	if w.stored == nil {
		return nil
	}
	return w.stored.Close()
}

// dataDigest identifies what tools answer from.
func (w *works) dataDigest() string {
	digest := cmp.Or(w.made, w.data.Manifest().Fingerprint())
	if w.stored != nil {
		digest += withEvidence + w.stored.Header().Content
	}
	return digest
}

// goesOnAs makes the works those of the data set as it had that fingerprint, if
// it answers each task still as it did then: what was appended since is later.
func (w *works) goesOnAs(fingerprint string, list ...tasks.Task) {
	for _, t := range list {
		if w.data.Manifest().Holds(fingerprint, t.AsOf) != nil {
			return
		}
	}
	w.made = fingerprint
}

// standAs is goesOnAs for the runs of a store. It tells of how many what was
// known has changed.
func (w *works) standAs(ctx context.Context, a *app, st *store.Store) error {
	made, total, changed := fingerprintOf(st), 0, 0
	for r, err := range st.Runs(ctx) {
		if err != nil {
			return storeError(err)
		}
		total++
		if err := w.data.Manifest().Holds(made, r.Task.AsOf); errors.Is(err, datasets.ErrOtherData) {
			return nil // told as a difference
		} else if err != nil {
			changed++
		}
	}
	if changed == 0 {
		w.made = made
		return nil
	}
	a.notef("note: interactions from before the moments of %s of %s runs were appended to %s: what was known then has changed",
		thousands(int64(changed)), thousands(int64(total)), w.data.Dir())
	return nil
}

const withEvidence = " with evidence "

// fingerprintOf returns the fingerprint of the data set that a store's runs
// were made with.
func fingerprintOf(st *store.Store) string {
	fingerprint, _, _ := strings.Cut(st.Manifest().Data, withEvidence)
	return fingerprint
}

// assemble wires the team to the data, to its tools and to its models.
func (s setup) assemble(ctx context.Context, data *datasets.Dataset, open func(spec string) (model.Model, error)) (_ *works, err error) {
	w := &works{data: data}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	named := toolbox(data.Manifest().Recipe.Format)
	if s.Stored != "" {
		if w.stored, named, err = openStored(ctx, data, s.Stored); err != nil {
			return nil, err
		}
	}
	cfg := orchestrator.Config{
		Team: s.workers(), Source: data,
		Tools:    named,
		Models:   map[string]orchestrator.Model{},
		Seed:     s.Seed,
		Sampling: s.Sampling,
	}
	if cfg.Cast, w.prompts, err = s.cast(); err != nil {
		return nil, err
	}
	for spec := range s.models() {
		m, err := open(bare(spec))
		if err != nil {
			return nil, err
		}
		cfg.Models[spec] = orchestrator.Model{Name: bare(spec), Model: m}
	}
	cfg.Model = cfg.Models[s.Model]
	if s.Fork != nil {
		w.origin = &s.Fork.Origin
	}
	w.cfg = cfg
	w.Orchestrator, err = orchestrator.New(cfg)
	return w, err
}

// cast returns what makes the agents, and the digest of their prompts. Those of
// a fork have the prompts of then until the point.
func (s setup) cast() (func(agents.Seat, tasks.View) (agents.Agent, error), string, error) {
	cast, digest, err := s.castNow()
	if err != nil || s.Fork == nil {
		return cast, digest, err
	}
	then, _, err := s.Fork.Then.cast()
	return func(seat agents.Seat, view tasks.View) (agents.Agent, error) {
		before, err := then(seat, view)
		if err != nil {
			return nil, err
		}
		after, err := cast(seat, view)
		return agents.From(s.Fork.Origin.At, before, after), err
	}, digest, err
}

// castNow is cast for runs that are no forks.
func (s setup) castNow() (func(agents.Seat, tasks.View) (agents.Agent, error), string, error) {
	if s.Student {
		student := star.Config{Form: formOf(s.Team), Detail: s.Detail}
		digest, err := s.Detail.OpeningDigest()
		return func(_ agents.Seat, view tasks.View) (agents.Agent, error) { return student.Agent(view), nil }, digest, err
	}
	if err := s.checkHybrid(); err != nil {
		return nil, "", err
	}
	flags := teamFlags{prompts: s.Prompts}
	book, err := flags.book(s.Team)
	if err != nil {
		return nil, "", err
	}
	digest, err := book.Digest()
	if err != nil || !isHybrid(s.Team) {
		return book.Cast, digest, err
	}
	opening, err := s.Detail.OpeningDigest()
	return s.castHybrid(book.Cast), digest + " with the student's " + opening, err
}

// models returns the specs of all models, each with the roles that speak with
// it; [trajectories.Everyone] stands for those that name none.
func (s setup) models() map[string][]string {
	specs := map[string][]string{s.Model: {trajectories.Everyone}}
	for _, seat := range s.workers().Seats {
		if seat.Model != "" {
			specs[seat.Model] = append(specs[seat.Model], string(seat.Name))
		}
	}
	return specs
}

// manifest says what runs made with the setup have in common.
func (s setup) manifest(w *works) (trajectories.Manifest, error) {
	m := trajectories.Manifest{Prompts: w.prompts, Models: map[string]string{}, Seed: s.Seed, Data: w.dataDigest()}
	for spec, roles := range s.models() {
		name := spec
		if path, ok := strings.CutPrefix(bare(spec), "builtin:"); ok { // other weights in the same file are another model
			weights, err := fileDigest(path)
			if err != nil {
				return m, err
			}
			name += " sha256:" + weights
		}
		for _, role := range roles {
			m.Models[role] = name
		}
	}
	if s.Fork != nil {
		m.Origin = &s.Fork.Origin
	}
	team, err := message.Marshal(s.Team)
	if err != nil {
		return m, err
	}
	m.Team = fmt.Sprintf("%x", sha256.Sum256(team))
	m.Without = formOf(s.Team).Without
	if s.Student {
		m.Team = "student of " + m.Team
	}
	if s.Sampling != (model.Sampling{}) {
		sampling, err := message.Marshal(s.Sampling)
		if err != nil {
			return m, err
		}
		m.Sampling = string(sampling)
	}
	if s.Data, err = filepath.Abs(s.Data); err != nil {
		return m, err
	}
	if s.Prompts != "" {
		if s.Prompts, err = filepath.Abs(s.Prompts); err != nil {
			return m, err
		}
	}
	if s.Stored != "" {
		if s.Stored, err = storedName(w.data, s.Stored); err != nil {
			return m, err
		}
	}
	m.Setup, err = message.Marshal(s)
	return m, err
}

// setupOf reads what the runs of a store were made with.
func setupOf(st *store.Store) (setup, error) {
	var s setup
	if err := json.Unmarshal(st.Manifest().Setup, &s); err != nil {
		return s, fmt.Errorf("%s does not say what its runs were made with: %w", st.Path(), err)
	}
	return s, nil
}
