package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// logger opens a log of JSON lines, and the function that ends it. Lines reach
// the file once a second, and at the end.
func (a *app) logger(path string, level zapcore.Level) (*zap.Logger, func() error, error) {
	var out io.Writer = a.stderr
	closeFile := func() error { return nil }
	if path != "-" {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return nil, nil, fmt.Errorf("--log: %w", err)
		}
		out, closeFile = f, f.Close
	}
	lines := &zapcore.BufferedWriteSyncer{WS: zapcore.AddSync(jsonScreen{out}), FlushInterval: time.Second}
	keys := zapcore.EncoderConfig{TimeKey: "time", LevelKey: "level", MessageKey: "event", LineEnding: "\n",
		EncodeTime: zapcore.RFC3339NanoTimeEncoder, EncodeLevel: zapcore.LowercaseLevelEncoder}
	// What cannot be written is lost: a full disk must not fill the terminal.
	log := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(keys), lines, level), zap.WithClock(logClock{a.now}), zap.ErrorOutput(zapcore.AddSync(io.Discard)))
	return log, func() error { return errors.Join(lines.Stop(), closeFile()) }, nil
}

// logClock is the program's, for log lines.
type logClock struct{ now func() time.Time }

// Now implements [zapcore.Clock].
func (c logClock) Now() time.Time { return c.now() }

// NewTicker implements [zapcore.Clock].
func (logClock) NewTicker(d time.Duration) *time.Ticker { return time.NewTicker(d) }
