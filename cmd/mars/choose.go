package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/export"
	"github.com/mars-rec/mars/trajectories/filter"
	"github.com/mars-rec/mars/trajectories/mask"
	"github.com/mars-rec/mars/trajectories/store"
)

// choosing is how a command is told which runs are wanted.
type choosing struct {
	paths    []string // run stores
	gold     string
	policy   string
	outcomes []string // run stores
	count    counting
	linear   trajectories.Linear
}

// flags adds what select and export have in common.
func (ch *choosing) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&ch.gold, "gold", "", "what the users really took, made by mars tasks")
	f.StringVar(&ch.policy, "policy", "", "YAML file that says which runs are wanted; the paper's policy if not given")
	f.StringArrayVar(&ch.outcomes, "outcomes", nil, "run store of a policy, say the student, on the same tasks: tells how hard they are; may be given many times")
	ch.count.flags(c)
}

// chosen is the runs to choose from, and all that is needed for it.
type chosen struct {
	choosing
	stores   []*store.Store
	setups   []setup
	golds    map[string]gold.Gold
	digest   string // of the gold file
	policy   filter.Policy
	runs     *filter.Runs
	config   filter.Config
	template mask.Template
}

// open reads what the runs are chosen by and opens their stores. The policy is
// that of the file, if one is named.
func (ch choosing) open(ctx context.Context, a *app, policy filter.Policy) (_ *chosen, err error) {
	x := &chosen{choosing: ch, policy: policy}
	defer func() {
		if err != nil {
			err = errors.Join(err, x.Close())
		}
	}()
	if ch.policy != "" {
		x.policy, err = filter.ReadPolicy(ch.policy)
		if errors.Is(err, os.ErrNotExist) {
			return x, err
		}
		if err != nil {
			return x, hinted(usagef("%w", err), "mars select --help shows a policy")
		}
	}
	if err := x.difficulty(); err != nil {
		return x, err
	}
	x.config.Linear = ch.linear
	if err := x.measure(); err != nil {
		return x, err
	}
	if x.golds, err = readGold(ch.gold); err != nil {
		return x, err
	}
	if x.digest, err = fileDigest(ch.gold); err != nil {
		return x, err
	}
	for _, path := range ch.paths {
		st, err := openStore(ctx, path)
		if err != nil {
			return x, err
		}
		x.stores = append(x.stores, st)
		s, err := setupOf(st)
		if err != nil {
			return x, err
		}
		x.setups = append(x.setups, s)
	}
	specs, err := x.tools()
	if err != nil {
		return x, err
	}
	x.config.Tools = []string{} // a team without tools may call none
	for _, spec := range specs {
		x.config.Tools = append(x.config.Tools, spec.Name)
	}
	if x.config.Ruler != nil {
		x.config.Ruler.Tools = specs
	}
	if x.runs, err = filter.Index(ctx, x.stores...); err != nil {
		return x, storeError(err)
	}
	if x.runs.Done() == 0 {
		return x, hinted(fmt.Errorf("%s has no run that is done", ch.paths[0]), "mars synth makes them")
	}
	if x.policy.Difficulty != nil {
		x.config.Outcomes, err = x.outcomesOf(ctx, a)
	}
	return x, err
}

// difficulty holds the policy against --outcomes.
func (x *chosen) difficulty() error {
	switch {
	case x.policy.Difficulty != nil && len(x.outcomes) == 0:
		return usagef("%s asks for a difficulty: give --outcomes, a run store of the policy that it is measured by", x.choosing.policy)
	case x.policy.Difficulty == nil && len(x.outcomes) > 0:
		x.policy.Difficulty = &filter.MixRule{Samples: 8}
	}
	return nil
}

// measure holds the policy against --tokenizer and --max-length.
func (x *chosen) measure() error {
	tpl, tk, err := x.count.load()
	if err != nil {
		return err
	}
	switch rule := x.policy.Length; {
	case rule != nil && rule.Tokens > 0 && tk == nil:
		return usagef("%s bounds the length in tokens: give --tokenizer", x.choosing.policy)
	case rule != nil && x.count.max > 0 && x.count.max != rule.Tokens:
		return usagef("--max-length is %d, and %s has a length of its own: give one of them", x.count.max, x.choosing.policy)
	case rule == nil && x.count.max > 0:
		x.policy.Length = &filter.LengthRule{Tokens: x.count.max}
	}
	x.template = tpl
	if tk != nil {
		x.config.Ruler = &filter.Ruler{Tokenizer: tk, Template: tpl, Linear: x.config.Linear}
	}
	return nil
}

// Close closes the stores.
func (x *chosen) Close() error {
	var errs []error
	for _, st := range x.stores {
		errs = append(errs, st.Close())
	}
	return errors.Join(errs...)
}

// form is that of all teams together: their roles, in order, and without the
// phases that none of them has.
func (x *chosen) form() trajectories.Form {
	var all trajectories.Form
	for i, s := range x.setups {
		form := formOf(s.Team)
		for _, role := range form.Roles {
			if !slices.Contains(all.Roles, role) {
				all.Roles = append(all.Roles, role)
			}
		}
		if i == 0 {
			all.Without = form.Without
		}
		all.Without = slices.DeleteFunc(all.Without, form.Wants)
	}
	return all
}

// tools are those that some role of a team may call, as the student is told of
// them.
func (x *chosen) tools() ([]model.ToolSpec, error) {
	named := map[string]bool{}
	for _, s := range x.setups {
		for _, spec := range toolSpecs(s.Team) {
			named[spec.Name] = true
		}
	}
	var specs []model.ToolSpec
	for _, t := range toolbox("") {
		if named[t.Name] {
			specs = append(specs, t.ToolSpec)
		}
	}
	return x.linear.Detail.Specs(specs)
}

// groups yields the tasks with their runs and their gold.
func (x *chosen) groups() iter.Seq2[filter.Load, error] {
	return x.runs.Groups(func(t tasks.Task) (gold.Gold, error) {
		c, err := caseOf(t, x.golds, x.choosing.gold)
		return c.Gold, err
	})
}

// outcomesOf scores the runs of the policy that the difficulty is measured by.
func (x *chosen) outcomesOf(ctx context.Context, a *app) (*filter.Outcomes, error) {
	all := filter.NewOutcomes(x.policy.Difficulty.Samples, x.policy.Scorer())
	for _, path := range x.outcomes {
		if err := x.addOutcomes(ctx, a, all, path); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (x *chosen) addOutcomes(ctx context.Context, a *app, all *filter.Outcomes, path string) (err error) {
	st, err := openStore(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	counts, err := st.Count(ctx)
	if err != nil {
		return err
	}
	total, others := done(counts)
	if others > 0 {
		a.notef("note: %s runs of %s are not done, and are no samples", thousands(int64(others)), path)
	}
	bar := a.progress("outcomes", int64(total), thousands)
	defer bar.Close()
	judge := func(ctx context.Context, t *trajectories.Trajectory) (j filter.Judged, err error) {
		if g, ok := x.golds[t.Run.Task.ID]; ok { // a run of another task says nothing of these
			j, err = all.Judge(ctx, filter.NewSample(t, filepath.Base(path)), g)
		}
		return j, err
	}
	for j, err := range store.Walk(ctx, st, runtime.GOMAXPROCS(0), judge) {
		if err != nil {
			return storeError(err)
		}
		all.Add(j)
		bar.Add(1)
	}
	return nil
}

// names are the file names of paths.
func names(paths []string) []string {
	all := make([]string, len(paths))
	for i, path := range paths {
		all[i] = filepath.Base(path)
	}
	return all
}

// sources says where the rows of an export come from.
func (x *chosen) sources() export.Source {
	s := export.Source{Gold: x.digest, Outcomes: names(x.outcomes)}
	for _, st := range x.stores {
		s.Stores = append(s.Stores, export.StoreSource{Store: filepath.Base(st.Path()), Runs: st.Manifest()})
	}
	return s
}

// writeCounts says what each filter did, and why it dropped what it dropped.
func writeCounts(w io.Writer, counts []filter.Count) {
	for _, c := range counts {
		fmt.Fprintf(w, "  %s: %s of %s kept\n", c.Filter, thousands(int64(c.Kept)), thousands(int64(c.In)))
		for _, reason := range slices.Sorted(maps.Keys(c.Dropped)) {
			fmt.Fprintf(w, "    %s: %s\n", reason, thousands(int64(c.Dropped[reason])))
		}
	}
}

// writeMix says what a mix took.
func writeMix(w io.Writer, d *filter.Drawn) {
	if d != nil {
		fmt.Fprintf(w, "  easy, medium, hard: %s, %s, %s of %s, %s, %s tasks\n",
			thousands(int64(d.Taken[0])), thousands(int64(d.Taken[1])), thousands(int64(d.Taken[2])),
			thousands(int64(d.Have[0])), thousands(int64(d.Have[1])), thousands(int64(d.Have[2])))
	}
}
