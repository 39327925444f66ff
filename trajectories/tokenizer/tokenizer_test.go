package tokenizer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// tiny reads the small tokenizer, after f has changed its file.
func tiny(t testing.TB, change ...func(map[string]any)) (*Tokenizer, error) {
	b, err := os.ReadFile(filepath.Join("testdata", "tiny.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]any
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(file)
	}
	if b, err = json.Marshal(file); err != nil {
		t.Fatal(err)
	}
	return Read(bytes.NewReader(b))
}

func mustTiny(t testing.TB, change ...func(map[string]any)) *Tokenizer {
	tk, err := tiny(t, change...)
	if err != nil {
		t.Fatal(err)
	}
	return tk
}

// setModel and setSplit change a part of the file.
func setModel(key string, v any) func(map[string]any) {
	return func(f map[string]any) { f["model"].(map[string]any)[key] = v }
}

func setSplit(pattern string) func(map[string]any) {
	return func(f map[string]any) {
		steps := f["pre_tokenizer"].(map[string]any)["pretokenizers"].([]any)
		steps[0].(map[string]any)["pattern"] = map[string]any{"Regex": pattern}
	}
}

// oldMerges writes merges as files before 2024 do: "a b".
func oldMerges(f map[string]any) {
	m := f["model"].(map[string]any)
	var lines []any
	for _, p := range m["merges"].([]any) {
		parts := p.([]any)
		lines = append(lines, parts[0].(string)+" "+parts[1].(string))
	}
	m["merges"] = lines
}

// made is what the tokenizers library makes of a text.
type made struct {
	Text       string
	IDs        []int
	Characters [][2]int
}

func golden(t *testing.T, name string) []made {
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []made
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var m made
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// same holds a tokenizer against the library: ids always, offsets where
// normalisation changed nothing.
func same(t *testing.T, tk *Tokenizer, all []made) {
	for _, m := range all {
		tokens := tk.Encode(m.Text)
		var ids []int
		for _, token := range tokens {
			ids = append(ids, token.ID)
		}
		if !slices.Equal(ids, m.IDs) {
			t.Errorf("%q: ids %v, want %v", m.Text, ids, m.IDs)
			continue
		}
		if n := tk.Count(m.Text); n != len(m.IDs) {
			t.Errorf("%q: %d tokens, want %d", m.Text, n, len(m.IDs))
		}
		if s, _ := tk.normalise.apply(m.Text); s != m.Text {
			continue
		}
		for i, token := range tokens {
			start, end := token.Start, token.End // the library counts whole characters
			for !utf8.RuneStart(m.Text[start]) {
				start--
			}
			for end < len(m.Text) && !utf8.RuneStart(m.Text[end]) {
				end++
			}
			if got := [2]int{utf8.RuneCountInString(m.Text[:start]), utf8.RuneCountInString(m.Text[:end])}; got != m.Characters[i] {
				t.Errorf("%q: token %d at %v, want %v", m.Text, i, got, m.Characters[i])
			}
		}
	}
}

func TestGolden(t *testing.T) {
	all := golden(t, "golden.jsonl")
	if len(all) < 400 {
		t.Fatalf("%d texts", len(all))
	}
	same(t, mustTiny(t), all)
	t.Run("merges as lines", func(t *testing.T) { same(t, mustTiny(t, oldMerges), all) })
}

// TestQwen3 holds the real file against the library's ids, where it is there.
func TestQwen3(t *testing.T) {
	path := os.Getenv("MARS_QWEN3_TOKENIZER")
	if path == "" {
		t.Skip("MARS_QWEN3_TOKENIZER names no tokenizer.json of Qwen3")
	}
	tk, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	same(t, tk, golden(t, "qwen3.jsonl"))
}

// characters are those that the patterns tell apart, and some of each script.
var characters = []rune("ab'sStTrReEvVmMlLdD 019٠²Ⅷ \t\n\r\u00a0\u2028漢カ한é\u0301😀\u200d!.,<|>_عह\x00\x1c")

func anyText(t *rapid.T) string {
	return rapid.StringOf(rapid.SampledFrom(characters)).Draw(t, "text")
}

// TestScannerIsThePattern holds the scanner against the patterns it stands for.
func TestScannerIsThePattern(t *testing.T) {
	for _, pattern := range []string{qwenPattern, llamaPattern} {
		fast, err := newSplitter(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := fast.(words); !ok {
			t.Fatalf("%T splits by a known pattern", fast)
		}
		slow, err := newExpression(pattern)
		if err != nil {
			t.Fatal(err)
		}
		rapid.Check(t, func(t *rapid.T) {
			s := anyText(t)
			if got, want := split(fast, s), split(slow, s); !slices.Equal(got, want) {
				t.Fatalf("%q: %q, want %q", s, got, want)
			}
		})
	}
}

func split(by splitter, s string) (pieces []string) {
	by.split(s, func(from, to int) { pieces = append(pieces, s[from:to]) })
	return pieces
}

// TestTokensCoverTheText: no byte is lost, whatever the text.
func TestTokensCoverTheText(t *testing.T) {
	some := []*Tokenizer{mustTiny(t), mustTiny(t, setSplit(`\p{L}+`)), mustTiny(t, setModel("ignore_merges", true))}
	rapid.Check(t, func(t *rapid.T) { cover(t, some, anyText(t)+rapid.String().Draw(t, "more")) })
}

func cover(t interface{ Fatalf(string, ...any) }, some []*Tokenizer, s string) {
	for _, tk := range some {
		at := 0
		for _, token := range tk.Encode(s) {
			if token.Start > at || token.End < at || token.End > len(s) {
				t.Fatalf("%q: token %v after byte %d", s, token, at)
			}
			at = token.End
		}
		if at != len(s) {
			t.Fatalf("%q: the tokens end at %d of %d", s, at, len(s))
		}
	}
}

func FuzzEncode(f *testing.F) {
	some := []*Tokenizer{mustTiny(f), mustTiny(f, setSplit(`\p{L}+`))}
	for _, s := range []string{"c02:7 \xff e\u0301\u0301", "<|im_start|>user\n  hello", "'ſ'LL"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { cover(t, some, s) })
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{`{"model":{"type":"BPE","vocab":{"a":0},"merges":["a a"]},"pre_tokenizer":{"type":"ByteLevel"}}`, `{"model":{"vocab":[["a",0.5]]}}`, `[]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if tk, err := Read(bytes.NewReader(b)); err == nil {
			tk.Encode("c02 leads")
		}
	})
}

func TestOthersAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		change func(map[string]any)
		want   string
	}{
		"wordpiece": {setModel("type", "WordPiece"), "it is a WordPiece tokenizer"},
		"unigram": {func(f map[string]any) {
			f["model"] = map[string]any{"type": "Unigram", "vocab": []any{[]any{"a", -1.5}}}
		}, "it is a Unigram tokenizer"},
		"no model": {func(f map[string]any) { delete(f, "model") }, "is it a tokenizer.json?"},
		"fallback": {setModel("byte_fallback", true), "falls back to bytes"},
		"suffix":   {setModel("end_of_word_suffix", "</w>"), `"</w>"`},
		"dropout":  {setModel("dropout", 0.1), "at random"},
		"prefix space": {func(f map[string]any) {
			f["pre_tokenizer"] = map[string]any{"type": "ByteLevel", "add_prefix_space": true}
		}, "add_prefix_space"},
		"metaspace": {func(f map[string]any) { f["pre_tokenizer"] = map[string]any{"type": "Metaspace"} }, "pre_tokenizer: Metaspace is not read"},
		"no split":  {func(f map[string]any) { f["pre_tokenizer"] = nil }, "there is none"},
		"no bytes": {func(f map[string]any) {
			f["pre_tokenizer"] = map[string]any{"type": "Sequence", "pretokenizers": []any{}}
		}, "empty Sequence"},
		"pattern":     {setSplit("(a"), `the pattern "(a"`},
		"lowercase":   {func(f map[string]any) { f["normalizer"] = map[string]any{"type": "Lowercase"} }, "normalizer: Lowercase is not read"},
		"no byte":     {func(f map[string]any) { delete(f["model"].(map[string]any)["vocab"].(map[string]any), "Ā") }, "the byte 0x00"},
		"merge":       {setModel("merges", []any{[]any{"a", "\x00"}}), "not in the vocabulary"},
		"merge parts": {setModel("merges", []any{[]any{"a"}}), "has 1 parts"},
		"merge line":  {setModel("merges", []any{"ab"}), "want two parts"},
		"id":          {func(f map[string]any) { f["model"].(map[string]any)["vocab"].(map[string]any)["a"] = maxID + 1 }, "is not between"},
		"strip":       {func(f map[string]any) { f["added_tokens"].([]any)[0].(map[string]any)["lstrip"] = true }, "lstrip"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := tiny(t, test.change); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
	if _, err := Load(filepath.Join("testdata", "none.json")); err == nil || !strings.Contains(err.Error(), "none.json") {
		t.Errorf("error %v", err)
	}
}

// TestManyAtOnce: the cache is shared, and what it holds changes nothing.
func TestManyAtOnce(t *testing.T) {
	tk := mustTiny(t)
	all := golden(t, "golden.jsonl")
	var w sync.WaitGroup
	for range 4 {
		w.Go(func() { same(t, tk, all) })
	}
	w.Wait()
}

func BenchmarkEncode(b *testing.B) {
	tk := mustTiny(b)
	if path := os.Getenv("MARS_QWEN3_TOKENIZER"); path != "" {
		var err error
		if tk, err = Load(path); err != nil {
			b.Fatal(err)
		}
	}
	text, err := os.ReadFile(filepath.Join("..", "testdata", "linear.txt"))
	if err != nil {
		b.Fatal(err)
	}
	for name, s := range map[string]string{"trajectory": strings.Repeat(string(text), 20), "one word": strings.Repeat("ab", 5000), "line": "c02 leads in item_cf\n"} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(s)))
			b.ReportAllocs()
			for b.Loop() {
				tk.Count(s)
			}
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	path := os.Getenv("MARS_QWEN3_TOKENIZER")
	if path == "" {
		path = filepath.Join("testdata", "tiny.json")
	}
	for b.Loop() {
		if _, err := Load(path); err != nil {
			b.Fatal(err)
		}
	}
}
