package engine_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ssedge/engine"
)

// authority is a CA, and a directory for what it has issued.
type authority struct {
	t    testing.TB
	dir  string
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	file string // its own certificate
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.key = newKey(t)
	a.file, _ = a.sign("ca", a.key, &x509.Certificate{IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotAfter: time.Now().Add(time.Hour)})
	return a
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign writes a certificate and its key into files.
func (a *authority) sign(name string, key *ecdsa.PrivateKey, c *x509.Certificate) (cert,
	keyFile string) {
	a.t.Helper()
	c.SerialNumber, c.Subject, c.NotBefore = big.NewInt(time.Now().UnixNano()),
		pkix.Name{CommonName: name}, time.Now().Add(-2*time.Hour)
	parent := a.cert
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	if a.cert == nil {
		if a.cert, err = x509.ParseCertificate(der); err != nil {
			a.t.Fatal(err)
		}
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, keyFile = filepath.Join(a.dir, name+".crt"), filepath.Join(a.dir, name+".key")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der},
		keyFile: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	return cert, keyFile
}

// issue makes a certificate for 127.0.0.1, for servers and clients.
func (a *authority) issue(name string, lasts time.Duration) (cert, key string) {
	a.t.Helper()
	return a.sign(name, newKey(a.t), &x509.Certificate{
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(lasts),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
}

// demanding are the arguments of a server that takes TLS at a port, and asks clients for a
// certificate.
func (a *authority) demanding(port string) []string {
	cert, key := a.issue("server"+port, time.Hour)
	return []string{"--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key,
		"--tls-ca-cert-file", a.file, "--tls-auth-clients", "yes"}
}

// shows has an edge show a certificate, and take those of this CA only.
func (a *authority) shows(cert, key string) func(*engine.Config) {
	return func(c *engine.Config) {
		c.Redis.TLS.Cert, c.Redis.TLS.Key, c.Redis.TLS.CA = cert, key, a.file
	}
}

// replace puts one file in another's place, as a renewed certificate is.
func replace(t testing.TB, file, by string) {
	t.Helper()
	text, err := os.ReadFile(by)
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Servers that ask for a certificate get one. When all certificates are replaced by those of
// another CA, in the same files, the next connections have the new ones.
func TestServersThatAskForACertificate(t *testing.T) {
	t.Parallel()
	port := freePorts(t, 1)[0]
	old, fresh := newAuthority(t), newAuthority(t)
	r := startRedis(t, old.demanding(port)...)
	cert, key := old.issue("edge", time.Hour)
	n := edge(t, "rediss://127.0.0.1:"+port, old.shows(cert, key))
	st := n.opened(t, topic("x"))
	n.publish(t, "x", "one")
	st.gets(t, "one")
	serverCert, serverKey := fresh.issue("server", time.Hour)
	newCert, newKey := fresh.issue("edge", time.Hour)
	replace(t, cert, newCert)
	replace(t, key, newKey)
	if out := r.cli("CONFIG", "SET", "tls-cert-file", serverCert, "tls-key-file", serverKey,
		"tls-ca-cert-file", fresh.file); out != "OK" {
		t.Fatal(out)
	}
	replace(t, old.file, fresh.file)
	r.cli("CLIENT", "KILL", "TYPE", "normal")
	r.cli("CLIENT", "KILL", "TYPE", "pubsub")
	eventually(t, "publishing goes on", func() bool {
		_, err := n.post("x", "two")
		return err == nil
	})
	st.gets(t, "two")
}

// The same settings hold for sentinels and what they name, and for the servers of a cluster.
func TestCertificatesForSentinelAndCluster(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	cert, key := a.issue("edge", time.Hour)
	works := func(t *testing.T, url string) {
		n := edge(t, url, a.shows(cert, key))
		st := n.opened(t, topic("x"))
		n.publish(t, "x", "hello")
		st.gets(t, "hello")
	}
	t.Run("sentinel", func(t *testing.T) {
		t.Parallel()
		ports := freePorts(t, 3)
		startRedis(t, append(a.demanding(ports[0]), "--tls-replication", "yes")...)
		sentinel := &redisServer{t: t, port: ports[1], dir: t.TempDir()}
		conf := filepath.Join(sentinel.dir, "sentinel.conf")
		flags := strings.ReplaceAll(
			strings.Join(append(a.demanding(ports[2]), "--tls-replication", "yes"), " "), " --",
			"\n")
		text := fmt.Sprintf(
			"port %s\nbind 127.0.0.1\n%s\nsentinel monitor mymaster 127.0.0.1 %s 1\n", ports[1],
			strings.TrimPrefix(flags, "--"), ports[0])
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		sentinel.cmd = exec.Command("redis-server", conf, "--sentinel")
		sentinel.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := sentinel.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(sentinel.kill)
		eventually(t, "the sentinel answers", func() bool { return sentinel.cli("PING") == "PONG" })
		works(t, "rediss+sentinel://127.0.0.1:"+ports[2]+"/mymaster")
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		port := freePorts(t, 1)[0]
		r := &redisServer{t: t, dir: t.TempDir()}
		ports := freePorts(t, 2)
		r.port, r.bus = ports[0], ports[1]
		r.arguments = append(a.demanding(port), "--cluster-enabled", "yes", "--cluster-port", r.bus,
			"--tls-cluster", "yes", "--cluster-announce-ip", "127.0.0.1")
		r.start()
		t.Cleanup(r.kill)
		r.cli("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
		eventually(t, "the cluster is whole", func() bool {
			return strings.Contains(r.cli("CLUSTER", "INFO"), "cluster_state:ok")
		})
		works(t, "rediss+cluster://127.0.0.1:"+port)
	})
}

// What is wrong with certificates is one line at start, that says which file or side it is.
func TestWrongCertificates(t *testing.T) {
	t.Parallel()
	ports := freePorts(t, 2)
	a, other := newAuthority(t), newAuthority(t)
	startRedis(t, a.demanding(ports[0])...)
	cert, key := a.issue("edge", time.Hour)
	_, anotherKey := a.issue("another", time.Hour)
	oldCert, oldKey := a.issue("old", -time.Hour)
	strangeCert, strangeKey := other.issue("strange", time.Hour)
	empty := filepath.Join(a.dir, "empty")
	words := filepath.Join(a.dir, "words")
	os.WriteFile(empty, nil, 0o600)
	os.WriteFile(words, []byte("secret"), 0o600)
	expired := a.demanding(ports[1])
	lateCert, lateKey := a.issue("late", -time.Hour)
	expired[3], expired[5] = lateCert, lateKey
	startRedis(t, expired...)
	url := "rediss://127.0.0.1:" + ports[0]
	for name, c := range map[string]struct {
		url, cert, key, ca string
		says               []string
	}{
		"none": {url, "", "", a.file,
			[]string{"--redis-tls-cert", "tls-auth-clients"}},
		"of another CA": {url, strangeCert, strangeKey, a.file,
			[]string{"--redis-tls-cert", "tls-ca-cert-file"}},
		"expired": {url, oldCert, oldKey, a.file,
			[]string{"--redis-tls-cert " + oldCert, "expired at 20"}},
		"another's key": {url, cert, anotherKey, a.file,
			[]string{cert, anotherKey, "private key does not match"}},
		"a certificate for a key": {url, cert, cert, a.file,
			[]string{"--redis-tls-key " + cert, "private key", "found a CERTIFICATE"}},
		"a key for a certificate": {url, key, key, a.file,
			[]string{"--redis-tls-cert " + key, "found a PRIVATE KEY"}},
		"no key": {url, cert, "", a.file,
			[]string{"--redis-tls-key", "found only --redis-tls-cert"}},
		"no certificate": {url, "", key, a.file,
			[]string{"--redis-tls-cert", "found only --redis-tls-key"}},
		"an empty file": {url, empty, key, a.file,
			[]string{"--redis-tls-cert " + empty, "an empty file"}},
		"no PEM": {url, cert, key, words,
			[]string{"--redis-tls-ca " + words, "6 bytes that are no PEM"}},
		"no file": {url, cert, "/nowhere/key", a.file,
			[]string{"--redis-tls-key", "/nowhere/key", "no such file"}},
		"without TLS": {"redis://127.0.0.1:" + ports[0], cert, key, a.file,
			[]string{"--redis-tls-cert, --redis-tls-key, --redis-tls-ca", "rediss://"}},
		"without Redis": {"", cert, key, "",
			[]string{"--redis-tls-cert, --redis-tls-key without --redis"}},
		"insecure, and a CA": {url + "?insecure=true", cert, key, a.file,
			[]string{"--redis-tls-ca", "insecure"}},
		"the server's another CA": {url, strangeCert, strangeKey, other.file,
			[]string{"unknown authority", "--redis-tls-ca"}},
		"the server's, without CAs": {url, cert, key, "",
			[]string{"unknown authority", "SSL_CERT_FILE"}},
		"the server's expired": {"rediss://127.0.0.1:" + ports[1], cert, key, a.file,
			[]string{"expired", "server's certificate"}},
		"the server's of elsewhere": {"rediss://localhost:" + ports[0], cert, key, a.file,
			[]string{"localhost", "address it is reached at"}},
	} {
		config := engine.DefaultConfig()
		config.Dev, config.Listen, config.Admin, config.Redis.URL, config.Redis.Timeout = true,
			[]string{"127.0.0.1:0"}, "", c.url, time.Second
		config.Redis.TLS.Cert, config.Redis.TLS.Key, config.Redis.TLS.CA = c.cert, c.key, c.ca
		e, err := engine.New(config)
		if err == nil {
			e.Close()
			t.Errorf("%s: it starts", name)
			continue
		}
		for _, says := range append(c.says, "--redis") {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("%s: expected %q in: %v", name, says, err)
			}
		}
		if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
