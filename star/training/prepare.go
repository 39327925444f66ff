package training

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mars-rec/mars/star/trainer"
)

// Prepare makes the environment, if it is not ready, and returns its
// interpreter. Tell hears what is being done, a line at a time; nil: nobody.
func (p Place) Prepare(ctx context.Context, tell func(string)) (python string, err error) {
	if tell == nil {
		tell = func(string) {}
	}
	python, ready, err := p.Ready()
	if err != nil || ready {
		return python, err
	}
	maker, err := p.maker(ctx)
	if err != nil {
		return "", err
	}
	dir, err := p.Environment()
	if err != nil {
		return "", err
	}
	if err := os.RemoveAll(dir); err != nil { // one that was interrupted
		return "", fmt.Errorf("training: %w", err)
	}
	requirements, err := os.MkdirTemp("", "mars-requirements-")
	if err != nil {
		return "", fmt.Errorf("training: %w", err)
	}
	defer os.RemoveAll(requirements)
	if err := os.CopyFS(requirements, trainer.Files()); err != nil {
		return "", fmt.Errorf("training: %w", err)
	}
	tell("making " + dir)
	if err := quiet(ctx, maker, "-m", "venv", dir); err != nil {
		return "", fmt.Errorf("training: make a virtual environment: %w", err)
	}
	python = interpreter(dir)
	for _, step := range p.installs(requirements) {
		tell("pip install " + strings.Join(step.told, " "))
		args := append([]string{"-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-warn-conflicts"}, step.args...)
		if err := quiet(ctx, python, args...); err != nil {
			return "", fmt.Errorf("training: pip install %s: %w", strings.Join(step.told, " "), err)
		}
	}
	tell("trying it")
	if err := quiet(ctx, python, "-c", "import torch, trl, transformers, peft, datasets"); err != nil {
		return "", fmt.Errorf("training: the environment does not work: %w", err)
	}
	return python, os.WriteFile(filepath.Join(dir, readyFile), nil, 0o644)
}

// install is one call of pip, and what of it is told.
type install struct{ args, told []string }

func (p Place) installs(dir string) []install {
	torch := filepath.Join(dir, filepath.FromSlash(p.torch()))
	first := install{args: []string{"-r", torch}, told: []string{"-r", p.torch()}}
	switch {
	case p.Index != "":
		first.args = append(first.args, "--index-url", p.Index)
		first.told = append(first.told, "--index-url", p.Index)
	case !p.whole():
		first.args = append(first.args, "--no-deps")
	}
	base := "requirements/base.txt"
	return []install{first, {args: []string{"--no-deps", "-r", filepath.Join(dir, filepath.FromSlash(base))}, told: []string{"-r", base}}}
}

// quiet runs a program; what it said last is the error, if there is one.
func quiet(ctx context.Context, name string, args ...string) error {
	c := exec.CommandContext(ctx, name, args...)
	var last tail
	c.Stdout, c.Stderr = &last, &last
	err := c.Run()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err != nil && last.line() != "" {
		return fmt.Errorf("%w: %s", err, last.line())
	}
	return err
}

// tail keeps the end of what is written to it.
type tail struct{ text []byte }

const tailSize = 8 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.text = append(t.text, b...)
	if over := len(t.text) - tailSize; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(b), nil
}

// line is the last line that says something: the trainer's own word, if it is
// there, for libraries may say more while they end.
func (t *tail) line() string {
	lines := strings.Split(strings.TrimSpace(string(t.text)), "\n")
	for _, line := range slices.Backward(lines) {
		if strings.HasPrefix(line, "star-trainer") {
			return strings.TrimSpace(line)
		}
	}
	return strings.TrimSpace(lines[len(lines)-1])
}

// eachLine calls f for each line that is read, however long.
func eachLine(r io.Reader, f func([]byte)) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			f(line)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
