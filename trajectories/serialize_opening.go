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

//go:embed prompts/student.md prompts/task.md
var openingFiles embed.FS

const systemFile, taskFile = "prompts/student.md", "prompts/task.md"

// Opening returns the two messages that a student's conversation starts with,
// in training and in serving: system and user. Lines are the candidates as they
// are shown, "c01 | Title (1999) | categories", in the order of their labels;
// their texts are inert already, as those of a [tasks.View] are.
func Opening(task tasks.Task, lines []string) ([]model.Message, error) {
	system, err := systemPrompt()
	if err != nil {
		return nil, err
	}
	form, err := taskForm()
	if err != nil {
		return nil, err
	}
	if len(lines) != len(task.Candidates) {
		return nil, fmt.Errorf("task %s: %d lines for %d candidates", task.ID, len(lines), len(task.Candidates))
	}
	var user strings.Builder
	err = form.Execute(&user, struct {
		User, AsOf string
		Candidates []string
	}{phase.Clean(task.User), task.AsOf.UTC().Format(time.RFC3339), lines})
	if err != nil {
		return nil, err
	}
	return []model.Message{
		{Role: model.System, Content: system},
		{Role: model.User, Content: strings.TrimSpace(user.String())},
	}, nil
}

// taskForm is the form of the second message, read once: it is part of the
// program.
var taskForm = sync.OnceValues(func() (*template.Template, error) {
	return template.ParseFS(openingFiles, taskFile)
})

// systemPrompt is what every student is told first.
var systemPrompt = sync.OnceValues(func() (string, error) {
	b, err := openingFiles.ReadFile(systemFile)
	return strings.TrimSpace(string(b)), err
})

// OpeningDigest is the SHA-256, in hex, of the files that [Opening] is made
// from: what a student was trained with must be what it is served with.
func OpeningDigest() (string, error) {
	h := sha256.New()
	for _, name := range []string{systemFile, taskFile} {
		b, err := openingFiles.ReadFile(name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %d\n%s\n", name, len(b), b)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
