package filter_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mars-rec/mars/trajectories/filter"
)

func read(t *testing.T, text string) (filter.Policy, error) {
	dir := t.TempDir()
	path := filepath.Join(dir, "policy.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "reward.yaml"), []byte("name: mine\nparts: {ndcg: {weight: 1}}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return filter.ReadPolicy(path)
}

func TestPolicy(t *testing.T) {
	p, err := read(t, `
seed: 7
valid: true
gold: {}
reward: {min: 0.5, by: reward.yaml}
grounded: {}
leakage: true
length: {max_characters: 60000}
duplicates: {}
best: 2
`)
	if err != nil {
		t.Fatal(err)
	}
	sieve, drawn, err := p.Sieve(t.Context(), filter.Config{}, loads(made{id: "t"}))
	if err != nil || drawn != nil {
		t.Fatal(err, drawn)
	}
	var names []string
	for _, c := range sieve.Counts() {
		names = append(names, c.Filter)
	}
	want := "gold first, well formed, reward of 0.5 or more, grounded, no leakage, length, near-duplicates from 0.8, best 2 of a task"
	if got := strings.Join(names, ", "); got != want {
		t.Errorf("the filters are %s, want %s", got, want)
	}
	if v := sift(t, sieve, made{id: "t"})["t"]; v != "" {
		t.Errorf("a good run is dropped: %s", v)
	}
	if by := p.Scorer().String(); !strings.HasPrefix(by, "mine/") {
		t.Errorf("it judges by %s", by)
	}
	if none, err := read(t, ""); err != nil || none.Valid || none.Gold != nil {
		t.Errorf("an empty policy is %+v, %v", none, err)
	}
	for text, want := range map[string]string{
		"vaild: true":                     "field vaild not found",
		"gold: {top: -1}":                 "want 1 or more",
		"gold: 1":                         "cannot unmarshal",
		"reward: {}":                      "nothing is judged by it",
		"reward: {min: 1, by: none.yaml}": "none.yaml",
		"grounded: {min: 1.5}":            "a share",
		"grounded: {min: .nan}":           "a share",
		"length: {}":                      "want one of max_tokens",
		"length: {max_tokens: 1, max_characters: 2}": "want one of max_tokens",
		"duplicates: {jaccard: 2}":                   "a share",
		"duplicates: {words: -2}":                    "1 or more",
		"best: -1":                                   "1 or more",
		"difficulty: {mix: '3:4'}":                   "no mix",
		"difficulty: {total: 5}":                     "a total only of a mix",
		"valid: true\n---\nvalid: true":              "more than one document",
	} {
		if _, err := read(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	for _, p := range []filter.Policy{{Length: &filter.LengthRule{Tokens: 5}}, {Difficulty: &filter.MixRule{}}} {
		if _, _, err := p.Sieve(t.Context(), filter.Config{}, loads()); err == nil {
			t.Errorf("%+v needs nothing", p)
		}
	}
}

// TestDuplicates: of texts that are alike the first accepted one is kept, of one
// task the best; what was dropped for another reason keeps nobody out.
func TestDuplicates(t *testing.T) {
	long := func(seed string) string {
		words := make([]string, 200)
		for i := range words {
			words[i] = fmt.Sprintf("%s%c%d", seed, 'a'+i%26, i)
		}
		return strings.Join(words, " ")
	}
	one := long("x")
	all := []made{
		{id: "wrong", claim: one, ranking: []string{"c01", "c02", "c03"}},
		{id: "first", claim: one},
		{id: "again", claim: one + " but for the end"},
		{id: "other", claim: long("y")},
		{id: "task", claim: long("z")},
		{id: "task~2", task: "task", claim: long("z") + " and more"},
		{id: "task~3", task: "task", claim: long("v")},
	}
	p := filter.Policy{Seed: 3, Gold: &filter.TopRule{Top: 1}, Duplicates: &filter.AlikeRule{Jaccard: 0.8, Words: 5}}
	sieve, _, err := p.Sieve(t.Context(), filter.Config{}, loads(all...))
	if err != nil {
		t.Fatal(err)
	}
	verdicts := sift(t, sieve, all...)
	for id, want := range map[string]string{"wrong": "gold first", "first": "", "again": "of first", "other": "", "task": "", "task~2": "of task", "task~3": ""} {
		if v := verdicts[id]; !strings.Contains(v, want) || want == "" && v != "" {
			t.Errorf("%s: %q, want %q", id, v, want)
		}
	}
}

// TestMix: tasks are drawn from those that all filters accept, and the counts are
// those of the last reading.
func TestMix(t *testing.T) {
	outcomes := filter.NewOutcomes(4, filter.ByPaper())
	var all []made
	for i := range 40 {
		m := made{id: fmt.Sprintf("t%d", i)}
		all = append(all, m)
		for _, how := range []string{"1112", "--12", "---2", "1111"}[i%4] { // easy, medium, hard, and no difference
			j, err := outcomes.Judge(t.Context(), sample(made{id: m.id, broken: how == '-', ranking: map[rune][]string{'2': {"c01", "c02", "c03"}}[how]}), goldOf(m.id))
			if err != nil {
				t.Fatal(err)
			}
			outcomes.Add(j)
		}
	}
	all = append(all, made{id: "unknown"})
	p := filter.Policy{Seed: 1, Valid: true, Difficulty: &filter.MixRule{Samples: 4}}
	sieve, _, err := p.Sieve(t.Context(), filter.Config{Outcomes: outcomes}, loads(all...))
	if err != nil {
		t.Fatal(err)
	}
	if v := sift(t, sieve, all...); !strings.Contains(v["t3"], "do not vary: all are 2") || !strings.Contains(v["unknown"], "fewer than 4 samples of the policy: none") || v["t0"]+v["t1"]+v["t2"] != "" {
		t.Errorf("%v", v)
	}
	p.Difficulty.Mix = "1:2:1"
	sieve, drawn, err := p.Sieve(t.Context(), filter.Config{Outcomes: outcomes}, loads(all...))
	if err != nil {
		t.Fatal(err)
	}
	kept := 0
	for _, v := range sift(t, sieve, all...) {
		if v == "" {
			kept++
		}
	}
	if kept != 20 || drawn.Have != [3]int{10, 10, 10} || drawn.Taken != [3]int{5, 10, 5} {
		t.Errorf("%d are kept, the mix took %v of %v", kept, drawn.Taken, drawn.Have)
	}
	if c := sieve.Counts()[2]; c.Filter != "mix 1:2:1" || c.Dropped["the mix takes no more easy tasks"] != 5 {
		t.Errorf("%+v", c)
	}
	p.Difficulty.Total = 1000
	if _, _, err := p.Sieve(t.Context(), filter.Config{Outcomes: outcomes}, loads(all...)); err == nil || !strings.Contains(err.Error(), "and not 1000") {
		t.Errorf("a mix of a thousand: %v", err)
	}
}
