package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// maxID bounds the ids of a vocabulary.
const maxID = 1 << 22

// file is what of a tokenizer.json decides the ids.
type file struct {
	Added      []addedToken    `json:"added_tokens"`
	Normalizer json.RawMessage `json:"normalizer"`
	Split      json.RawMessage `json:"pre_tokenizer"`
	Model      struct {
		Type         string          `json:"type"`
		Dropout      *float64        `json:"dropout"`
		Prefix       string          `json:"continuing_subword_prefix"`
		Suffix       string          `json:"end_of_word_suffix"`
		ByteFallback bool            `json:"byte_fallback"`
		IgnoreMerges bool            `json:"ignore_merges"`
		Vocab        json.RawMessage `json:"vocab"` // of BPE an object, of Unigram a list
		Merges       json.RawMessage `json:"merges"`
	} `json:"model"`
}

type addedToken struct {
	ID         int    `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
}

// decode builds a tokenizer, or says what it cannot do.
func decode(b []byte) (*Tokenizer, error) {
	var f file
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, err
	}
	m := f.Model
	switch {
	case m.Type == "" && f.Model.Merges == nil:
		return nil, fmt.Errorf("there is no model: is it a tokenizer.json?")
	case m.Type != "" && m.Type != "BPE":
		return nil, fmt.Errorf("it is a %s tokenizer: only byte-level BPE is read", m.Type)
	case m.ByteFallback:
		return nil, fmt.Errorf("its BPE falls back to bytes: only byte-level BPE is read")
	case m.Prefix != "" || m.Suffix != "":
		return nil, fmt.Errorf("its BPE marks words by a prefix or suffix (%q, %q): only byte-level BPE is read", m.Prefix, m.Suffix)
	case m.Dropout != nil && *m.Dropout != 0:
		return nil, fmt.Errorf("its BPE drops merges at random (dropout %v)", *m.Dropout)
	}
	t := &Tokenizer{raw: newTrie(), normal: newTrie(), cache: newCache()}
	var err error
	if t.normalise, err = normaliserOf(f.Normalizer); err != nil {
		return nil, fmt.Errorf("normalizer: %w", err)
	}
	if t.splits, err = splittersOf(f.Split); err != nil {
		return nil, fmt.Errorf("pre_tokenizer: %w", err)
	}
	if t.merges, err = mergesOf(m.Vocab, m.Merges, m.IgnoreMerges); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	for _, a := range f.Added {
		switch {
		case a.SingleWord || a.LStrip || a.RStrip:
			return nil, fmt.Errorf("added token %q: single_word, lstrip and rstrip are not read", a.Content)
		case a.ID < 0 || a.ID > maxID:
			return nil, fmt.Errorf("added token %q: its id %d is not between 0 and %d", a.Content, a.ID, maxID)
		case a.Content == "":
		case a.Normalized:
			content, _ := t.normalise.apply(a.Content)
			t.normal.add(content, int32(a.ID))
		default:
			t.raw.add(a.Content, int32(a.ID))
		}
	}
	return t, nil
}

// null reports whether a part of the file is left out.
func null(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

func normaliserOf(raw json.RawMessage) (normaliser, error) {
	if null(raw) {
		return normaliser{}, nil
	}
	var n struct {
		Type string            `json:"type"`
		Of   []json.RawMessage `json:"normalizers"`
	}
	if err := json.Unmarshal(raw, &n); err != nil {
		return normaliser{}, err
	}
	switch n.Type {
	case "NFC":
		return normaliser{norm.NFC, true}, nil
	case "NFD":
		return normaliser{norm.NFD, true}, nil
	case "NFKC":
		return normaliser{norm.NFKC, true}, nil
	case "NFKD":
		return normaliser{norm.NFKD, true}, nil
	case "Sequence":
		switch len(n.Of) {
		case 0:
			return normaliser{}, nil
		case 1:
			return normaliserOf(n.Of[0])
		}
		return normaliser{}, fmt.Errorf("a Sequence of %d: one is read", len(n.Of))
	}
	return normaliser{}, fmt.Errorf("%s is not read: NFC, NFD, NFKC and NFKD are", n.Type)
}

// splittersOf reads a pre-tokenizer: splits by patterns, and at the end the
// step to bytes, which merges do here.
func splittersOf(raw json.RawMessage) ([]splitter, error) {
	if null(raw) {
		return nil, fmt.Errorf("there is none: only byte-level BPE is read")
	}
	var p struct {
		Type string            `json:"type"`
		Of   []json.RawMessage `json:"pretokenizers"`
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, err
	}
	steps := p.Of
	if p.Type != "Sequence" {
		steps = []json.RawMessage{raw}
	}
	var all []splitter
	for i, step := range steps {
		s, end, err := stepOf(step)
		if err != nil {
			return nil, err
		}
		if s != nil {
			all = append(all, s)
		}
		if end != (i == len(steps)-1) {
			return nil, fmt.Errorf("ByteLevel is not its last step: only byte-level BPE is read")
		}
	}
	if len(steps) == 0 {
		return nil, fmt.Errorf("an empty Sequence: only byte-level BPE is read")
	}
	return all, nil
}

// stepOf reads one step; end tells that it is the step to bytes.
func stepOf(raw json.RawMessage) (s splitter, end bool, err error) {
	step := struct {
		Type    string `json:"type"`
		Pattern struct {
			Regex  string `json:"Regex"`
			String string `json:"String"`
		} `json:"pattern"`
		Behavior  string `json:"behavior"`
		Invert    bool   `json:"invert"`
		AddPrefix bool   `json:"add_prefix_space"`
		UseRegex  *bool  `json:"use_regex"`
	}{}
	if err := json.Unmarshal(raw, &step); err != nil {
		return nil, false, err
	}
	switch step.Type {
	case "Split":
		switch {
		case step.Pattern.Regex == "":
			return nil, false, fmt.Errorf("a Split by a fixed text (%q) is not read", step.Pattern.String)
		case step.Behavior != "Isolated" || step.Invert:
			return nil, false, fmt.Errorf("a Split of behaviour %s (invert %v) is not read: Isolated is", step.Behavior, step.Invert)
		}
		s, err = newSplitter(step.Pattern.Regex)
		return s, false, err
	case "ByteLevel":
		if step.AddPrefix {
			return nil, false, fmt.Errorf("ByteLevel with add_prefix_space is not read")
		}
		if step.UseRegex == nil || *step.UseRegex {
			s, err = newSplitter(gpt2Pattern)
		}
		return s, true, err
	}
	return nil, false, fmt.Errorf("%s is not read: Split and ByteLevel are", step.Type)
}

// mergesOf reads vocabulary and merges, and turns the byte-level alphabet back
// into bytes.
func mergesOf(vocab, list json.RawMessage, whole bool) (*merges, error) {
	var ids map[string]int32
	if err := json.Unmarshal(vocab, &ids); err != nil {
		return nil, fmt.Errorf("vocab: %w", err)
	}
	runes, toByte := alphabet()
	m := &merges{}
	if whole {
		m.whole = make(map[string]int32, len(ids))
	}
	for token, id := range ids {
		if id < 0 || id > maxID {
			return nil, fmt.Errorf("vocab: the id %d of %q is not between 0 and %d", id, token, maxID)
		}
		for int(id) >= len(m.lengths) {
			m.lengths = append(m.lengths, make([]int, max(1024, int(id)+1-len(m.lengths)))...)
		}
		n := 0
		for range token {
			n++
		}
		m.lengths[id] = n // a character of the alphabet is a byte
		if whole {
			m.whole[fromAlphabet(token, toByte)] = id
		}
	}
	for b, r := range runes {
		id, ok := ids[string(r)]
		if !ok {
			return nil, fmt.Errorf("vocab: the byte %#02x, written %q, is missing: only byte-level BPE is read", b, string(r))
		}
		m.bytes[b] = id
	}
	pairs, err := pairsOf(list)
	if err != nil {
		return nil, fmt.Errorf("merges: %w", err)
	}
	m.pairs = make(map[pair]joined, len(pairs))
	for rank, p := range pairs {
		left, ok1 := ids[p[0]]
		right, ok2 := ids[p[1]]
		id, ok3 := ids[p[0]+p[1]]
		if !ok1 || !ok2 || !ok3 {
			return nil, fmt.Errorf("merges: %d of %q and %q: not in the vocabulary", rank, p[0], p[1])
		}
		m.pairs[pair{left, right}] = joined{int32(rank), id}
	}
	return m, nil
}

// fromAlphabet returns the bytes that a token stands for; what is not of the
// alphabet, as in added tokens that are in the vocabulary too, stays.
func fromAlphabet(token string, toByte map[rune]byte) string {
	b := make([]byte, 0, len(token))
	for _, r := range token {
		c, ok := toByte[r]
		if !ok {
			return token
		}
		b = append(b, c)
	}
	return string(b)
}

// pairsOf reads merges in either form: ["a", "b"], or "a b" of older files.
func pairsOf(raw json.RawMessage) ([][2]string, error) {
	var pairs [][2]string
	if first := bytes.TrimLeft(bytes.TrimPrefix(bytes.TrimSpace(raw), []byte("[")), " \t\r\n"); len(first) > 0 && first[0] == '[' {
		var lists [][]string
		if err := json.Unmarshal(raw, &lists); err != nil {
			return nil, err
		}
		for i, l := range lists {
			if len(l) != 2 {
				return nil, fmt.Errorf("%d has %d parts: want 2", i, len(l))
			}
			pairs = append(pairs, [2]string{l[0], l[1]})
		}
		return pairs, nil
	}
	var lines []string
	if err := json.Unmarshal(raw, &lines); err != nil {
		return nil, err
	}
	for i, l := range lines {
		left, right, ok := strings.Cut(l, " ")
		if !ok || strings.Contains(right, " ") {
			return nil, fmt.Errorf("%d is %q: want two parts with a space between", i, l)
		}
		pairs = append(pairs, [2]string{left, right})
	}
	return pairs, nil
}
