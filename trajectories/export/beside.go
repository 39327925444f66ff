package export

import (
	"embed"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/trajectories/filter"
	"github.com/mars-rec/mars/trajectories/mask"
	"github.com/mars-rec/mars/trajectories/reward"
)

//go:embed configs
var configs embed.FS

// rewardFile is a reward in Python, which more than one consumer has.
const rewardFile = "reward.py"

// besides is what the templates of the files beside the rows are filled with.
type besides struct {
	Manifest
	Files      []File   // of the rows to train on
	Validation []File   // of those to validate with; none: there is no such split
	Rows       string   // a pattern for the files of the rows
	Validating string   // and for those of the validation
	Folder     string   // that they are in, as seen from it
	Tools      []string // each a JSON object, as chat templates print it
	// Reward is what reward.py computes; Roles are those that it knows, and
	// Without the phases that it does not ask for, as JSON.
	Reward         described
	Roles, Without string
	// Max is the length in tokens that no row exceeds; 0, if nobody counted.
	Max int
}

// described is a reward as reward.py has it.
type described struct {
	reward.Description
	Paper, Parts string // versions of what it computes
}

// writeBeside writes what a consumer trains with: the same rows give the same
// files.
func (m *Manifest) writeBeside(p *place, c consumer, b *bench) error {
	whole, err := filepath.Abs(p.dir)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	fill := besides{Manifest: *m, Folder: "../" + filepath.Base(whole)}
	for _, f := range m.Files {
		pattern := f.Name
		if b.cfg.ShardRows > 0 {
			pattern = f.Split + "-*." + string(m.As)
		}
		switch f.Split {
		case filter.Train:
			fill.Files, fill.Rows = append(fill.Files, f), pattern
		case filter.Validation:
			fill.Validation, fill.Validating = append(fill.Validation, f), pattern
		}
	}
	if m.Tokens != nil {
		fill.Max = max(m.Tokens.Max, m.Tokens.Longest)
	}
	for _, spec := range b.cfg.Tools {
		text, err := mask.ToolJSON(spec)
		if err != nil {
			return err
		}
		fill.Tools = append(fill.Tools, text)
	}
	if err := fill.judge(b.cfg); err != nil {
		return err
	}
	m.Beside = []File{}
	for _, name := range c.beside {
		from := "configs/" + c.name + "/" + name
		if name == rewardFile {
			from = "configs/" + name
			m.Reward = &Judge{fill.Reward.Name, fill.Reward.Version}
		}
		form, err := configs.ReadFile(from)
		if err != nil {
			return fmt.Errorf("export: %w", err)
		}
		t, err := template.New(name).Delims("[%", "%]").Funcs(template.FuncMap{"quote": quoteYAML}).Parse(string(form))
		if err != nil {
			return fmt.Errorf("export: %w", err)
		}
		f, err := replace(filepath.Join(p.stage, name), func(w io.Writer) error { return t.Execute(w, fill) })
		if err != nil {
			return fmt.Errorf("export: %s: %w", name, err)
		}
		m.Beside = append(m.Beside, f)
	}
	return nil
}

// judge fills in what is to be known of the reward.
func (b *besides) judge(cfg Config) error {
	d, err := reward.Describe(cfg.Reward)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	b.Reward = described{d, reward.PaperVersion, reward.PartsVersion}
	b.Roles = "None"
	if cfg.Form.Roles != nil {
		roles, err := message.Marshal(cfg.Form.Roles)
		if err != nil {
			return fmt.Errorf("export: %w", err)
		}
		b.Roles = string(roles)
	}
	without, err := message.Marshal(append([]string{}, cfg.Form.Without...))
	b.Without = string(without)
	return err
}

// quoteYAML writes a text on one line as a YAML string.
func quoteYAML(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
