package langchain

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/llms/anthropic"
	"github.com/tmc/langchaingo/llms/ollama"
	"github.com/tmc/langchaingo/llms/openai"

	"github.com/mars-rec/mars/model/transport"
)

// Providers are those that [Open] knows by name.
func Providers() []string { return []string{"anthropic", "ollama", "openai"} }

// Access says how to reach a provider.
type Access struct {
	BaseURL string // "": the provider's own
	Key     string // the API key; "": none, for servers of one's own
}

// Open returns the model of that name at one of the [Providers]. It makes no
// call. Its failures carry status and Retry-After, since the provider's HTTP
// client is ours.
func Open(provider, name string, access Access) (*Model, error) {
	if name == "" {
		return nil, fmt.Errorf("langchain: %s: the model has no name", provider)
	}
	if access.BaseURL != "" {
		if err := transport.CheckBase(access.BaseURL); err != nil {
			return nil, fmt.Errorf("langchain: %s/%s: %w", provider, name, err)
		}
	}
	client := transport.New(transport.Config{Secrets: []string{access.Key}})
	if access.Key == "" && access.BaseURL != "" {
		access.Key = "none" // langchaingo insists on one
	}
	var llm llms.Model
	var traits Traits
	var err error
	switch provider {
	case "openai":
		traits = Traits{NoTopP: true, Reasons: true, Temperature: 1}
		llm, err = openai.New(openai.WithModel(name), openai.WithToken(access.Key), openai.WithHTTPClient(client),
			openai.WithBaseURL(cmp.Or(access.BaseURL, "https://api.openai.com/v1")))
	case "anthropic":
		traits = Traits{Whole: true, OnePart: true, Reasons: true, Temperature: 1}
		llm, err = anthropic.New(anthropic.WithModel(name), anthropic.WithToken(access.Key), anthropic.WithHTTPClient(client),
			anthropic.WithBaseURL(cmp.Or(access.BaseURL, "https://api.anthropic.com/v1")))
	case "ollama":
		traits = Traits{NoTools: true, Counts: true}
		llm, err = ollama.New(ollama.WithModel(name), ollama.WithHTTPClient(client.HTTP()),
			ollama.WithServerURL(cmp.Or(access.BaseURL, "http://127.0.0.1:11434")))
	default:
		err = fmt.Errorf("unknown provider %q: there are %s", provider, strings.Join(Providers(), ", "))
	}
	if err != nil {
		return nil, fmt.Errorf("langchain: %s/%s: %w", provider, name, err)
	}
	return New(provider+"/"+name, llm, traits), nil
}
