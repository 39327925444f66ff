// Package tokenizer counts tokens as the student's own tokenizer does. It reads
// a tokenizer.json, the file that every model on Hugging Face carries, and cuts
// texts as the Python and Rust library does: the same ids, in the same order.
//
//	text      Emma leads.<|im_end|>
//	added     [Emma leads.] [<|im_end|>]     tokens that stand for themselves
//	normal    NFC, where the file asks for it
//	split     [Emma] [ leads] [.]            by the pattern of the file
//	merge     [Emm a] [ lead s] [.]          byte pairs, in the order they were learnt
//	tokens    {355, 0, 3} {64, 3, 4} ...     id, first byte, the byte after the last
//
// Read are byte-level BPE tokenizers, as those of Qwen, Llama 3, DeepSeek and
// GPT-2. Another kind, or a setting that would give other ids than these rules
// do, is refused by its name when the file is read; nothing is guessed.
//
// Letters, numbers and normal forms are those of Unicode 15, which Go knows.
// The tokens of Qwen are those of the library for every character there is;
// other vocabularies may cut beside a character that came later.
//
// # Offsets
//
// A [Token] tells which bytes of the text it was made of. A character of
// several bytes may be cut into several tokens, each with its own bytes. Where
// normalisation changed a character, all its tokens have the bytes of the
// whole character.
//
// # Speed
//
// The two patterns of Qwen and Llama 3 are matched by a scanner written for
// them; any other runs through a regular expression engine, at a tenth of the
// speed. Pieces that come again are looked up in a cache of fixed size.
package tokenizer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
)

// MaxFile is the most bytes of a tokenizer.json that are read.
const MaxFile = 64 << 20

// Tokenizer cuts texts into tokens. It does not change, and is safe for
// concurrent use.
type Tokenizer struct {
	digest    string
	raw       *trie // added tokens that are looked for in the text as it is
	normal    *trie // added tokens that are looked for after normalisation
	normalise normaliser
	splits    []splitter
	merges    *merges
	cache     *cache
}

// Token is a piece of a text: the bytes Start to End of it, without End.
type Token struct {
	ID         int
	Start, End int
}

// Load reads a tokenizer.json. An error names the file, and what of it is not
// understood.
func Load(path string) (*Tokenizer, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	defer f.Close()
	t, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %s: %w", path, err)
	}
	return t, nil
}

// Read reads what a tokenizer.json holds.
func Read(r io.Reader) (*Tokenizer, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > MaxFile {
		return nil, fmt.Errorf("more than %d bytes", MaxFile)
	}
	t, err := decode(b)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(b)
	t.digest = hex.EncodeToString(sum[:])
	return t, nil
}

// Digest is the SHA-256 of the file, in hex.
func (t *Tokenizer) Digest() string { return t.digest }

// Encode cuts a text into tokens, in the order of the text. Added tokens that
// stand in it, special ones too, are taken as such. No token is put before or
// after it.
func (t *Tokenizer) Encode(text string) []Token {
	tokens := make([]Token, 0, len(text)/3+4)
	t.walk(text, func(id int32, start, end int) {
		tokens = append(tokens, Token{int(id), start, end})
	})
	return tokens
}

// Count returns how many tokens [Tokenizer.Encode] would return.
func (t *Tokenizer) Count(text string) int {
	n := 0
	t.walk(text, func(int32, int, int) { n++ })
	return n
}

// walk calls emit for each token of a text.
func (t *Tokenizer) walk(text string, emit func(id int32, start, end int)) {
	t.raw.cut(text, func(from, to int, id int32) {
		if id >= 0 {
			emit(id, from, to)
			return
		}
		s, source := t.normalise.apply(text[from:to])
		t.normal.cut(s, func(a, b int, id int32) {
			if id < 0 {
				t.pieces(s[a:b], 0, a, func(id int32, start, end int) {
					start, end = source.of(start, end)
					emit(id, from+start, from+end)
				})
				return
			}
			start, end := source.of(a, b)
			emit(id, from+start, from+end)
		})
	})
}

// pieces splits s by the patterns from level on and merges each piece. Offsets
// are counted from base.
func (t *Tokenizer) pieces(s string, level, base int, emit func(id int32, start, end int)) {
	if level < len(t.splits) {
		t.splits[level].split(s, func(from, to int) { t.pieces(s[from:to], level+1, base+from, emit) })
		return
	}
	t.merge(s, base, emit)
}

// merge calls emit for the tokens of a piece.
func (t *Tokenizer) merge(s string, base int, emit func(id int32, start, end int)) {
	ids, ok := t.cache.get(s)
	if !ok {
		ids = t.merges.encode(s)
		t.cache.put(s, ids)
	}
	for _, id := range ids {
		end := base + t.merges.lengths[id]
		emit(id, base, end)
		base = end
	}
}
