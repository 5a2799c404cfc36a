package engine_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// certificate writes a certificate of 127.0.0.1 that is its own CA, and its key.
func certificate(t testing.TB, name string, expires time.Time) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:   expires.Add(-48 * time.Hour), NotAfter: expires, IsCA: true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(t.TempDir(), name+".crt"), filepath.Join(t.TempDir(), name+".key")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der},
		key: {Type: "PRIVATE KEY", Bytes: text}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// The server shows another certificate from some time on: one that has expired, or one that the
// edge does not trust; or it asks for one that the edge has not got.
func TestServersWithWrongCertificates(t *testing.T) {
	unraced(t) // TestServersThatTakeNoEvents
	t.Parallel()
	good, goodKey := certificate(t, "good", time.Now().Add(time.Hour))
	show := func(cert, key string) func(r *redisServer) {
		return commands([]string{"CONFIG", "SET", "tls-cert-file", cert, "tls-key-file", key},
			killEdges)
	}
	old, oldKey := certificate(t, "old", time.Now().Add(-time.Hour))
	foreign, foreignKey := certificate(t, "foreign", time.Now().Add(time.Hour))
	trusted := filepath.Join(t.TempDir(), "trusted")
	var both []byte
	for _, path := range []string{good, old} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		both = append(both, text...)
	}
	if err := os.WriteFile(trusted, both, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]refusing{
		"expired": {cause: "certificate", says: "expired", do: show(old, oldKey),
			undo: show(good, goodKey), cut: true},
		"foreign": {cause: "certificate", says: "unknown authority",
			do: show(foreign, foreignKey), undo: show(good, goodKey), cut: true},
		"the edge's own": {cause: "certificate", says: "certificate required",
			do:   commands(words("CONFIG SET tls-auth-clients yes"), killEdges),
			undo: commands(words("CONFIG SET tls-auth-clients no")), cut: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			port := freePorts(t, 1)[0]
			r := startRedis(t, "--tls-port", port, "--tls-cert-file", good, "--tls-key-file",
				goodKey, "--tls-ca-cert-file", good, "--tls-auth-clients", "no")
			userIs("on >secret ~* &* +@all")(r)
			p := startProcessIn(t,
				[]string{"SSL_CERT_FILE=" + trusted, "SSL_CERT_DIR=/nonexistent"},
				"--redis=rediss://edge:secret@127.0.0.1:"+port, "--redis-timeout=1s",
				"--redis-probe=100ms", "--ready-needs-redis")
			c.isTold(t, r, &p.server, &p.stderr)
		})
	}
}
