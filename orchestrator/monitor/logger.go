package monitor

import (
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/mars-rec/mars/model/genai"
	"github.com/mars-rec/mars/orchestrator"
)

// Logger writes events as log lines: failures of runs at the level error,
// attempts that failed at warn, ends of runs at info, and each call of a model or
// a tool at debug. It is an [Observer].
type Logger struct{ log *zap.Logger }

// NewLogger returns a logger that writes to log.
func NewLogger(log *zap.Logger) Logger { return Logger{log} }

// Observe implements [Observer].
func (l Logger) Observe(e Event) {
	level, ok := levelOf(e)
	if !ok {
		return
	}
	line := l.log.Check(level, string(e.Kind))
	if line == nil {
		return
	}
	fields := make([]zap.Field, 0, 12)
	text := func(key, value string) {
		if value != "" {
			fields = append(fields, zap.String(key, value))
		}
	}
	number := func(key string, n int) {
		if n != 0 {
			fields = append(fields, zap.Int(key, n))
		}
	}
	text("run", e.Run)
	text("path", string(e.Path))
	text("role", string(e.Role))
	switch e.Kind {
	case ToolCalled:
		text("tool", e.Name)
	default:
		text("model", e.Name)
	}
	text("outcome", string(e.Outcome))
	if e.Kind != RunBegan && e.Kind != Retried {
		fields = append(fields, zap.Float64("seconds", e.Took.Seconds()))
	}
	if u := e.Usage; u != nil {
		fields = append(fields, zap.Int("input_tokens", u.InputTokens), zap.Int("output_tokens", u.OutputTokens))
		number("cached_tokens", u.CachedTokens)
	}
	number("calls", e.Calls)
	if e.Attempts > 1 {
		number("attempts", e.Attempts)
	}
	if e.Cached {
		fields = append(fields, zap.Bool("cached", true))
	}
	if e.Refused { // what it told the model repeats the model's words
		text("error_type", genai.BadInput)
	}
	if e.Err != nil {
		text("error_type", genai.FailureOf(e.Err))
		text("error", e.Err.Error())
	}
	line.Write(fields...)
}

// levelOf is the level of an event; ok is false for what no line is written of.
func levelOf(e Event) (level zapcore.Level, ok bool) {
	switch e.Kind {
	case RunEnded:
		if e.Outcome == orchestrator.Failed {
			return zap.ErrorLevel, true
		}
		return zap.InfoLevel, e.Outcome != orchestrator.Skipped
	case RunBegan, Replied, ToolCalled:
		return zap.DebugLevel, true
	case AttemptOver:
		return zap.WarnLevel, e.Err != nil
	}
	return 0, false // made, retried: the attempt's end tells it
}
