package training_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/mars-rec/mars/star/training"
)

func TestResumable(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"checkpoint-3/trainer_state.json": `{"global_step": 3}`,
		"checkpoint-6/trainer_state.json": `{"global_st`,
		"checkpoint-9/model.safetensors":  "half",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if n, err := training.Resumable(dir); n != 1 || err != nil {
			t.Fatalf("%d checkpoints, %v", n, err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 || err != nil {
		t.Fatal(left, err)
	}
	if n, err := training.Resumable(filepath.Join(dir, "nothing")); n != 0 || err != nil {
		t.Fatal(n, err)
	}
}
