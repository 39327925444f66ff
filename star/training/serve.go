package training

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// Server is a student's model on a server of the trainer's own.
type Server struct {
	Python   string // of a prepared environment
	Source   string // of [Place.Source]
	Model    string // checkpoint
	Distinct bool   // never say a label twice in a ranking
	Messages io.Writer
}

// Serve starts the server on a free port of this machine and returns the base
// URL of its OpenAI API, where the model is called star. It runs until end is
// called or the context ends.
func Serve(ctx context.Context, s Server) (url string, end func(), err error) {
	args := []string{"-m", "star_trainer", "serve", s.Model, "--listen", "127.0.0.1:0"}
	if s.Distinct {
		args = append(args, "--distinct")
	}
	ctx, stop := context.WithCancel(ctx)
	c := exec.CommandContext(ctx, s.Python, args...)
	c.Env = append(os.Environ(), "PYTHONPATH="+s.Source, "PYTHONUNBUFFERED=1", "TOKENIZERS_PARALLELISM=false")
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = 10 * time.Second
	var last tail
	c.Stderr = &last
	if s.Messages != nil {
		c.Stderr = io.MultiWriter(&last, s.Messages)
	}
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		stop()
		return "", nil, fmt.Errorf("training: serve %s: %w", s.Model, err)
	}
	end = func() {
		stop()
		_ = c.Wait() // it ends by the interrupt
	}
	lines := bufio.NewReader(out)
	for url == "" && err == nil {
		var line []byte
		line, err = lines.ReadBytes('\n')
		url = servingAt(line)
	}
	if url == "" {
		end()
		return "", nil, fmt.Errorf("training: serve %s: it did not start: %s", s.Model, last.line())
	}
	return url, end, nil
}

// servingAt is the URL that a line of the trainer's server tells; "": none.
func servingAt(line []byte) string {
	e, err := ParseEvent(line)
	if err != nil || e.Event != "serving" {
		return ""
	}
	var at struct{ URL string }
	if json.Unmarshal(e.Raw, &at) != nil {
		return ""
	}
	return at.URL
}
