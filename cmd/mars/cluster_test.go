package main

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/rogpeppe/go-internal/testscript"
)

// natsServer runs NATS servers for a script: one that writes to the disk before it
// acknowledges, in $NATS with its monitoring address in $NATS_MONITOR, and one that
// does not, in $NATS_LAZY and $NATS_LAZY_MONITOR.
func natsServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: nats-server")
	}
	for name, always := range map[string]bool{"NATS": true, "NATS_LAZY": false} {
		s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, HTTPHost: "127.0.0.1", HTTPPort: server.RANDOM_PORT,
			JetStream: true, StoreDir: ts.MkAbs(name), SyncAlways: always, NoLog: true, NoSigs: true})
		ts.Check(err)
		s.Start()
		ts.Defer(func() { s.Shutdown(); s.WaitForShutdown() })
		if !s.ReadyForConnections(10 * time.Second) {
			ts.Fatalf("the NATS server does not start")
		}
		ts.Setenv(name, s.ClientURL())
		ts.Setenv(name+"_MONITOR", "http://"+s.MonitorAddr().String())
	}
}

func TestClusterNamesAreChecked(t *testing.T) {
	f := clusterFlags{batch: "a.b"}
	if err := f.check(); err == nil {
		t.Error("a name with a dot is taken, which a subject cannot have")
	}
}
