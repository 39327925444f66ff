package training

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// fakePython stands for an interpreter: it makes environments that hold itself,
// notes what pip is asked for, and trains nothing.
const fakePython = `#!/bin/sh
case "$*" in
  "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
  "-m pip "*) echo "$*" >> "$PIP_LOG"; case "$PIP_LOG" in *broken*) echo "no such package" >&2; exit 1 ;; esac ;;
  "-m star_trainer sft"*)
    echo 'a word of a library'
    echo '{"event":"data","stage":"sft","rows":8,"changed":["bf16: False, since there is no GPU"]}'
    echo '{"event":"step","stage":"sft","seconds":2,"step":3,"steps":9,"loss":1.5,"loss/ranking":2.5}'
    echo 'said besides' >&2 ;;
  "-m star_trainer waits"*) trap 'echo "{\"event\":\"end\",\"stopped\":true}"; exit 0' INT; echo '{"event":"begin"}'; while :; do sleep 0.05; done ;;
  "-m star_trainer "*) echo 'star-trainer: no rows' >&2; exit 1 ;;
  *accelerate.commands.launch*) echo '{"event":"begin","stage":"'"$4 $6"'"}' ;;
esac
`

func fake(t *testing.T) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the stand-in for Python is a shell script")
	}
	path := filepath.Join(t.TempDir(), "python3")
	if err := os.WriteFile(path, []byte(fakePython), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPrepareMakesAnEnvironmentOnce(t *testing.T) {
	log := filepath.Join(t.TempDir(), "pip.log")
	t.Setenv("PIP_LOG", log)
	p := Place{Cache: t.TempDir(), Python: fake(t), System: "linux/amd64"}
	if _, ok, err := p.Ready(); ok || err != nil {
		t.Fatalf("an empty cache is ready: %v, %v", ok, err)
	}
	var told []string
	python, err := p.Prepare(t.Context(), func(s string) { told = append(told, s) })
	if err != nil {
		t.Fatal(err)
	}
	if again, ok, err := p.Ready(); !ok || err != nil || again != python {
		t.Errorf("it is not ready: %q, %v, %v", again, ok, err)
	}
	first, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"torch-linux-x86_64-cpu.txt --no-deps\n", "--no-deps -r "} {
		if !strings.Contains(string(first), want) {
			t.Errorf("pip was not asked for %q:\n%s", want, first)
		}
	}
	if _, err := p.Prepare(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if second, err := os.ReadFile(log); err != nil || !bytes.Equal(first, second) {
		t.Errorf("a ready environment was made again: %s, %v", second, err)
	}
	if len(told) != 4 {
		t.Errorf("it told %q", told)
	}
}

func TestPyTorchIsFetchedAsTheMachineNeedsIt(t *testing.T) {
	for name, test := range map[string]struct {
		place Place
		want  []string
	}{
		"a cpu":       {Place{System: "linux/amd64"}, []string{"-r", "requirements/torch-linux-x86_64-cpu.txt"}},
		"a gpu":       {Place{System: "linux/amd64", GPU: true}, []string{"-r", "requirements/torch.txt"}},
		"another":     {Place{System: "darwin/arm64"}, []string{"-r", "requirements/torch.txt"}},
		"an index":    {Place{System: "linux/amd64", Index: "https://x"}, []string{"-r", "requirements/torch.txt", "--index-url", "https://x"}},
		"its own gpu": {Place{System: "linux/arm64", GPU: true}, []string{"-r", "requirements/torch.txt"}},
	} {
		if got := test.place.installs("d")[0].told; !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestAnInterruptedEnvironmentIsMadeAnew(t *testing.T) {
	t.Setenv("PIP_LOG", filepath.Join(t.TempDir(), "broken.log"))
	p := Place{Cache: t.TempDir(), Python: fake(t), System: "linux/amd64"}
	if _, err := p.Prepare(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "no such package") {
		t.Errorf("the error is %v", err)
	}
	if _, ok, err := p.Ready(); ok || err != nil {
		t.Errorf("a broken environment is ready: %v", err)
	}
	t.Setenv("PIP_LOG", filepath.Join(t.TempDir(), "pip.log"))
	if _, err := p.Prepare(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

func TestNoPython(t *testing.T) {
	p := Place{Cache: t.TempDir(), Python: filepath.Join(t.TempDir(), "none"), System: "linux/amd64"}
	if _, err := p.Prepare(t.Context(), nil); !errors.Is(err, ErrPython) {
		t.Errorf("the error is %v", err)
	}
	for _, f := range p.Check(t.Context()) {
		if f.Name == "python" && (f.OK || !f.Needed || f.Do == "") {
			t.Errorf("%+v", f)
		}
	}
}

func TestSourceIsUnpackedOnce(t *testing.T) {
	p := Place{Cache: t.TempDir()}
	dir, err := p.Source()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "star_trainer", "sft.py")); err != nil {
		t.Error(err)
	}
	again, err := p.Source()
	if err != nil || again != dir {
		t.Errorf("%s, then %s, %v", dir, again, err)
	}
	if left, _ := filepath.Glob(filepath.Join(p.Cache, "unpacking-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestRunTellsEvents(t *testing.T) {
	var heard []Event
	var said bytes.Buffer
	job := Job{Python: fake(t), Args: []string{"sft", "rows"}, Messages: &said, Hear: func(e Event) { heard = append(heard, e) }}
	if err := Run(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	if len(heard) != 2 || heard[1].Step != 3 || heard[1].Steps != 9 || heard[1].Numbers["loss/ranking"] != 2.5 || len(heard[0].Changed) != 1 {
		t.Errorf("%+v", heard)
	}
	if !strings.Contains(said.String(), "a word of a library") || !strings.Contains(said.String(), "said besides") {
		t.Errorf("what it said besides is %q", said.String())
	}
	job.Args = []string{"grpo"}
	if err := Run(t.Context(), job); err == nil || !strings.Contains(err.Error(), "star-trainer: no rows") {
		t.Errorf("the error is %v", err)
	}
	job.Args, job.Processes, heard = []string{"sft"}, 4, nil
	if err := Run(t.Context(), job); err != nil || len(heard) != 1 || heard[0].Stage != "4 star_trainer" {
		t.Errorf("%+v, %v", heard, err)
	}
}

// A trainer that is asked to end says so; one whose context ends is stopped.
func TestRunEndsWhenAsked(t *testing.T) {
	drain := make(chan struct{})
	stopped := false
	job := Job{Python: fake(t), Args: []string{"waits"}, Drain: drain, Hear: func(e Event) {
		if e.Event == "begin" {
			close(drain)
		}
		stopped = stopped || e.Stopped
	}}
	if err := Run(t.Context(), job); err != nil || !stopped {
		t.Errorf("stopped %v, %v", stopped, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	job.Drain, job.Hear = nil, func(e Event) { cancel() }
	if err := Run(ctx, job); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

func TestParseEvent(t *testing.T) {
	for _, line := range []string{"", "{}", "[1]", `{"event":3}`, "words"} {
		if e, err := ParseEvent([]byte(line)); err == nil {
			t.Errorf("%q was read: %+v", line, e)
		}
	}
}
