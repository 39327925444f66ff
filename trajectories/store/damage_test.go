package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/store"
)

// contents is everything that can be read of a store, as text.
func contents(t *testing.T, path string) (string, error) {
	t.Helper()
	s, err := store.Open(t.Context(), path, store.Config{ReadOnly: true})
	if err != nil {
		return "", err
	}
	defer s.Close()
	var b bytes.Buffer
	fmt.Fprintf(&b, "%+v\n", s.Manifest())
	for sum, err := range s.Runs(t.Context()) {
		if err != nil {
			return "", err
		}
		tr, err := s.Trajectory(t.Context(), sum.ID)
		if err != nil {
			return "", err
		}
		whole, err := message.Marshal(tr)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%+v\n%s\n", sum, whole)
	}
	return b.String(), nil
}

// files are those of a store, by what follows its name.
type files map[string][]byte

func snapshot(t *testing.T, path string) files {
	t.Helper()
	all := files{}
	for _, suffix := range []string{"", "-wal", ".mark"} {
		b, err := os.ReadFile(path + suffix)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		all[suffix] = b
	}
	return all
}

// restore writes the files of a store into a new folder.
func (all files) restore(t *testing.T) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "run.db")
	for suffix, b := range all {
		if err := os.WriteFile(p+suffix, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func (all files) clone() files {
	out := files{}
	for suffix, b := range all {
		out[suffix] = bytes.Clone(b)
	}
	return out
}

// closed and crashed are the files of a store that was closed, and of one
// whose process died while its write-ahead log was full.
func made(t *testing.T) (closed, crashed files) {
	t.Helper()
	p := path(t)
	s := create(t, p)
	if err := s.Add(t.Context(), task("t0"), task("t1"), task("t2")); err != nil {
		t.Fatal(err)
	}
	for n := range 24 {
		do(t, s, fmt.Sprint("t", n+1))
	}
	if err := s.PutScores(t.Context(), trajectories.Score{Run: "t1", Scorer: "paper", Version: "1", Value: .25, Parts: map[string]float64{"hit": 1}, Note: "why"}); err != nil {
		t.Fatal(err)
	}
	crashed = snapshot(t, p)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return snapshot(t, p), crashed
}

// noticed reports whether Verify finds something, or else nothing that can be
// read has changed: a flip in a byte that no reader looks at is no damage.
func noticed(t *testing.T, path, want string) (found, ok bool) {
	t.Helper()
	report, err := store.Verify(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Findings) > 0 {
		return true, true
	}
	got, err := contents(t, path)
	return false, err == nil && got == want
}

func TestEveryBitFlipIsNoticed(t *testing.T) {
	closed, crashed := made(t)
	random := rand.New(rand.NewPCG(1, 2))
	for name, all := range map[string]files{"closed": closed, "crashed": crashed} {
		want, err := contents(t, all.restore(t))
		if err != nil {
			t.Fatal(err)
		}
		if name == "crashed" && len(all["-wal"]) == 0 {
			t.Fatal("the crashed store has no write-ahead log")
		}
		for suffix, b := range all {
			t.Run(name+" run.db"+suffix, func(t *testing.T) {
				flips, found := 40, 0
				for range flips {
					at, bit := random.IntN(len(b)), random.IntN(8)
					broken := all.clone()
					broken[suffix][at] ^= 1 << bit
					f, ok := noticed(t, broken.restore(t), want)
					if !ok {
						t.Errorf("bit %d of byte %d is flipped, and nobody notices", bit, at)
					}
					if f {
						found++
					}
				}
				t.Logf("%d of %d flips are found; the others change nothing that is read", found, flips)
			})
		}
	}
}

func TestLossIsNoticed(t *testing.T) {
	closed, crashed := made(t)
	old := path(t)
	s := create(t, old)
	do(t, s, "t1")
	s.Close()
	for _, c := range []struct {
		name string
		make func() files
		want string
	}{
		{"the log is lost", func() files { f := crashed.clone(); delete(f, "-wal"); return f }, ""},
		{"the log is empty", func() files { f := crashed.clone(); f["-wal"] = nil; return f }, ""},
		{"the last page of the log is cut", func() files {
			f := crashed.clone()
			f["-wal"] = f["-wal"][:len(f["-wal"])-100]
			return f
		}, "acknowledged"},
		{"half of the log is cut", func() files {
			f := crashed.clone()
			f["-wal"] = f["-wal"][:len(f["-wal"])/2]
			return f
		}, "acknowledged"},
		{"the database is cut", func() files { f := closed.clone(); f[""] = f[""][:len(f[""])-8192]; return f }, ""},
		{"the database is an old one", func() files { f := snapshot(t, old); f[".mark"] = closed[".mark"]; return f }, "acknowledged"},
		{"the mark is lost", func() files { f := closed.clone(); delete(f, ".mark"); return f }, "is not there"},
		{"the mark is of another store", func() files { f := closed.clone(); f[".mark"] = snapshot(t, old)[".mark"]; return f }, "is not the one"},
		{"the database is empty", func() files { f := closed.clone(); f[""] = nil; return f }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := c.make().restore(t)
			report, err := store.Verify(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			text := fmt.Sprint(report.Findings)
			if len(report.Findings) == 0 || !strings.Contains(text, c.want) {
				t.Errorf("findings are %s, want %q", text, c.want)
			}
			m := manifest
			if s, err := store.Open(t.Context(), p, store.Config{Manifest: &m}); err == nil {
				s.Close()
				t.Error("the store is opened for writing: what is written now would hide the loss")
			}
		})
	}
}

// TestDamageIsNamed changes a store in ways that SQLite finds in order: Verify
// names the run and, where messages have rows, the message; so does whoever
// reads it; and what is not touched can be read.
func TestDamageIsNamed(t *testing.T) {
	for _, c := range []struct {
		statement string
		found     []string // what the findings begin with, in their order
		read      string   // what reading the run says; "": its facts are fewer, which only the journal knows
	}{
		// t4 is at work: 1.1.3 and 1.1.4 are its facts, and t3 has failed.
		{`UPDATE fact SET message = CAST(replace(CAST(message AS TEXT), 'Dune', 'Dunf') AS BLOB)`,
			[]string{"run t4, message 1.1.4: it is not as it was written"}, "message 1.1.4"},
		{`UPDATE fact SET message = CAST(replace(CAST(message AS TEXT), 'k\": 20', 'k\": 21') AS BLOB)`,
			[]string{"run t4, message 1.1.3: it is not as it was written"}, "message 1.1.3"},
		{`UPDATE fact SET message = CAST(substr(message, 1, length(message) - 1) || x'00' AS BLOB) WHERE place = (SELECT min(place) FROM fact)`,
			[]string{"run t4, message 1.1.4: it is not as it was written", "run t4: it has 2 facts, the journal says 2 and how they end"}, "message 1.1.4"},
		{`UPDATE fact SET message = CAST(substr(message, 1, length(message) - 40) AS BLOB) WHERE place = (SELECT min(place) FROM fact)`,
			[]string{"the store is damaged: the facts of commit ", "run t4: it has 1 facts, the journal says 2"}, "cannot be read"},
		{`UPDATE fact SET message = CAST(x'09' || substr(message, 2) AS BLOB) WHERE place = (SELECT max(place) FROM fact)`,
			[]string{"run t4, message 1.1.4: 1 messages before it are missing", "run t4, message 1.1.4: it is not as it was written", "1 facts belong to runs that have none"}, "message 1.1.4"},
		{`DELETE FROM fact`,
			[]string{"run t4: it has 0 facts, the journal says 2"}, ""},
		{`UPDATE log SET packed = CAST(substr(packed, 1, 100) || x'00' || substr(packed, 102) AS BLOB) WHERE run = 3`,
			[]string{"run t3: its log is not as it was written"}, "its log is not as it was written"},
		{`UPDATE log SET size = size - 1 WHERE run = 3`,
			[]string{"run t3: its log is not as it was written"}, "its log is not as it was written"},
		{`UPDATE log SET packed = (SELECT packed FROM log WHERE run = 1), size = (SELECT size FROM log WHERE run = 1) WHERE run = 3`,
			[]string{"run t3: its log is not as it was written"}, "its log is not as it was written"},
		{`DELETE FROM log WHERE run = 3`, []string{"run t3: it cannot be read: the store is damaged: its log is missing"}, "its log is missing"},
		{`UPDATE run SET log = '' WHERE number = 3`, []string{"run t3: its row is not as it was written"}, "its row is not as it was written"},
		{`INSERT INTO log SELECT 9, size, packed FROM log WHERE run = 3`, []string{"1 logs belong to runs that have none"}, ""},
		{`UPDATE body SET size = size + 1`, []string{"the shared body 1: ", "run t2, message 1.1.1: it cannot be read: ", "run t2: its log is not the one that was sealed", "run t3, message 1.1.1: it cannot be read: "}, "message 1.1.1"},
		{`DELETE FROM body`, []string{"run t2, message 1.1.1: it cannot be read: ", "run t2: its log is not the one that was sealed", "run t3, message 1.1.1: it cannot be read: "}, "message 1.1.1"},
		{`UPDATE body SET number = 2`, []string{"the shared body 2: ", "run t2, message 1.1.1: it cannot be read: ", "run t2: its log is not the one that was sealed", "run t3, message 1.1.1: it cannot be read: "}, "message 1.1.1"},
	} {
		t.Run(c.statement, func(t *testing.T) {
			s, p := asked(t)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			spoil(t, p, c.statement)
			report, err := store.Verify(t.Context(), p)
			if err != nil || len(report.Findings) != len(c.found) {
				t.Fatalf("findings are %v, %v, want %q", report.Findings, err, c.found)
			}
			for i, f := range report.Findings {
				if !strings.HasPrefix(f.String(), c.found[i]) {
					t.Errorf("finding %q, want %q", f, c.found[i])
				}
			}
			if s, err = store.Open(t.Context(), p, store.Config{ReadOnly: true}); err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for _, id := range []string{"t1", "t2", "t3", "t4"} {
				_, err := s.Trajectory(t.Context(), id)
				damaged := c.read != "" && slices.ContainsFunc(c.found, func(f string) bool { return strings.HasPrefix(f, "run "+id) })
				if damaged && (!errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), c.read)) {
					t.Errorf("reading %s: %v, want ErrDamaged and %q", id, err, c.read)
				}
				if !damaged && err != nil {
					t.Errorf("reading %s: %v", id, err)
				}
			}
		})
	}
}

// TestAnEarlierFormatIsRefused says what to do, and changes nothing.
func TestAnEarlierFormatIsRefused(t *testing.T) {
	s, p := asked(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	spoil(t, p, `PRAGMA user_version = 1`)
	m := manifest
	for _, cfg := range []store.Config{{}, {ReadOnly: true}, {Manifest: &m}} {
		if _, err := store.Open(t.Context(), p, cfg); err == nil || !strings.Contains(err.Error(), "nothing in it is lost") {
			t.Errorf("opened with %+v: %v", cfg, err)
		}
	}
	if report, err := store.Verify(t.Context(), p); err == nil || !strings.Contains(err.Error(), "nothing in it is lost") {
		t.Errorf("verified: %+v, %v: that it cannot be looked at is no damage", report, err)
	}
	spoil(t, p, `PRAGMA user_version = 2`)
	sound(t, p)
}
