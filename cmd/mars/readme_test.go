package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/mars-rec/mars/tasks/datasets/world"
)

var shell = regexp.MustCompile("(?s)```sh\n(.*?)```")

// notHere are words of blocks that the test leaves out: they build and test, or
// serve until they are stopped.
var notHere = regexp.MustCompile(`(?m)^(make|mars llm|mars env|mars mcp|mars serve|mars worker|mars train) `)

// TestReadme runs the commands of the README and of the guide, block by block,
// where `make demo` has left its source.
func TestReadme(t *testing.T) {
	for _, page := range []string{"README.md", "docs/guide.md"} {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			runPage(t, filepath.Join("..", "..", filepath.FromSlash(page)))
		})
	}
}

func runPage(t *testing.T, page string) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash to run the README's commands with:", err)
	}
	dir, bin := t.TempDir(), t.TempDir()
	itself(t, bin, "mars")
	if _, err := world.Write(filepath.Join(dir, "demo", "source"), world.Config{Seed: 42, Users: 200, Items: 300}); err != nil {
		t.Fatal(err)
	}
	blocks := shell.FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 2 {
		t.Fatalf("the page has %d blocks of commands: has its form changed?", len(blocks))
	}
	for _, b := range blocks {
		if notHere.MatchString(b[1]) {
			continue
		}
		c := exec.Command(bash, "-euc", b[1])
		c.Dir = dir
		c.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%s\n%v\n%s", b[1], err, out)
		}
	}
}

// TestReadmeNamesEveryCommand: a first-time reader finds every command.
func TestReadmeNamesEveryCommand(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range (&app{}).root().Commands() {
		if c.IsAvailableCommand() && !strings.Contains(string(text), "mars "+c.Name()) {
			t.Errorf("the README does not speak of mars %s", c.Name())
		}
	}
}
