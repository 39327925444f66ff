package world

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// files writes a world and returns its files, joined.
func files(t *testing.T, c Config) []byte {
	dir := t.TempDir()
	if _, err := Write(dir, c); err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, name := range []string{"item.json", "user.json", "review.json"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

func TestTheSameConfigGivesTheSameBytes(t *testing.T) {
	small := Config{Seed: 3, Users: 30, Items: 100}
	one, two := files(t, small), files(t, small)
	if !bytes.Equal(one, two) {
		t.Error("two worlds of one seed differ")
	}
	small.Seed++
	if bytes.Equal(one, files(t, small)) {
		t.Error("two seeds give one world")
	}
}

func TestConfigIsChecked(t *testing.T) {
	for name, c := range map[string]Config{
		"negative users":  {Users: -1},
		"too many reads":  {Users: 10, Items: 20, Interactions: 1000},
		"too many years":  {Years: 1000},
		"negative events": {Interactions: -5},
	} {
		if _, err := Write(t.TempDir(), c); err == nil || !strings.HasPrefix(err.Error(), "world") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	for b.Loop() {
		if _, err := Write(b.TempDir(), Config{}); err != nil {
			b.Fatal(err)
		}
	}
}
