package cf

import (
	"crypto/sha256"
	_ "embed" // the shipped templates
	"fmt"
	"io"
	"strings"
	"text/template"

	"github.com/mars-rec/mars/tools/translate"
)

//go:embed sentences.tmpl
var shipped string

// Sentences are the templates of what the tools of this package say: data, so
// that another wording, or another language, needs no other program. The
// numbers are filled in by the tools and come from the query that the sentence
// tells of.
type Sentences struct {
	templates *template.Template
	digest    string
}

// ParseSentences returns the shipped sentences; those that the text defines
// anew, as {{define "suggest"}}...{{end}}, take the place of the shipped ones.
// The file sentences.tmpl of this package shows their names and what each is
// given. A name that is not there, and a template that asks for what it is not
// given, are errors.
func ParseSentences(override string) (*Sentences, error) {
	t, err := template.New("sentences").Funcs(template.FuncMap{
		"count": translate.Count, "percent": translate.Percent, "times": translate.Times, "number": translate.Number,
		"plural": translate.Plural, "join": func(names []string) string { return strings.Join(names, ", ") },
	}).Parse(shipped)
	if err != nil {
		return nil, fmt.Errorf("sentences: %w", err)
	}
	names := map[string]bool{}
	for _, defined := range t.Templates() {
		names[defined.Name()] = true
	}
	if t, err = t.Parse(override); err != nil {
		return nil, fmt.Errorf("sentences: %w", err)
	}
	for _, defined := range t.Templates() {
		if !names[defined.Name()] {
			return nil, fmt.Errorf("sentences: there is no sentence %q", defined.Name())
		}
	}
	s := &Sentences{t, fmt.Sprintf("%x", sha256.Sum256([]byte(shipped+"\x00"+override)))}
	for _, f := range samples() {
		if err := t.ExecuteTemplate(io.Discard, f.sentence(), f); err != nil {
			return nil, fmt.Errorf("sentences: %w", err)
		}
	}
	return s, nil
}

// Digest identifies the wording: the SHA-256, in hex, of all templates.
func (s *Sentences) Digest() string { return s.digest }

// facts is what one sentence is made of; it names the sentence.
type facts interface{ sentence() string }

// say writes a sentence.
func (s *Sentences) say(f facts) (string, error) {
	var b strings.Builder
	if err := s.templates.ExecuteTemplate(&b, f.sentence(), f); err != nil {
		return "", fmt.Errorf("sentence: %w", err)
	}
	return b.String(), nil
}
