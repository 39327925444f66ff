package main

import (
	"context"
	"net"
	"os"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/internal/guard"
)

// listenFlags say where a server listens, and to whom.
type listenFlags struct {
	address string
	open    bool
	hosts   []string
}

func (f *listenFlags) add(c *cobra.Command, address, usage string) {
	c.Flags().StringVar(&f.address, "listen", address, usage)
	c.Flags().BoolVar(&f.open, "open", false, "allow an address that other machines can reach")
	c.Flags().StringArrayVar(&f.hosts, "host", nil, "host name that clients may use, with --open; any if not given; may be given many times")
}

// check refuses an address that other machines can reach, unless that is asked
// for. Variable is where the token comes from.
func (f *listenFlags) check(variable string) error {
	host, _, err := net.SplitHostPort(f.address)
	switch {
	case err != nil:
		return usagef("--listen %q: want host:port, such as 127.0.0.1:8088", f.address)
	case !guard.Loopback(host) && !f.open:
		return hinted(usagef("--listen %s can be reached from other machines", f.address),
			"add --open if that is what you want, and set %s", variable)
	case !f.open && len(f.hosts) > 0:
		return usagef("--host is for --open")
	}
	return nil
}

// names are the host names that requests may be addressed to.
func (f *listenFlags) names() []string {
	if f.open && len(f.hosts) == 0 {
		return []string{"*"}
	}
	return f.hosts
}

// listen opens the address.
func (f *listenFlags) listen(ctx context.Context) (net.Listener, error) {
	var l net.ListenConfig
	listener, err := l.Listen(ctx, "tcp", f.address)
	return listener, hinted(err, "give another address with --listen; port 0 takes a free one")
}

// tokenFrom reads the token that clients must send from an environment
// variable. No name means that none is asked for; a variable without a token is
// an error, so that a server is not left open by mistake.
func tokenFrom(variable string) (string, error) {
	if variable == "" {
		return "", nil
	}
	token := os.Getenv(variable)
	if token == "" {
		return "", usagef("--token-env %s: the variable is not set, or empty", variable)
	}
	return token, nil
}
