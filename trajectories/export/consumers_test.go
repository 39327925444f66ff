package export_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/export"
)

func as(t testing.TB, name string, format export.Format, runs ...*trajectories.Trajectory) []byte {
	t.Helper()
	x, err := export.New(name, export.Config{Tools: specs, As: format})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := x.Export(context.Background(), &out, groups(runs...)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// columns reads a parquet file back: its schema, then a JSON object a row.
func columns(t *testing.T, file []byte) []byte {
	t.Helper()
	f, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	out := []byte(f.Schema().String() + "\n")
	r := parquet.NewReader(f)
	for {
		row := map[string]any{}
		err := r.Read(&row)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		var line bytes.Buffer
		enc := json.NewEncoder(&line)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(row); err != nil {
			t.Fatal(err)
		}
		out = append(out, line.Bytes()...)
	}
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("not as %s:\n%s", file, got)
	}
}

// TestGolden holds the bytes of each consumer's rows, and what is read back of
// its parquet files.
func TestGolden(t *testing.T) {
	for _, name := range export.Names() {
		for _, format := range export.Formats(name) {
			t.Run(name+"/"+string(format), func(t *testing.T) {
				got := as(t, name, format, run("t1", answer), run("t2", answer))
				if !bytes.Equal(got, as(t, name, format, run("t1", answer), run("t2", answer))) {
					t.Error("the same runs gave other bytes")
				}
				file := filepath.Join("testdata", name+"."+string(format))
				if format == export.Parquet {
					got, file = columns(t, got), file+".txt"
				}
				golden(t, file, got)
			})
		}
	}
}

// TestBeside holds the files that stand beside the rows.
func TestBeside(t *testing.T) {
	for _, name := range export.Names() {
		dir := t.TempDir()
		m, err := export.Write(context.Background(), dir, name, export.Config{Tools: specs, ShardRows: 1}, all(run("t1", answer), run("t2", answer)), export.Source{})
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Beside) == 0 {
			t.Errorf("%s: nothing stands beside the rows", name)
		}
		for _, f := range m.Beside {
			b, err := os.ReadFile(filepath.Join(dir, f.Name))
			if err != nil || int64(len(b)) != f.Bytes {
				t.Fatal(err, len(b), f)
			}
			if strings.Contains(string(b), "[%") {
				t.Errorf("%s of %s is not filled in:\n%s", f.Name, name, b)
			}
			if !strings.HasSuffix(f.Name, ".py") {
				golden(t, filepath.Join("testdata", name+"."+f.Name), b)
			}
		}
	}
}

// TestShards: shards one after the other are the rows in one file, each but the
// last is full, and no row of an earlier export stays.
func TestShards(t *testing.T) {
	runs := make([]*trajectories.Trajectory, 5)
	for i := range runs {
		runs[i] = run("t"+string(rune('1'+i)), answer)
	}
	dir := t.TempDir()
	write := func(shard int) export.Manifest {
		m, err := export.Write(context.Background(), dir, export.TRLGRPO, export.Config{Tools: specs, ShardRows: shard}, all(runs...), export.Source{})
		if err != nil {
			t.Fatal(err)
		}
		if m.Rows != len(runs) {
			t.Errorf("shards of %d: %d rows", shard, m.Rows)
		}
		return m
	}
	whole := func(m export.Manifest) []byte {
		var all []byte
		for _, f := range m.Files {
			b, err := os.ReadFile(filepath.Join(dir, f.Name))
			if err != nil || bytes.Count(b, []byte("\n")) != f.Rows {
				t.Fatal(err, f)
			}
			all = append(all, b...)
		}
		return all
	}
	want := whole(write(0))
	for shard, files := range map[int]int{1: 5, 2: 3, 5: 1, 6: 1} {
		m := write(shard)
		if !bytes.Equal(whole(m), want) || len(m.Files) != files || m.Files[0].Rows != min(shard, 5) {
			t.Errorf("shards of %d: %+v", shard, m.Files)
		}
		there, err := filepath.Glob(filepath.Join(dir, "train*"))
		if err != nil || len(there) != files {
			t.Errorf("shards of %d: %v", shard, there)
		}
	}
	if _, err := export.Write(context.Background(), dir, export.TRLSFT, export.Config{Tools: specs, ShardRows: 2}, all(), export.Source{}); !errors.Is(err, export.ErrNoRows) {
		t.Errorf("without rows: %v", err)
	}
}

// TestTheAnswerIsOnlyTheGroundTruth: in rows for reinforcement learning the
// right item is the ground truth, one of the candidates, and nothing else; what
// the teacher said is not there.
func TestTheAnswerIsOnlyTheGroundTruth(t *testing.T) {
	for name, times := range map[string]int{export.TRLGRPO: 2, export.VerlRL: 2} {
		got := as(t, name, export.Formats(name)[0], run("t1", answer))
		if export.Formats(name)[0] == export.Parquet {
			got = columns(t, got)
		}
		if n := bytes.Count(got, []byte(`"i2"`)); n != times {
			t.Errorf("%s: the right item is there %d times, want %d:\n%s", name, n, times, got)
		}
		for _, said := range []string{"First the neighbours.", "c02 leads", "tool_calls", `<recommend>[\"c02\", \"c01\", \"c03\"]`} {
			if bytes.Contains(got, []byte(said)) {
				t.Errorf("%s tells %q", name, said)
			}
		}
	}
}

// TestOneRowATask: several runs of a task are one prompt.
func TestOneRowATask(t *testing.T) {
	samples := func(yield func(export.Group, error) bool) {
		g := group(run("t1", answer))
		g.Runs = append(g.Runs, group(run("t1", answer)).Runs...)
		yield(g, nil)
	}
	for name, want := range map[string]int{export.TRLGRPO: 1, export.VerlRL: 1, export.TRLSFT: 2, export.Text: 2} {
		m, err := export.Write(context.Background(), t.TempDir(), name, export.Config{Tools: specs}, export.Chosen{Groups: samples}, export.Source{})
		if err != nil || m.Rows != want {
			t.Errorf("%s: %d rows, %v, want %d", name, m.Rows, err, want)
		}
	}
}

func TestFormats(t *testing.T) {
	if _, err := export.New(export.VerlSFT, export.Config{Tools: specs, As: export.JSONL}); err == nil || !strings.Contains(err.Error(), "parquet") {
		t.Errorf("verl-sft as jsonl: %v", err)
	}
	if export.Formats("nobody") != nil {
		t.Error("formats of nobody")
	}
	if _, err := export.Write(context.Background(), t.TempDir(), export.Text, export.Config{Tools: specs, ShardRows: -1}, all(), export.Source{}); err == nil {
		t.Error("shards of -1 rows")
	}
}
