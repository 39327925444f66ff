package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/graph/rank"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/builtin"
	"github.com/mars-rec/mars/model/langchain"
	"github.com/mars-rec/mars/model/openai"
)

// modelHelp says what a command takes for a model.
const modelHelp = `Models:
  builtin                   the rule-based teacher: no network, no key
  builtin:WEIGHTS           with weights that mars fit wrote
  openai:NAME               any server with OpenAI's API: OpenAI, vLLM, SGLang, Ollama, llama.cpp
  openai:NAME@URL           with a base URL of its own, such as http://127.0.0.1:8000/v1
  langchain:PROVIDER/NAME   a provider of langchaingo: anthropic, ollama, openai
The key is read from OPENAI_API_KEY or ANTHROPIC_API_KEY, or from --api-key-file.`

// modelFlags say how models are reached.
type modelFlags struct {
	baseURL  string
	keyFile  string
	format   string
	attempts int
	timeout  time.Duration
	conns    int // to one server at most; 0 is the adapter's own bound
	// onRetry, if not nil, hears of each call that will be tried again. It may
	// be set until the models are used.
	onRetry func(err error, wait time.Duration)
}

// addModelFlags adds the flags that models need beside their names.
func (a *app) addModelFlags(c *cobra.Command) *modelFlags {
	f := &modelFlags{}
	c.Flags().StringVar(&f.baseURL, "base-url", "", "base URL of the models' server, with its version, such as http://127.0.0.1:8000/v1")
	c.Flags().StringVar(&f.keyFile, "api-key-file", "", "file with the API key; without it the key is read from the environment")
	c.Flags().StringVar(&f.format, "response-format", "schema", "how openai models are told the shape of an answer: schema, json or text; for servers that refuse schemas")
	c.Flags().IntVar(&f.attempts, "attempts", 5, "calls to a model until one succeeds, at most")
	c.Flags().DurationVar(&f.timeout, "call-timeout", 5*time.Minute, "time for one call to a model")
	c.Long += "\n\n" + modelHelp
	return f
}

// open opens the model that a spec names. The function it returns, if not nil,
// says whether the model may work on a task of that moment.
func (f *modelFlags) open(spec string) (model.Model, func(asOf time.Time) error, error) {
	kind, rest, named := strings.Cut(spec, ":")
	if kind == "builtin" {
		return f.builtin(rest, named)
	}
	m, _, err := f.remote(spec)
	if err != nil {
		return nil, nil, err
	}
	return model.Retry(m, model.RetryConfig{Attempts: f.attempts, Timeout: f.timeout, OnRetry: f.retried}), nil, nil
}

// retried tells of a call that will be tried again.
func (f *modelFlags) retried(err error, wait time.Duration) {
	if f.onRetry != nil {
		f.onRetry(err, wait)
	}
}

// remote opens a model behind a network, without retries. The provider is what
// it has in common with other models that fail when it fails.
func (f *modelFlags) remote(spec string) (_ model.Model, provider string, err error) {
	if f.attempts < 1 || f.timeout < 0 {
		return nil, "", usagef("--attempts %d, --call-timeout %s: want 1 or more attempts and a time", f.attempts, f.timeout)
	}
	kind, rest, named := strings.Cut(spec, ":")
	if !named || rest == "" {
		return nil, "", notAModel(spec)
	}
	name, base := rest, f.baseURL
	if i := max(strings.LastIndex(rest, "@http://"), strings.LastIndex(rest, "@https://")); i >= 0 {
		name, base = rest[:i], rest[i+1:]
	}
	var m model.Model
	switch kind {
	case "openai":
		m, err = f.openai(name, base)
	case "langchain":
		m, err = f.langchain(name, base)
		kind, _, _ = strings.Cut(rest, "/")
	default:
		err = notAModel(spec)
	}
	return m, kind + " " + base, err
}

func notAModel(spec string) error {
	return hinted(usagef("%q is not a model", spec), "models are builtin, builtin:WEIGHTS, openai:NAME and langchain:PROVIDER/NAME")
}

func (f *modelFlags) builtin(path string, named bool) (model.Model, func(time.Time) error, error) {
	if !named {
		return builtin.New(builtin.Config{}), nil, nil
	}
	weights, err := rank.Load(path)
	if err != nil {
		return nil, nil, hinted(err, "mars fit writes weights")
	}
	return builtin.New(builtin.Config{Weights: &weights}), weights.CheckTask, nil
}

func (f *modelFlags) openai(name, base string) (model.Model, error) {
	key, err := f.key("OPENAI_API_KEY")
	if err != nil {
		return nil, err
	}
	if key == "" && base == "" {
		return nil, noKey("openai:"+name, "OPENAI_API_KEY")
	}
	m, err := openai.New(name, openai.Config{BaseURL: base, Key: key, Mode: openai.Mode(f.format), Conns: f.conns})
	if err != nil {
		return nil, usagef("%w", err)
	}
	return m, nil
}

func (f *modelFlags) langchain(spec, base string) (model.Model, error) {
	provider, name, ok := strings.Cut(spec, "/")
	if !ok {
		return nil, hinted(usagef("langchain:%s names no model", spec), "write langchain:PROVIDER/NAME")
	}
	variable := strings.ToUpper(provider) + "_API_KEY"
	key, err := f.key(variable)
	if err != nil {
		return nil, err
	}
	if key == "" && base == "" && (provider == "openai" || provider == "anthropic") {
		return nil, noKey("langchain:"+spec, variable)
	}
	m, err := langchain.Open(provider, name, langchain.Access{BaseURL: base, Key: key})
	if err != nil {
		return nil, usagef("%w", err)
	}
	return m, nil
}

func noKey(spec, variable string) error {
	return hinted(fmt.Errorf("model %s needs an API key", spec), "set %s, or give --api-key-file; for a server of your own give --base-url", variable)
}

// maxKey is the most bytes that a key file may have.
const maxKey = 8 << 10

// key reads the API key: from the file, or from the environment. An error does
// not repeat what was read.
func (f *modelFlags) key(variable string) (string, error) {
	text, where := os.Getenv(variable), variable
	if f.keyFile != "" {
		file, err := os.Open(f.keyFile)
		if err != nil {
			return "", fmt.Errorf("--api-key-file: %w", err)
		}
		defer file.Close()
		b, err := io.ReadAll(io.LimitReader(file, maxKey+1))
		if err != nil {
			return "", fmt.Errorf("--api-key-file: %w", err)
		}
		if text, where = string(b), f.keyFile; strings.TrimSpace(text) == "" || len(b) > maxKey {
			return "", fmt.Errorf("%s holds no API key", where)
		}
	}
	key := strings.TrimSpace(text)
	if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", errors.New(where + " holds no API key: a key is one word")
	}
	return key, nil
}
