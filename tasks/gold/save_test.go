package gold

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/mars-rec/mars/tasks"
)

func TestSave(t *testing.T) {
	dir := t.TempDir()
	set := make1(t, crowd(), Config{Candidates: 5, Seed: 7, Negatives: Popular})
	tasksPath, goldPath := filepath.Join(dir, "tasks.jsonl"), filepath.Join(dir, "gold.jsonl")
	recipe, err := set.Save(tasksPath, goldPath, Recipe{Dataset: "crowd", Data: "sha256:1"})
	if err != nil {
		t.Fatal(err)
	}
	written, err := tasks.ReadFile(tasksPath)
	if err != nil {
		t.Fatal(err)
	}
	answers, err := ReadFile(goldPath)
	if err != nil {
		t.Fatal(err)
	}
	var back []Case
	for _, task := range written {
		back = append(back, Case{task, answers[task.ID]})
	}
	if !reflect.DeepEqual(back, set.Cases) {
		t.Errorf("read back\n%+v\nwrote\n%+v", back, set.Cases)
	}
	text, err := os.ReadFile(recipePath(tasksPath))
	if err != nil {
		t.Fatal(err)
	}
	var read Recipe
	if err := json.Unmarshal(text, &read); err != nil || len(read.Sum) != 64 {
		t.Errorf("recipe %s: %v", text, err)
	}
	if read, err = ReadRecipe(tasksPath); err != nil || !reflect.DeepEqual(read, recipe) {
		t.Errorf("recipe %s: %v", text, err)
	}
	body, err := os.ReadFile(tasksPath)
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("%x", sha256.Sum256(body)); read.Tasks != (Digest{"tasks.jsonl", want}) {
		t.Errorf("digest of the tasks %+v, want %s", read.Tasks, want)
	}
	if read.Protocol != "leave-last-out" || read.Config.MinHistory != 5 || read.Config.Seed != 7 || read.Data != "sha256:1" {
		t.Errorf("recipe %s", text)
	}
	if files, _ := os.ReadDir(dir); len(files) != 3 {
		t.Errorf("left %v", files)
	}
	if _, err := set.Save(tasksPath, goldPath, Recipe{Dataset: "crowd", Data: "sha256:1"}); err != nil {
		t.Fatal(err)
	}
	if again, err := os.ReadFile(tasksPath); err != nil || !bytes.Equal(again, body) {
		t.Errorf("saving twice gave other bytes: %v", err)
	}
}

func TestSaveThatFailsLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	set := make1(t, crowd(), Config{Candidates: 5})
	path := filepath.Join(dir, "tasks.jsonl")
	if _, err := set.Save(path, filepath.Join(dir, ".", "tasks.jsonl"), Recipe{}); err == nil || !strings.Contains(err.Error(), "separate files") {
		t.Errorf("one file for both: %v", err)
	}
	if _, err := set.Save(filepath.Join(dir, "no", "tasks.jsonl"), filepath.Join(dir, "gold.jsonl"), Recipe{}); err == nil {
		t.Error("wrote into a folder that is not there")
	}
	if files, _ := os.ReadDir(dir); len(files) != 0 {
		t.Errorf("left %v", files)
	}
}
