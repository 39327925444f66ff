package main

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/mars-rec/mars/tasks/datasets/world"
)

// TestPipelineKilledAndResumed kills a pipeline at random moments, and lets it
// go on: what comes out is what comes out of one that was never killed.
func TestPipelineKilledAndResumed(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if _, err := world.Write("source", world.Config{Seed: 7, Users: 200, Items: 300}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"whole", "killed"} {
		const config = "source: ../source\ntrain: false\nteam: lean\naudit: false\neval: {baselines: false}\nfilters: none\nserve: {model: builtin}\n"
		if err := os.Mkdir(name, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(name, "books.yaml"), []byte(config), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	mars(t, "pipeline", filepath.Join("whole", "books.yaml"))
	program := itself(t, dir, "mars")
	killed := 0
	for range 10 {
		c := exec.Command(program, "pipeline", filepath.Join("killed", "books.yaml"))
		c.Env = append(os.Environ(), "GOMAXPROCS=2")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(40+rand.IntN(400))*time.Millisecond, func() { c.Process.Kill() }) //nolint:errcheck // it may have ended
		if c.Wait() != nil {
			killed++
		}
		timer.Stop()
	}
	t.Logf("killed %d times", killed)
	if killed == 0 {
		t.Fatal("the pipeline was never killed while it worked")
	}
	mars(t, "pipeline", filepath.Join("killed", "books.yaml"))
	for _, name := range []string{"synth/run.db", "serve/student.db", "teacher/teacher.db"} {
		sameSeals(t, seals(t, filepath.Join("whole", "books", name)), filepath.Join("killed", "books", name))
	}
	for _, name := range []string{"fit/weights.json", "tasks/train.jsonl", "tasks/test-gold.jsonl", "export/sft/train.jsonl"} {
		want, err := os.ReadFile(filepath.Join("whole", "books", name))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join("killed", "books", name)); err != nil || string(got) != string(want) {
			t.Errorf("%s is not what a pipeline makes that is not killed: %v", name, err)
		}
	}
}
