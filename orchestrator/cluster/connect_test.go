package cluster_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/mars-rec/mars/orchestrator/cluster"
)

// TestConnectOverTLS connects to a server with a certificate of an authority of
// its own, and a password.
func TestConnectOverTLS(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "queue"}, NotAfter: time.Unix(1<<33, 0),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true, Username: "me", Password: "sesame",
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, TLSTimeout: 10})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	defer shutdown(s)
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server does not start")
	}
	host := s.Addr().String()
	for _, c := range []struct{ url, ca, err string }{
		{url: "tls://me:sesame@" + host, ca: ca},
		{url: "tls://me:sesame@" + host, err: "certificate"},
		{url: "tls://me:sesam@" + host, ca: ca, err: "Authorization"},
		{url: "tls://me:sesame@" + host, ca: "nothing.pem", err: "nothing.pem"},
	} {
		nc, err := cluster.Connect(cluster.Access{URL: c.url, CA: c.ca})
		if err == nil {
			nc.Close()
		}
		if (err == nil) != (c.err == "") || err != nil && (!strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "sesam")) {
			t.Errorf("%+v: error is %v", c, err)
		}
	}
}
