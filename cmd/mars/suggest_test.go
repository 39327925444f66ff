package main

import (
	"slices"
	"strings"
	"testing"
)

func TestNear(t *testing.T) {
	names := []string{"data", "date", "demo", "fit", "replay", "report", "top", "budget", "budget-tokens"}
	for word, want := range map[string]string{
		"dta": "data", "replai": "replay", "foo": "", "re": "replay report", "budg": "budget budget-tokens",
		"bugdet": "budget", "x": "", "": "", "tup": "top", "entirely-else": "",
	} {
		got := near(word, names)
		if strings.Join(got, " ") != want {
			t.Errorf("near(%q) is %q, want %q", word, got, want)
		}
		if !slices.IsSorted(got) {
			t.Errorf("near(%q) is not sorted: %q", word, got)
		}
	}
}

func TestPlainly(t *testing.T) {
	const said = "policy.yaml: yaml: unmarshal errors:\n  line 1: field gld not found in type filter.Policy"
	if got := oneLine(plainly(said)); got != "policy.yaml: line 1: there is no key gld" {
		t.Errorf("%q", got)
	}
}

func TestStatements(t *testing.T) {
	for query, want := range map[string]int{
		"SELECT 1": 1, "SELECT 1;": 1, "SELECT 1; SELECT 2": 2, "SELECT ';'": 1, "SELECT 'it''s; so'": 1, "": 0, ";;": 0,
		`SELECT ";" AS [a;b], 1 AS ` + "`c;d`": 1, "-- a; b\nSELECT 1 /* ; */;-- end;": 1, "SELECT 'open; SELECT 2": 1, "/* open; SELECT 1": 0,
	} {
		n := 0
		for _, s := range statements(query) {
			if strings.TrimSpace(s) != "" {
				n++
			}
		}
		if n != want {
			t.Errorf("%q: %d statements, want %d", query, n, want)
		}
	}
}
