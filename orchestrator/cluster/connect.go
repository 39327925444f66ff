package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Access says how a NATS server is reached. Nothing of it but host names is
// repeated in an error.
type Access struct {
	URL   string // one or several, with commas: nats://host:4222, tls://host:4222
	Creds string // file with credentials, as nsc makes it; "": none
	CA    string // file with the certificates that the server's is checked with; "": the system's
	Cert  string // file with the client's own certificate; "": none
	Key   string // file with its key
	Name  string // that the server's lists show
}

// Connect connects to a server. A connection that is lost is made anew, without
// end.
func Connect(a Access) (*nats.Conn, error) {
	var hosts []string
	for one := range strings.SplitSeq(a.URL, ",") {
		u, err := url.Parse(strings.TrimSpace(one))
		if err != nil || u.Host == "" {
			return nil, errors.New("the address of a NATS server is not one: want nats://host:4222")
		}
		hosts = append(hosts, u.Host)
	}
	options := []nats.Option{nats.Name(a.Name), nats.MaxReconnects(-1), nats.ReconnectWait(200 * time.Millisecond), nats.Timeout(5 * time.Second),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})} // whoever calls finds out
	if a.Creds != "" {
		options = append(options, nats.UserCredentials(a.Creds))
	}
	if a.CA != "" {
		options = append(options, nats.RootCAs(a.CA))
	}
	if a.Cert != "" {
		options = append(options, nats.ClientCert(a.Cert, a.Key))
	}
	nc, err := nats.Connect(a.URL, options...)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", strings.Join(hosts, ", "), err)
	}
	return nc, nil
}

// Synced reports an error unless the server writes each message to the disk before
// it acknowledges it (sync_interval: always). A server tells that on its
// monitoring address, such as http://host:8222, only; monitor must be that of the
// server that nc is connected to.
func Synced(ctx context.Context, nc *nats.Conn, monitor string) error {
	u, err := url.Parse(monitor)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return errors.New("the monitoring address of a NATS server is not one: want http://host:8222")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.JoinPath("jsz").String()+"?config=true", nil)
	if err != nil {
		return err
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("ask %s: %w", u.Host, err)
	}
	defer resp.Body.Close()
	var told struct {
		Server string `json:"server_id"`
		Config struct {
			Always bool `json:"sync_always"`
		} `json:"config"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&told); err != nil {
		return fmt.Errorf("ask %s: %w", u.Host, err)
	}
	switch {
	case told.Server != nc.ConnectedServerId():
		return fmt.Errorf("%s is not the monitoring address of the server that is connected to", u.Host)
	case !told.Config.Always:
		return fmt.Errorf("the NATS server at %s does not write to the disk before it acknowledges", u.Host)
	}
	return nil
}
