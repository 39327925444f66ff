package tokenizer

import (
	"fmt"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

// splitter cuts a text into pieces that are merged apart. It calls yield for
// each, in order; together they are the text.
type splitter interface {
	split(s string, yield func(from, to int))
}

// The patterns that [words] knows are Qwen's, and Llama 3's, which differs in
// runs of up to three digits. That of GPT-2 is the one that ByteLevel means.
const (
	qwenPattern  = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	llamaPattern = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	gpt2Pattern  = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
)

// maxPattern is the most bytes of a pattern.
const maxPattern = 4096

// newSplitter returns a splitter for a pattern: each match is a piece, and so
// is what stands between two.
func newSplitter(pattern string) (splitter, error) {
	switch {
	case pattern == qwenPattern:
		return newWords(1), nil
	case pattern == llamaPattern:
		return newWords(3), nil
	case len(pattern) > maxPattern:
		return nil, fmt.Errorf("a pattern of %d bytes: at most %d", len(pattern), maxPattern)
	}
	return newExpression(pattern)
}

// expression splits by any pattern. It needs an engine that can look ahead,
// which Go's own cannot.
type expression struct{ re *regexp2.Regexp }

func newExpression(pattern string) (splitter, error) {
	re, err := regexp2.Compile(pattern, regexp2.None)
	if err != nil {
		return nil, fmt.Errorf("the pattern %q: %w", pattern, err)
	}
	return expression{re}, nil
}

// split implements [splitter]. The engine counts characters, yield bytes.
func (e expression) split(s string, yield func(from, to int)) {
	runes := []rune(s)
	char, at, from := 0, 0, 0 // the same place, in characters and bytes; the first byte not yielded yet
	to := func(n int) int {
		for ; char < n; char++ {
			_, size := utf8.DecodeRuneInString(s[at:])
			at += size
		}
		return at
	}
	for start := 0; start <= len(runes); {
		m, err := e.re.FindRunesMatchStartingAt(runes, start)
		if err != nil || m == nil { // the only error is a time-out, and there is none
			break
		}
		start = max(m.Index+m.Length, start+1)
		if begin := to(m.Index); begin > from {
			yield(from, begin)
			from = begin
		}
		if end := to(m.Index + m.Length); end > from {
			yield(from, end)
			from = end
		}
	}
	if from < len(s) {
		yield(from, len(s))
	}
}
