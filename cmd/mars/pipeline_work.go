package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mars-rec/mars/star/pipeline"
	"github.com/mars-rec/mars/star/training"
)

// pipelineWork runs the stages of a pipeline, and tells of them.
type pipelineWork struct {
	app    *app
	place  placeFlags
	stages int // how many there are
	number int // of those that are told of
	began  time.Time
	said   []json.RawMessage // with --json, what the stage's commands printed
	err    error             // of the output
}

// hear tells of a stage: that it begins, and what became of it.
func (w *pipelineWork) hear(o pipeline.Outcome) {
	a := w.app
	if o.Status == pipeline.Begins {
		w.began, w.said = a.now(), nil
		a.notef("\n[%d/%d] %s begins: %s", w.number+1, w.stages, o.Stage, o.Why)
		return
	}
	w.number++
	s := staged{Outcome: o}
	if o.Status == pipeline.Ran {
		s.Seconds, s.Said = a.now().Sub(w.began).Round(time.Millisecond).Seconds(), w.said
	}
	w.err = errors.Join(w.err, a.print(s, func(out io.Writer) { writeStage(out, w.number, w.stages, s) }))
}

// do runs the commands of a stage.
func (w *pipelineWork) do(ctx context.Context, job pipeline.Job) error {
	aside := []string{}
	if job.Serving != "" {
		url, end, err := w.serve(ctx, job)
		if err != nil {
			return err
		}
		defer end()
		aside = []string{"--base-url", url}
	}
	for _, line := range job.Lines {
		line = append(slices.Clone(line), aside...)
		if job.Resumed && line[0] == "train" {
			whole, err := training.Resumable(filepath.Join(job.Folder, "student"))
			if err != nil {
				return err
			}
			if whole > 0 {
				line = append(line, "--resume")
			}
		}
		err := w.line(ctx, line)
		if (job.Name == pipeline.Serving || job.Name == pipeline.Hybrid) && errors.Is(err, errRunsFailed) {
			w.app.notef("note: %v; they count as misses", err) // a student that gives no ranking is a result
			err = nil
		}
		if err != nil {
			return err
		}
		if w.app.interrupted.Load() {
			return fmt.Errorf("stopped: %w", context.Canceled)
		}
	}
	return nil
}

// line runs one command; with --json its output is kept for the stage's.
func (w *pipelineWork) line(ctx context.Context, args []string) error {
	a := w.app
	if !a.json {
		return a.step(ctx, args)
	}
	stdout := a.stdout
	var said bytes.Buffer
	a.stdout = &said
	err := a.step(ctx, args)
	a.stdout = stdout
	for text := range strings.Lines(said.String()) {
		if json.Valid([]byte(text)) {
			w.said = append(w.said, json.RawMessage(strings.TrimSpace(text)))
		}
	}
	return err
}

// serve starts the server of the student that was trained, on a free port. It
// runs until end is called.
func (w *pipelineWork) serve(ctx context.Context, job pipeline.Job) (url string, end func(), err error) {
	w.app.notef("starting the model server of %s", job.Serving)
	args := []string{"serve", job.Serving, "--listen", "127.0.0.1:0", "--name", "star", "--ranking", job.Ranking}
	ctx, stop := context.WithCancel(ctx)
	urls, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- w.app.trainer(ctx, w.place, args, func(e training.Event) error {
			if at := e.Text["url"]; at != "" {
				urls <- at
			}
			return nil
		})
	}()
	select {
	case url := <-urls:
		return url, func() { stop(); <-ended }, nil
	case err := <-ended:
		stop()
		return "", nil, cmp.Or(err, errors.New("the model server ended before it served"))
	}
}

// student says why no student can be trained here although the settings ask for
// one; "" where one can. It is an error unless the settings allow it.
func (a *app) student(ctx context.Context, f pipelineFlags, s pipeline.Settings, flags placeFlags) (without string, err error) {
	if s.Train.Off {
		return "", nil
	}
	place, err := flags.place(ctx)
	if err != nil {
		return "", err
	}
	if _, ok, err := place.Ready(); err != nil || ok {
		return "", err
	}
	for _, x := range place.Check(ctx) {
		if x.Needed && !x.OK {
			if s.Train.Told.Optional {
				a.notef("note: no student is trained: %s", x.Found)
				return x.Found, nil
			}
			if f.only == "" && !f.dryRun {
				return "", hinted(fmt.Errorf("a student is trained with Python: %s", x.Found),
					"%s; or write train: false, or optional: true under train, to do without", x.Do)
			}
		}
	}
	return "", nil
}
