package training

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"
)

// Event is a line that the trainer prints: what kind of line it is, how far
// training has come, and any numbers.
type Event struct {
	Event   string  `json:"event"` // data, begin, step, end, evaluated, serving
	Stage   string  `json:"stage"` // sft or grpo
	Seconds float64 `json:"seconds"`
	Step    int     `json:"step"`
	Steps   int     `json:"steps"`
	Stopped bool    `json:"stopped"`
	// Numbers are the other fields that are numbers: loss, reward, kl, ...
	Numbers map[string]float64 `json:"-"`
	Text    map[string]string  `json:"-"` // the other fields that are words
	// Changed are settings that were changed to fit the machine, with the reason.
	Changed []string        `json:"changed"`
	Raw     json.RawMessage `json:"-"`
}

// ParseEvent reads a line of the trainer; one that is no event is an error.
func ParseEvent(line []byte) (Event, error) {
	e := Event{Numbers: map[string]float64{}, Text: map[string]string{}, Raw: bytes.Clone(line)}
	if err := json.Unmarshal(line, &e); err != nil {
		return e, err
	}
	if e.Event == "" {
		return e, errors.New("training: a line without an event")
	}
	var all map[string]any
	if err := json.Unmarshal(line, &all); err != nil {
		return e, err
	}
	for name, v := range all {
		switch v := v.(type) {
		case float64:
			e.Numbers[name] = v
		case string:
			e.Text[name] = v
		}
	}
	return e, nil
}

// Job is one call of the trainer.
type Job struct {
	Python string   // of a prepared environment
	Source string   // of [Place.Source]
	Args   []string // sft, grpo, ... and what follows
	// Processes is how many processes of this machine train together; with 0
	// or 1 the trainer is started by itself, otherwise by accelerate.
	Processes int
	CPU       bool // there is no GPU: accelerate would take one process for granted
	// Drain, when it is closed, asks the trainer to end after its step and to
	// save what it has.
	Drain <-chan struct{}
	// Patience is how long it may take for that after the context has ended;
	// 0: ten seconds.
	Patience time.Duration
	Messages io.Writer   // gets what the trainer says besides; nil: nothing
	Hear     func(Event) // hears each event, in order; nil: nobody
}

// cpu puts accelerate's flag for machines without a GPU before its arguments.
func cpu(yes bool, args []string) []string {
	if !yes {
		return args
	}
	return append([]string{"--cpu"}, args...)
}

// memory keeps glibc from giving each large block back to the kernel, only to
// ask for it again in the next step: of a small student's training on a CPU an
// eighth went into page faults. What the user has set himself holds.
func memory() []string {
	return []string{"MALLOC_MMAP_MAX_=0", "MALLOC_TRIM_THRESHOLD_=17179869184"}
}

// Run starts the trainer and waits for it. An error of the trainer's is its
// last words.
func Run(ctx context.Context, job Job) error {
	if job.Hear == nil {
		job.Hear = func(Event) {}
	}
	args := append([]string{"-m", "star_trainer"}, job.Args...)
	if job.Processes > 1 {
		args = append([]string{"-m", "accelerate.commands.launch", "--num_processes", strconv.Itoa(job.Processes)}, cpu(job.CPU, args)...)
	}
	c := exec.CommandContext(ctx, job.Python, args...)
	c.Env = append(append(memory(), os.Environ()...), "PYTHONPATH="+job.Source, "PYTHONUNBUFFERED=1", "TOKENIZERS_PARALLELISM=false")
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = job.Patience
	if c.WaitDelay == 0 {
		c.WaitDelay = 10 * time.Second
	}
	var last tail
	c.Stderr = &last
	if job.Messages != nil {
		c.Stderr = io.MultiWriter(&last, job.Messages)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return fmt.Errorf("training: %w", err)
	}
	if err := c.Start(); err != nil {
		return fmt.Errorf("training: %w", err)
	}
	ended := make(chan struct{})
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		select {
		case <-job.Drain:
			_ = c.Process.Signal(os.Interrupt) // it has ended, or it will after its step
		case <-ended:
		}
	}()
	read := eachLine(out, func(line []byte) {
		if e, err := ParseEvent(line); err == nil {
			job.Hear(e)
		} else if job.Messages != nil {
			_, _ = job.Messages.Write(line)
		}
	})
	err = c.Wait()
	close(ended)
	<-asked
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil && last.line() != "":
		return fmt.Errorf("training: %s: %w", last.line(), err)
	case err != nil:
		return fmt.Errorf("training: %w", err)
	}
	return read
}
