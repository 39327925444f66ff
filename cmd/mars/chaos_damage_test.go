package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/store"
)

var chaosDamages = flag.Int("chaos.damages", 60, "files that a round of TestChaosOfFiles damages")

// subject is files that belong together, and who reads them.
type subject struct {
	name  string
	files []string   // of the workshop: all that its commands need, files and folders
	harm  []string   // of them, those that are damaged
	check []string   // the command that says whether all is as it was written
	reads [][]string // commands whose words or store must not change in silence
}

// subjects are all files that a batch leaves.
func subjects() []subject {
	synth := []string{"synth", "--data", "data", "--tasks", "tasks.jsonl", "--out", "made.db"}
	reads := [][]string{{"inspect", "run.db", "--json"}, {"export", "run.db", "--gold", "gold.jsonl", "--for", "text", "--all", "--out", "made"}}
	return []subject{
		{"a closed store", []string{"run.db", "run.db.mark", "gold.jsonl"}, []string{"run.db", "run.db.mark"}, []string{"verify", "run.db"}, reads},
		{"a store whose process was killed", []string{"run.db", "run.db-wal", "run.db.mark", "gold.jsonl"}, []string{"run.db", "run.db-wal", "run.db.mark"},
			[]string{"verify", "run.db"}, reads},
		{"an account that was closed", []string{"run.db", "run.db.mark", "run.db.spend"}, []string{"run.db.spend"}, []string{"verify", "run.db"}, nil},
		{"a cache", []string{"replies.db", "data", "tasks.jsonl", "tasks.jsonl.recipe.json"}, []string{"replies.db"}, []string{"verify", "replies.db"},
			[][]string{slices.Concat(synth, []string{"--cache", "replies.db", "--model", "openai:paid", "--base-url", "URL", "--max-tokens", "1500"})}},
		{"tasks", []string{"data", "tasks.jsonl", "tasks.jsonl.recipe.json", "gold.jsonl"}, []string{"tasks.jsonl", "tasks.jsonl.recipe.json", "gold.jsonl"},
			[]string{"verify", "tasks.jsonl"}, [][]string{synth}},
		{"a data set", []string{"data", "tasks.jsonl", "tasks.jsonl.recipe.json"}, []string{"data/graph.bin", "data/catalog.db", "data/manifest.json"},
			[]string{"verify", "data"}, [][]string{synth}},
		{"stored evidence", []string{"evidence.db"}, []string{"evidence.db"}, []string{"verify", "evidence.db"}, [][]string{{lookUp, "evidence.db"}}},
		{"an export", []string{"rows"}, []string{"rows/train.jsonl", "rows/manifest.json", "rows/sft.yaml"}, []string{"verify", "rows"}, nil},
	}
}

// lookUp stands for the reader of stored evidence, in the place of a command.
const lookUp = "look up"

// evidence is all that stored evidence can answer with: its header, and what is
// found under each key that it had.
func evidence(t *testing.T, path string) (code int, told string) {
	t.Helper()
	had, err := sql.Open("sqlite", "file:evidence.db?mode=ro&immutable=1")
	if err != nil {
		t.Fatal(err)
	}
	defer had.Close()
	now, err := sql.Open("sqlite", "file:"+path+"?mode=ro&immutable=1")
	if err != nil {
		t.Fatal(err)
	}
	defer now.Close()
	var b strings.Builder
	var header, dictionary []byte
	if err := now.QueryRow(`SELECT header, dictionary FROM about`).Scan(&header, &dictionary); err != nil {
		return exitFailure, ""
	}
	fmt.Fprintf(&b, "%s %x\n", header, dictionary)
	rows, err := had.Query(`SELECT key FROM keys ORDER BY key`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var key, body []byte
		if err := rows.Scan(&key); err != nil {
			t.Fatal(err)
		}
		err := now.QueryRow(`SELECT body FROM keys JOIN bodies ON bodies.id = keys.body_id WHERE key = ?`, key).Scan(&body)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return exitFailure, ""
		}
		fmt.Fprintf(&b, "%x %x\n", key, body)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return exitOK, b.String()
}

// workshop makes one of each file, and a store whose process was killed.
func workshop(t *testing.T, far *till) {
	t.Helper()
	args := []string{"synth", "--data", "data", "--tasks", "tasks.jsonl", "--model", "openai:paid", "--max-tokens", "1500", "--max-failures", "0",
		"--budget-tokens", "60000000"}
	start(t, nil, "mars", slices.Concat(args, []string{"--base-url", far.of(far.child()), "--cache", "replies.db", "--out", "run.db"})...).exit(t, exitOK, exitFailure)
	// A store with a log, whose last commit was acknowledged: of later ones the
	// mark knows nothing, and they may be there or not.
	for try := 0; ; try++ {
		for _, end := range []string{"", "-wal", "-shm", ".mark", ".spend", ".lock"} {
			_ = os.Remove("killed.db" + end) // of an earlier try
		}
		c := start(t, nil, "mars", slices.Concat(args, []string{"--base-url", far.of(far.child()), "--durable", "step", "--out", "killed.db"})...)
		for !c.over() {
			if info, err := os.Stat("killed.db-wal"); err == nil && info.Size() > 100_000 {
				break
			}
			wait(t.Context(), time.Millisecond)
		}
		c.kill()
		var report struct{ Commits int }
		code, out, _ := marsExits(t, "verify", "killed.db", "--json")
		b, err := os.ReadFile("killed.db.mark")
		if code == exitOK && err == nil && json.Unmarshal([]byte(out), &report) == nil && report.Commits == marked(b) {
			break
		}
		if try == 50 {
			t.Fatalf("no process was killed after its last commit was acknowledged: %s %s", out, b)
		}
	}
	mars(t, "graph", "precompute", "--data", "data", "--as-of", "q80")
	made, err := filepath.Glob("data/evidence-*.db")
	if err != nil || len(made) != 1 {
		t.Fatal(made, err)
	}
	if err := os.Rename(made[0], "evidence.db"); err != nil {
		t.Fatal(err)
	}
	mars(t, "export", "run.db", "--gold", "gold.jsonl", "--for", "trl-sft", "--all", "--out", "rows")
}

// marked is the later of the commits that a file of marks names.
func marked(marks []byte) (commit int) {
	for line := range bytes.Lines(marks) {
		var m struct{ Commit int }
		if json.Unmarshal(line, &m) == nil {
			commit = max(commit, m.Commit)
		}
	}
	return commit
}

// lay copies a subject's files into a new folder.
func (s subject) lay(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range s.files {
		from := name
		if s.name == "a store whose process was killed" && name != "gold.jsonl" {
			from = strings.Replace(name, "run.db", "killed.db", 1)
		}
		err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			to := filepath.Join(dir, name, strings.TrimPrefix(path, from))
			if d.IsDir() {
				return os.MkdirAll(to, 0o755)
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(to, b, 0o644)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	programs(t, dir)
	return dir
}

// damage does harm to a file, and says what.
func damage(t *testing.T, draw *rand.Rand, path string) string {
	t.Helper()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b := bytes.Clone(whole)
	at, what := draw.IntN(max(1, len(b))), ""
	switch draw.IntN(6) {
	case 0, 1, 2:
		bit := draw.IntN(8)
		b[at] ^= 1 << bit
		what = fmt.Sprintf("bit %d of byte %d is flipped", bit, at)
	case 3:
		b = b[:at]
		what = fmt.Sprintf("it is cut to %d bytes", at)
	case 4:
		n := min(len(b)-at, 1+draw.IntN(512))
		clear(b[at : at+n])
		what = fmt.Sprintf("%d bytes from %d on are 0", n, at)
	case 5:
		if i := bytes.IndexByte(b[at:], '\n'); i >= 0 { // at the end of a line
			at += i + 1
		}
		b = b[:at]
		what = fmt.Sprintf("it ends after byte %d", at)
	}
	if bytes.Equal(b, whole) { // such as zeroes that were made zeroes
		return damage(t, draw, path)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return what
}

// said is what a command came to, with what it left, if it did its work.
func said(t *testing.T, dir string, url string, args []string) (code int, told string) {
	t.Helper()
	if args[0] == lookUp {
		return evidence(t, filepath.Join(dir, args[1]))
	}
	args = slices.Clone(args)
	for i, a := range args {
		if a == "URL" {
			args[i] = url
		}
	}
	c := startIn(t, dir, nil, "mars", args...)
	code = c.exit(t, exitOK, exitFailure, exitUsage, exitGate, exitBudget)
	if code != exitOK && len(strings.TrimSpace(c.said.String())) == 0 {
		t.Errorf("%v: exit %d without a word", args, code)
	}
	if args[0] != "synth" {
		return code, strings.ReplaceAll(c.out.String(), dir, "") // of a store it tells where it is
	}
	runs := map[string]string{}
	if code == exitUsage {
		return code, ""
	}
	st, err := store.Open(t.Context(), filepath.Join(dir, "made.db"), store.Config{ReadOnly: true})
	if err != nil {
		return code, ""
	}
	defer st.Close()
	for r, err := range st.Runs(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		runs[r.ID] = string(r.Status)
		if r.Status == trajectories.Done {
			runs[r.ID] = r.Seal
		}
	}
	var b strings.Builder
	for _, id := range slices.Sorted(maps.Keys(runs)) {
		fmt.Fprintln(&b, id, runs[id])
	}
	return code, b.String()
}

// apart is where two texts part.
func apart(a, b string) string {
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	cut := func(s string) string { return s[max(0, min(i, len(s))-40):min(len(s), i+60)] }
	return fmt.Sprintf("%q, not %q", cut(b), cut(a))
}

// TestChaosOfFiles damages one file at a time, of all that a batch leaves: the
// command that checks it finds that, or else nothing that is read of it changes;
// and whoever reads it all the same neither panics nor hangs.
func TestChaosOfFiles(t *testing.T) {
	dir := smallWorld(t, "6")
	programs(t, dir)
	far := newTill(t, 0)
	workshop(t, far)
	url := far.of(0)
	type sound struct {
		code int
		told string
	}
	want := map[string]sound{}
	all := subjects()
	for _, s := range all {
		laid := s.lay(t)
		if code, told := said(t, laid, url, s.check); code != exitOK {
			t.Fatalf("%s, undamaged: exit %d\n%s", s.name, code, told)
		}
		for _, args := range s.reads {
			code, told := said(t, laid, url, args)
			want[s.name+args[0]] = sound{code, told}
		}
	}
	rounds(t, func(t *testing.T, seed uint64) {
		draw := rand.New(rand.NewPCG(seed, 5))
		found, harmless, byReader := map[string]int{}, map[string]int{}, 0
		for n := range *chaosDamages {
			s := all[n%len(all)]
			laid := s.lay(t)
			file := s.harm[draw.IntN(len(s.harm))]
			what := damage(t, draw, filepath.Join(laid, file))
			code, _ := said(t, laid, url, s.check)
			changed := ""
			if len(s.reads) > 0 {
				args := s.reads[draw.IntN(len(s.reads))]
				was := want[s.name+args[0]]
				got, told := said(t, laid, url, args)
				switch {
				case got != was.code:
					byReader++
				case told != was.told:
					changed = fmt.Sprintf("%s says something else: %s", args[0], apart(was.told, told))
				}
			}
			switch {
			case code != exitOK:
				found[file]++
			case len(s.reads) == 0:
				t.Errorf("damage %d of seed %d: %s of %s: %s; verify finds nothing", n, seed, file, s.name, what)
			case changed != "":
				t.Errorf("damage %d of seed %d: %s of %s: %s; verify finds nothing, and %s", n, seed, file, s.name, what, changed)
			default:
				harmless[file]++
			}
			if err := os.RemoveAll(laid); err != nil {
				t.Fatal(err)
			}
		}
		total := 0
		for _, n := range found {
			total += n
		}
		t.Logf("%d damaged: %d found by mars verify %v; of the others %v nothing that is read changed; %d times a reader said so too", *chaosDamages, total, found, harmless, byReader)
	})
}
