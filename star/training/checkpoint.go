package training

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Resumable tells how many checkpoints of a directory training can go on from.
// Those that were being written when their writer was killed are removed: the
// trainer takes the last there is, and what ends a checkpoint is the file that
// says how far training had come.
func Resumable(dir string) (whole int, err error) {
	found, err := filepath.Glob(filepath.Join(dir, "checkpoint-*"))
	if err != nil {
		return 0, fmt.Errorf("training: %w", err)
	}
	for _, path := range found {
		text, err := os.ReadFile(filepath.Join(path, "trainer_state.json"))
		if err == nil && json.Valid(text) {
			whole++
			continue
		}
		if err := os.RemoveAll(path); err != nil {
			return whole, fmt.Errorf("training: %w", err)
		}
	}
	return whole, nil
}
