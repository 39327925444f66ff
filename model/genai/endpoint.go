package genai

import (
	"net/url"
	"strconv"
	"strings"
)

// Endpoint is what a model's name tells of where it is.
type Endpoint struct {
	Provider string // openai, anthropic, ollama, builtin; the name itself if it names none
	Model    string // as the provider calls it
	Address  string // host of a server of one's own; "": not told
	Port     int    // 0: not told
}

// Local reports whether the model is a part of this program.
func (e Endpoint) Local() bool { return e.Provider == "builtin" }

// EndpointOf reads the name of a model as the user gives it: builtin,
// builtin:WEIGHTS, openai:NAME, openai:NAME@URL, langchain:PROVIDER/NAME. Of a
// URL, only the host and the port are kept.
func EndpointOf(name string) Endpoint {
	kind, rest, named := strings.Cut(name, ":")
	if !named || kind == "builtin" {
		return Endpoint{Provider: kind, Model: kind}
	}
	e := Endpoint{Provider: kind, Model: rest}
	if i := max(strings.LastIndex(rest, "@http://"), strings.LastIndex(rest, "@https://")); i >= 0 {
		e.Model = rest[:i]
		if u, err := url.Parse(rest[i+1:]); err == nil {
			e.Address = u.Hostname()
			e.Port, _ = strconv.Atoi(u.Port())
			if e.Port == 0 && u.Scheme == "https" {
				e.Port = 443
			} else if e.Port == 0 {
				e.Port = 80
			}
		}
	}
	if kind == "langchain" {
		if provider, model, ok := strings.Cut(e.Model, "/"); ok {
			e.Provider, e.Model = provider, model
		}
	}
	return e
}
