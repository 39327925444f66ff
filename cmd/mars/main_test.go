package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the scripts call the program as `mars`, a process of its own
// made of this test binary, and a NATS server as `nats`.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"mars": func() {
			os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr, clock()))
		},
		"nats": func() { os.Exit(serveNATS()) },
	})
}

// TestScripts runs testdata/script/*.txtar, one file per command. Beside what
// testscript itself offers, a script has:
//
//	gzip FILE          writes FILE.gz
//	cut FILE BYTES     keeps the first BYTES of FILE (negative: all but the last)
//	nats-server        runs NATS servers: $NATS, $NATS_MONITOR, $NATS_LAZY, $NATS_LAZY_MONITOR
//	[data]             holds where the real data sets are present, in $DATA
//	$TOKENIZER         names a small tokenizer.json
func TestScripts(t *testing.T) {
	data := realData(t)
	tokenizer, err := filepath.Abs(filepath.Join("..", "..", "trajectories", "tokenizer", "testdata", "tiny.json"))
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("DATA", data)
			env.Setenv("NO_COLOR", "1")
			env.Setenv("TOKENIZER", tokenizer)
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond == "data" {
				return data != "", nil
			}
			return false, nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"gzip":        gzipFile,
			"cut":         cutFile,
			"nats-server": natsServer,
		},
	})
}

// realData returns the folder of the real data sets, or "" where there is none.
func realData(t *testing.T) string {
	dir, err := filepath.Abs(filepath.Join("..", "..", "..", "shared", "data"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "ml-latest-small", "ratings.csv")); err != nil {
		return ""
	}
	return dir
}

func gzipFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: gzip FILE")
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(ts.ReadFile(args[0])))
	ts.Check(err)
	ts.Check(w.Close())
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".gz"), b.Bytes(), 0o600))
}

func cutFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: cut FILE BYTES")
	}
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	path := ts.MkAbs(args[0])
	if n < 0 {
		info, err := os.Stat(path)
		ts.Check(err)
		n += info.Size()
	}
	ts.Check(os.Truncate(path, n))
}

// itself makes a name in a folder by which this test binary is a program: see
// TestMain.
func itself(t testing.TB, dir, name string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.Symlink(self, path); err != nil {
		t.Skip("no symbolic links here, so the test cannot run its own binary as mars:", err)
	}
	return path
}
