package training_test

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/mars-rec/mars/star/training"
)

// TestNamesAreTheTrainers: what the command takes is what the trainer knows.
func TestNamesAreTheTrainers(t *testing.T) {
	const source = "../trainer/src/star_trainer/"
	for file, c := range map[string]struct {
		table string
		names []string
	}{
		"student.py": {"SIZES", training.Sizes()},
		"presets.py": {"SFT", training.Presets()},
	} {
		text, err := os.ReadFile(source + file)
		if err != nil {
			t.Fatal(err)
		}
		table := regexp.MustCompile(`(?ms)^` + c.table + `\b[^\n]*= \{\n(.*?)^\}`).FindSubmatch(text)
		if table == nil {
			t.Fatalf("%s has no table %s", file, c.table)
		}
		var names []string
		for _, m := range regexp.MustCompile(`(?m)^    "([a-z0-9]+)":`).FindAllSubmatch(table[1], -1) {
			names = append(names, string(m[1]))
		}
		if !slices.Equal(names, c.names) {
			t.Errorf("%s has %q, the command takes %q", file, names, c.names)
		}
	}
}

// TestRankingsAreTheTrainers: likewise the ways to read a ranking.
func TestRankingsAreTheTrainers(t *testing.T) {
	text, err := os.ReadFile("../trainer/src/star_trainer/sample.py")
	if err != nil {
		t.Fatal(err)
	}
	tuple := regexp.MustCompile(`(?m)^RANKINGS = \((.*)\)$`).FindSubmatch(text)
	if tuple == nil {
		t.Fatal("sample.py has no RANKINGS")
	}
	var names []string
	for _, m := range regexp.MustCompile(`"(\w+)"`).FindAllSubmatch(tuple[1], -1) {
		names = append(names, string(m[1]))
	}
	if !slices.Equal(names, training.Rankings()) {
		t.Errorf("sample.py has %q, the command takes %q", names, training.Rankings())
	}
}
