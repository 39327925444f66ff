package main

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"Dune\tHerbert\n": "Dune\tHerbert\n",
		"Müller 日本 👍":     "Müller 日本 👍",
		"\x1b[2J\a\r":     `\u001b[2J\u0007\u000d`,
		"a\u009b2Jb":      `a\u009b2Jb`,
		"abc\u202egnp":    `abc\u202egnp`,
		"x\U000e0041y":    `x\udb40\udc41y`,
		"cut \xe6\x97":    `cut \ufffd\ufffd`,
	} {
		if got := printable(text); got != want {
			t.Errorf("%q is printed as %q, want %q", text, got, want)
		}
	}
}

// TestScreen writes text in pieces, cut anywhere: what comes out is what
// printable says of the whole, and of a JSON text it is JSON of the same value.
func TestScreen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.OneOf(rapid.Rune(), rapid.RuneFrom([]rune("\x1b\u009b\u202e\u200b\"\\日👍\n")))).Draw(t, "text")
		var out bytes.Buffer
		s := &screen{w: &out}
		for rest := []byte(text); len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			if _, err := s.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if out.String() != printable(text) || !utf8.Valid(out.Bytes()) {
			t.Fatalf("%q came out as %q, want %q", text, out.String(), printable(text))
		}
		var line bytes.Buffer
		if err := (&app{stdout: &line}).printJSON(text); err != nil {
			t.Fatal(err)
		}
		var back string
		if err := json.Unmarshal(line.Bytes(), &back); err != nil || back != text {
			t.Fatalf("%q is printed as %s, which reads %q, %v", text, line.Bytes(), back, err)
		}
		for _, r := range line.String() {
			if hidden(r) {
				t.Fatalf("%q is printed as %q", text, line.String())
			}
		}
	})
}
