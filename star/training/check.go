package training

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// Finding is one thing that training needs, or is faster with.
type Finding struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Needed bool   `json:"needed"` // without it nothing can be trained here
	Found  string `json:"found"`
	Do     string `json:"do,omitempty"` // what to do about it
}

// Check looks at what a machine has for training, and says of what is missing
// how to get it. It installs nothing.
func (p Place) Check(ctx context.Context) []Finding {
	found := []Finding{{Name: "machine", OK: true, Found: fmt.Sprintf("%s, %d cores", p.System, runtime.NumCPU())}}
	maker := Finding{Name: "python", Needed: true, Do: "install Python 3.11 or newer with its venv module, or name one with --python"}
	if path, err := p.maker(ctx); err == nil {
		maker.OK, maker.Do = true, ""
		maker.Found = path + ", " + said(ctx, path, "--version")
	} else {
		maker.Found = err.Error()
	}
	found = append(found, maker, p.environment(ctx), gpu(ctx))
	return found
}

// environment tells whether the trainer's environment is there and works.
func (p Place) environment(ctx context.Context) Finding {
	f := Finding{Name: "environment", Found: "not made yet", Do: "mars train prepare makes it: it fetches " + p.Size()}
	python, ok, err := p.Ready()
	switch {
	case err != nil:
		f.Found = err.Error()
	case ok:
		versions := said(ctx, python, "-c", "import torch, trl, transformers as t; print('torch', torch.__version__, 'trl', trl.__version__, 'transformers', t.__version__)")
		if f.OK = strings.HasPrefix(versions, "torch "); f.OK {
			f.Do = ""
		} else {
			f.Do = "mars train prepare --force makes it anew"
		}
		f.Found = versions
	}
	return f
}

// gpu tells what graphics processors the driver sees.
func gpu(ctx context.Context) Finding {
	f := Finding{Name: "gpu", Found: "none", Do: "a small student trains on a CPU in minutes (--from-scratch 2m); for larger ones use a machine with a GPU and mars train prepare --gpu"}
	if path, err := exec.LookPath("nvidia-smi"); err == nil {
		f.Found = said(ctx, path, "--query-gpu=name,memory.total", "--format=csv,noheader")
		if f.OK = f.Found != ""; f.OK {
			f.Do = ""
		}
	}
	return f
}

// HasGPU reports whether the driver sees a graphics processor.
func HasGPU(ctx context.Context) bool { return gpu(ctx).OK }

// said is the first line that a program prints, or its error.
func said(ctx context.Context, name string, args ...string) string {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, errors.New("no answer within a minute"))
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err != nil {
		return fmt.Sprintf("%s: %v", lines[len(lines)-1], err)
	}
	return lines[0]
}
