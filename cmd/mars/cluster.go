package main

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/orchestrator/cluster"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/trajectories/store"
)

// clusterFlags say how the NATS server is reached over which many machines make
// one batch.
type clusterFlags struct {
	access cluster.Access
	batch  string
}

func (f *clusterFlags) add(c *cobra.Command, usage string) {
	fs := c.Flags()
	fs.StringVar(&f.access.URL, "cluster", "", usage)
	fs.StringVar(&f.batch, "cluster-name", cluster.DefaultName, "name of the batch on the server, for several beside one another")
	fs.StringVar(&f.access.Creds, "nats-creds", "", "file with the credentials for the NATS server")
	fs.StringVar(&f.access.CA, "nats-ca", "", "file with the certificates that the NATS server's is checked with")
	fs.StringVar(&f.access.Cert, "nats-cert", "", "file with a certificate of one's own for the NATS server")
	fs.StringVar(&f.access.Key, "nats-key", "", "file with the key of --nats-cert")
}

func (f *clusterFlags) check() error {
	switch {
	case !cluster.CheckName(f.batch):
		return usagef("--cluster-name %q: want letters, digits, - and _", f.batch)
	case (f.access.Cert == "") != (f.access.Key == ""):
		return usagef("--nats-cert and --nats-key go together")
	}
	return nil
}

// connect connects to the server.
func (f *clusterFlags) connect(name string) (*nats.Conn, error) {
	access := f.access
	access.Name = name
	nc, err := cluster.Connect(access)
	return nc, hinted(err, "nats-server -js starts one; see docs/cluster.md")
}

// coordinated is what `mars synth` is told about the cluster.
type coordinated struct {
	clusterFlags
	monitor  string
	unsynced bool
	lease    time.Duration
	cache    bool
}

func (f *coordinated) add(c *cobra.Command) {
	f.clusterFlags.add(c, "let workers make the runs, over the NATS server at this address; see mars worker")
	fs := c.Flags()
	fs.StringVar(&f.monitor, "nats-monitor", "", "monitoring address of the NATS server, to see that it writes to the disk before it acknowledges")
	fs.DurationVar(&f.lease, "lease", 30*time.Second, "with --cluster, a worker that is not heard of for so long has lost its runs")
	fs.BoolVar(&f.cache, "cluster-cache", false, "with --cluster, keep replies on the NATS server for all workers and later batches, as many bytes as --cache-size; those kept longest go first")
	fs.BoolVar(&f.unsynced, "nats-unsynced", false, "take a NATS server of which that is not known")
}

// open connects to the server, if there is to be one, and sees that it keeps what
// it acknowledges.
func (f *coordinated) open(ctx context.Context, spend spendFlags) (*nats.Conn, error) {
	switch {
	case f.access.URL == "" && f.cache:
		return nil, hinted(usagef("--cluster-cache goes with --cluster"), "--cache keeps replies in a file")
	case f.access.URL == "":
		return nil, nil
	case spend.cache != "" || len(spend.fallbacks) > 0:
		return nil, hinted(usagef("--cache and --fallback hold where calls are made"), "give them to mars worker; --cluster-cache keeps replies for all workers")
	case f.lease < time.Second:
		return nil, usagef("--lease is %s: want 1s or more", f.lease)
	case f.monitor == "" && !f.unsynced:
		return nil, hinted(usagef("whether the NATS server writes to the disk before it acknowledges is not known"),
			"set sync_interval: always there and give --nats-monitor, or give --nats-unsynced: what the server loses is then offered again")
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	nc, err := f.connect("mars synth")
	if err != nil {
		return nil, err
	}
	if f.monitor != "" {
		if err := cluster.Synced(ctx, nc, f.monitor); err != nil && !f.unsynced {
			nc.Close()
			return nil, hinted(err, "set sync_interval: always in its jetstream block, or give --nats-unsynced")
		}
	}
	return nc, nil
}

// coordinate lets workers make the runs of a batch and keeps them in the store.
func (f *coordinated) coordinate(ctx context.Context, nc *nats.Conn, st *store.Store, l orchestrator.Ledger, list []tasks.Task,
	batch orchestrator.BatchConfig, spend *spending, notice func(string)) (orchestrator.Totals, error) {
	manifest, err := message.Marshal(st.Manifest())
	if err != nil {
		return orchestrator.Totals{}, err
	}
	replies := int64(0)
	if f.cache {
		replies = spend.flags.cacheSize
	}
	totals, err := cluster.Coordinate(ctx, nc, each(list), l, batch,
		cluster.Config{Name: f.batch, Manifest: manifest, Lease: f.lease, Budget: spend.budget,
			Requests: spend.flags.requests, Tokens: spend.flags.tokens, Replies: replies, Notice: notice})
	return totals, clusterError(err)
}

// clusterError adds what to do about an error of the cluster.
func clusterError(err error) error {
	switch {
	case errors.Is(err, cluster.ErrCoordinated):
		return hinted(err, "give another --cluster-name")
	case errors.Is(err, cluster.ErrOther):
		return hinted(err, "start the worker again")
	}
	return err
}
