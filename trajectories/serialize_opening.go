package trajectories

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"text/template"
	"time"

	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks"
)

//go:embed prompts
var openingFiles embed.FS

// opening is what a conversation starts with: the system message, and the form
// of the user's.
type opening struct {
	system string
	task   *template.Template
	digest string
}

// loadOpening reads the files of an opening.
func loadOpening(system, task string) (o opening, err error) {
	h := sha256.New()
	for _, name := range []string{system, task} {
		b, err := openingFiles.ReadFile(name)
		if err != nil {
			return o, err
		}
		fmt.Fprintf(h, "%s %d\n%s\n", name, len(b), b)
		if name == system {
			o.system = strings.TrimSpace(string(b))
		}
	}
	o.digest = hex.EncodeToString(h.Sum(nil))
	o.task, err = template.ParseFS(openingFiles, task)
	return o, err
}

// The openings, read once: they are part of the program.
var (
	fullOpening  = sync.OnceValues(func() (opening, error) { return loadOpening("prompts/student.md", "prompts/task.md") })
	briefOpening = sync.OnceValues(func() (opening, error) { return loadOpening("prompts/student-brief.md", "prompts/task-brief.md") })
	rawOpening   = sync.OnceValues(func() (opening, error) { return loadOpening("prompts/student-raw.md", "prompts/task-brief.md") })
)

// systemPrompt is what a student that is told everything is told first.
func systemPrompt() (string, error) {
	form, err := fullOpening()
	return form.system, err
}

// opening returns that of the detail.
func (d Detail) opening() (opening, error) {
	switch d {
	case Brief:
		return briefOpening()
	case Raw:
		return rawOpening()
	}
	return fullOpening()
}

// Opening is [Detail.Opening] of a student that is told everything.
func Opening(task tasks.Task, lines []string) ([]model.Message, error) {
	return Full.Opening(task, lines)
}

// OpeningDigest is [Detail.OpeningDigest] of a student that is told everything.
func OpeningDigest() (string, error) { return Full.OpeningDigest() }

// Opening returns the two messages that a student's conversation starts with,
// in training and in serving: system and user. Lines are the candidates as they
// are shown, "c01 | Title (1999) | categories", in the order of their labels;
// their texts are inert already, as those of a [tasks.View] are.
func (d Detail) Opening(task tasks.Task, lines []string) ([]model.Message, error) {
	form, err := d.opening()
	if err != nil {
		return nil, err
	}
	if len(lines) != len(task.Candidates) {
		return nil, fmt.Errorf("task %s: %d lines for %d candidates", task.ID, len(lines), len(task.Candidates))
	}
	var user strings.Builder
	err = form.task.Execute(&user, struct {
		User, AsOf         string
		Candidates, Labels []string
	}{phase.Clean(task.User), task.AsOf.UTC().Format(time.RFC3339), lines, task.Labels()})
	if err != nil {
		return nil, err
	}
	return []model.Message{
		{Role: model.System, Content: form.system},
		{Role: model.User, Content: strings.TrimSpace(user.String())},
	}, nil
}

// OpeningDigest is the SHA-256, in hex, of the files that [Detail.Opening] is
// made from: what a student was trained with must be what it is served with.
func (d Detail) OpeningDigest() (string, error) {
	form, err := d.opening()
	return form.digest, err
}
