package export

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"

	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/filter"
)

// consumer is one who reads our rows.
type consumer struct {
	name    string
	formats []Format // that it reads; the first is the usual one
	// make says how a row is made, and what type it is of, by an example.
	make func(*sheet) (example any, err error)
	// beside are the files that stand beside the rows, ready to run; their
	// templates are in the folder configs/<name>.
	beside []string
}

// consumers are in the order in which they are listed.
func consumers() []consumer {
	return []consumer{trlSFT(), trlGRPO(), verlSFT(), verlRL(), llamaFactory(), swift(), axolotl(), openAI(), text()}
}

// Names returns the names that [New] knows.
func Names() []string {
	var names []string
	for _, c := range consumers() {
		names = append(names, c.name)
	}
	return names
}

// Formats returns the formats that a consumer reads, the usual one first; nil,
// if there is no consumer of that name.
func Formats(name string) []Format {
	for _, c := range consumers() {
		if c.name == name {
			return c.formats
		}
	}
	return nil
}

// OfTasks reports whether the rows of a consumer are tasks, which its student
// works on in the environment, and not runs.
func OfTasks(name string) bool { return name == TRLGRPO || name == VerlRL }

// New returns the exporter of that name. It needs tools.
func New(name string, cfg Config) (Exporter, error) {
	s, _, err := open(name, cfg)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func open(name string, cfg Config) (*sheet, consumer, error) {
	all := consumers()
	i := slices.IndexFunc(all, func(c consumer) bool { return c.name == name })
	if i < 0 {
		return nil, consumer{}, fmt.Errorf("no export %q: there are %s", name, strings.Join(Names(), ", "))
	}
	c := all[i]
	if cfg.As == "" {
		cfg.As = c.formats[0]
	}
	if !slices.Contains(c.formats, cfg.As) {
		return nil, c, fmt.Errorf("%s: its consumer does not read %s, but %v", name, cfg.As, c.formats[0])
	}
	if len(cfg.Tools) == 0 && cfg.Form.Wants(trajectories.ToolPhase) {
		return nil, c, errors.New(name + ": the tools are missing")
	}
	tools, err := ToolsJSON(cfg.Tools)
	if err != nil {
		return nil, c, fmt.Errorf("%s: %w", name, err)
	}
	s := &sheet{split: filter.Train, bench: &bench{cfg: cfg, name: name, tools: tools, names: map[string]bool{}}, as: cfg.As}
	for _, spec := range cfg.Tools {
		s.names[spec.Name] = true
	}
	example, err := c.make(s)
	if err != nil {
		return nil, c, fmt.Errorf("%s: %w", name, err)
	}
	s.schema = parquet.SchemaOf(example)
	return s, c, nil
}
