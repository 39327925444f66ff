// Package guard keeps a server for those it is meant for: the programs of this
// machine, or those who know the token.
//
//	request ─> Host one of ours? ─> Origin ours or none? ─> body bounded ─> token? ─> handler
//	              403                   403                     413            401
//
// A server that listens on loopback can still be reached by a web page, whose
// script may send requests to any address, under a name of its own that it
// rebinds to 127.0.0.1. Such a request carries the page's name as its Host or
// Origin, and is refused here. [Serve] bounds the times, so that slow clients
// cannot hold connections, and lets requests in flight finish.
package guard

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Config says who is let in. The zero value lets in whoever is on this machine.
type Config struct {
	Token string   // that clients must send; "": none is asked for
	Hosts []string // names besides this machine's that requests may be addressed to; "*": any
	Limit int64    // bytes of a body, whose reading then fails with http.MaxBytesError; 0: 1 MB
	// Refuse answers a request that is not let in, in the form of the server's
	// errors: status is 401 or 403. nil: a line of text.
	Refuse func(w http.ResponseWriter, status int, reason string)
}

func (c Config) refuse(w http.ResponseWriter, status int, format string, args ...any) {
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	reason := fmt.Sprintf(format, args...)
	if c.Refuse == nil {
		http.Error(w, reason, status)
		return
	}
	c.Refuse(w, status, reason)
}

// Local refuses what is not addressed to this server, or comes from a page that
// is not this machine's, and bounds the bodies of the rest.
func (c Config) Local(next http.Handler) http.Handler {
	if c.Limit == 0 {
		c.Limit = 1 << 20
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		if !c.goesBy(r.Host) {
			c.refuse(w, http.StatusForbidden, "this server does not go by the host name %q", r.Host)
			return
		}
		if origin := r.Header.Get("Origin"); origin != "" {
			if u, err := url.Parse(origin); err != nil || u.Host == "" || !(u.Host == r.Host || Loopback(u.Hostname())) {
				c.refuse(w, http.StatusForbidden, "requests from the origin %q are not served", origin)
				return
			}
		}
		r.Body = http.MaxBytesReader(w, r.Body, c.Limit)
		next.ServeHTTP(w, r)
	})
}

// Known lets only those in who send the token: as a bearer token, or in the
// header X-API-Key, as clients of the Open Reward Standard do.
func (c Config) Known(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !c.has(r.Header) {
			c.refuse(w, http.StatusUnauthorized, "the bearer token is missing or wrong")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (c Config) has(h http.Header) bool {
	if c.Token == "" {
		return true
	}
	return subtle.ConstantTimeCompare([]byte(Key(h)), []byte(c.Token)) == 1
}

// Key returns the token that a client sent, "" for none.
func Key(h http.Header) string {
	if token, ok := strings.CutPrefix(h.Get("Authorization"), "Bearer "); ok {
		return token
	}
	return h.Get("X-API-Key")
}

// goesBy reports whether a request's Host names this server.
func (c Config) goesBy(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.Trim(strings.ToLower(name), "[]")
	return Loopback(name) || slices.Contains(c.Hosts, "*") || slices.Contains(c.Hosts, name)
}

// Loopback reports whether a host name is this machine's own.
func Loopback(name string) bool {
	ip := net.ParseIP(name)
	return name == "localhost" || (ip != nil && ip.IsLoopback())
}

// Serve serves the handler until ctx ends, then lets requests in flight finish
// for up to 10 seconds. No answer takes longer than the given time, and slow
// clients are cut off.
func Serve(ctx context.Context, l net.Listener, h http.Handler, answer time.Duration) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      answer + time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // clients that break off are no news
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err := srv.Shutdown(last)
	if err != nil {
		err = srv.Close()
	}
	if served := <-done; !errors.Is(served, http.ErrServerClosed) {
		return served
	}
	return err
}
