package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/internal/guard"
	"github.com/mars-rec/mars/star/environment"
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

// guardedFlags are those of a server that serves an environment.
type guardedFlags struct {
	listenFlags
	tokenEnv string
}

func (f *guardedFlags) add(c *cobra.Command, address, usage string) {
	f.listenFlags.add(c, address, usage)
	c.Flags().StringVar(&f.tokenEnv, "token-env", "", "environment variable with the token that clients must send")
}

// access checks the address and reads the token that clients must send. No name
// of a variable means that none is asked for; a variable without a token is an
// error, so that a server is not left open by mistake.
func (f *guardedFlags) access() (environment.Access, error) {
	access := environment.Access{Hosts: f.names()}
	if err := f.check("a token with --token-env"); err != nil || f.tokenEnv == "" {
		return access, err
	}
	if access.Token = os.Getenv(f.tokenEnv); access.Token == "" {
		return access, usagef("--token-env %s: the variable is not set, or empty", f.tokenEnv)
	}
	return access, nil
}

// serve listens, tells the URL, and serves until the context ends. Answers of
// tools take seconds at most.
func (a *app) serve(ctx context.Context, f guardedFlags, access environment.Access, h http.Handler, tell func(url string) error) error {
	l, err := f.listen(ctx)
	if err != nil {
		return err
	}
	if err := tell("http://" + l.Addr().String()); err != nil {
		return errors.Join(err, l.Close())
	}
	if f.open && access.Token == "" {
		a.notef("anybody who reaches this address can use it: give --token-env to ask for a token")
	}
	return guard.Serve(ctx, l, h, time.Minute)
}
