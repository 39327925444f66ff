package main

import (
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), &out, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"3 done, 0 done before, 0 failed; 60 calls", "0 done, 3 done before, 0 failed; 0 calls", "forked at 1.7: 10 replayed, 1 calls", "the fork says the same"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, out.String())
		}
	}
}
