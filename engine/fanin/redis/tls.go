package redis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

// TLSFiles are files of PEM for connections to the servers, and to sentinels; "" for none. They are
// read for each new connection, so that a certificate that was renewed counts without a signal or a
// restart. Connections that are open stay.
type TLSFiles struct {
	Cert string `name:"redis-tls-cert" help:"Certificate shown to Redis servers and sentinels that ask for one (tls-auth-clients): a PEM file. This, its key and the CAs are read for each new connection." placeholder:"FILE"`
	Key  string `name:"redis-tls-key" help:"The private key of that certificate." placeholder:"FILE"`
	CA   string `name:"redis-tls-ca" help:"CAs of the servers' certificates, in place of the system's." placeholder:"FILE"`
}

// ErrExpired is wrapped by errors of a certificate that is not valid now: in time another one may
// be in its file.
var ErrExpired = errors.New("expected a certificate that is valid now")

// CheckTLS says what is wrong with a URL and its files: nil, or in one line what was expected.
func CheckTLS(text string, f TLSFiles) error {
	t, err := parseURL(text)
	if err != nil {
		return err
	}
	return t.setFiles(f)
}

// setFiles gives the files to all connections to be made.
func (t *target) setFiles(f TLSFiles) error {
	o := &t.options
	switch {
	case f == TLSFiles{}:
		return nil
	case o.TLSConfig == nil:
		return fmt.Errorf("%s has no effect without TLS: expected a URL that begins with rediss:// (or rediss+sentinel://, rediss+cluster://)",
			f.Flags())
	case f.CA != "" && o.TLSConfig.InsecureSkipVerify:
		return errors.New("--redis-tls-ca has no effect with insecure=true in the URL: expected one of them")
	}
	t.files = f
	_, err := f.apply(o.TLSConfig)
	return err
}

// Flags are those that were given.
func (f TLSFiles) Flags() string {
	var all []string
	for _, g := range []struct{ name, value string }{{"--redis-tls-cert", f.Cert},
		{"--redis-tls-key", f.Key}, {"--redis-tls-ca", f.CA}} {
		if g.value != "" {
			all = append(all, g.name)
		}
	}
	return strings.Join(all, ", ")
}

// apply reads the files, and returns a configuration that has what is in them.
func (f TLSFiles) apply(c *tls.Config) (*tls.Config, error) {
	c = c.Clone()
	if (f.Cert == "") != (f.Key == "") {
		return nil, fmt.Errorf(
			"expected --redis-tls-cert and --redis-tls-key together, found only %s",
			TLSFiles{Cert: f.Cert, Key: f.Key}.Flags())
	}
	if f.Cert != "" {
		pair, err := f.pair()
		if err != nil {
			return nil, err
		}
		// A callback, because a certificate in Certificates is left out in silence if the server
		// does not name its CA. This way the server refuses it, and says why.
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return pair, nil
		}
	}
	if f.CA != "" {
		text, err := os.ReadFile(f.CA)
		if err != nil {
			return nil, fmt.Errorf("--redis-tls-ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("--redis-tls-ca %s: expected certificates as PEM, found %s",
				f.CA, contents(text))
		}
	}
	return c, nil
}

// pair reads the certificate and its key.
func (f TLSFiles) pair() (*tls.Certificate, error) {
	cert, err := os.ReadFile(f.Cert)
	if err != nil {
		return nil, fmt.Errorf("--redis-tls-cert: %w", err)
	}
	key, err := os.ReadFile(f.Key)
	if err != nil {
		return nil, fmt.Errorf("--redis-tls-key: %w", err)
	}
	if !strings.Contains(string(cert), "-----BEGIN CERTIFICATE-----") {
		return nil, fmt.Errorf("--redis-tls-cert %s: expected a certificate as PEM, found %s",
			f.Cert, contents(cert))
	}
	if !strings.Contains(string(key), "PRIVATE KEY-----") {
		return nil, fmt.Errorf("--redis-tls-key %s: expected a private key as PEM, found %s", f.Key,
			contents(key))
	}
	if strings.Contains(string(key), "ENCRYPTED") {
		return nil,
			fmt.Errorf("--redis-tls-key %s: expected a private key without a passphrase, found an encrypted one",
				f.Key)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil,
			fmt.Errorf("--redis-tls-cert %s and --redis-tls-key %s: expected a certificate and its own key: %w",
				f.Cert, f.Key, err)
	}
	switch now := time.Now(); {
	case now.After(pair.Leaf.NotAfter):
		return nil, fmt.Errorf("--redis-tls-cert %s: %w, found one that expired at %s", f.Cert,
			ErrExpired, pair.Leaf.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(pair.Leaf.NotBefore):
		return nil, fmt.Errorf("--redis-tls-cert %s: %w, found one that is not valid before %s",
			f.Cert, ErrExpired, pair.Leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	return &pair, nil
}

// contents says what a file holds, without any of it: it may be a key.
func contents(text []byte) string {
	if len(text) == 0 {
		return "an empty file"
	}
	if block, _ := pem.Decode(text); block != nil {
		return "a " + block.Type
	}
	return fmt.Sprintf("%d bytes that are no PEM", len(text))
}

// errFiles is that the files of the settings cannot be used.
var errFiles = errors.New("TLS cannot be used")

// dial makes a connection to a server or a sentinel. secure is nil without TLS.
func (t *target) dial(ctx context.Context, address string, d *net.Dialer,
	secure *tls.Config) (net.Conn, error) {
	if secure == nil {
		return d.DialContext(ctx, "tcp", address)
	}
	secure, err := t.files.apply(secure)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errFiles, err)
	}
	own := secure.GetClientCertificate
	secure.GetClientCertificate = func(asked *tls.CertificateRequestInfo) (*tls.Certificate,
		error) {
		t.asked.Store(true)
		if own == nil {
			return new(tls.Certificate), nil
		}
		return own(asked)
	}
	return (&tls.Dialer{NetDialer: d, Config: secure}).DialContext(ctx, "tcp", address)
}

// hintTLS says what an error of TLS means for the settings; "" if it is none. A server refuses a
// certificate after the handshake has ended on this side (TLS 1.3), and its alert may be lost with
// the connection: that it asked for one is what is known then.
func (t *target) hintTLS(err error) string {
	if t.options.TLSConfig == nil {
		return ""
	}
	switch {
	case errors.As(err, new(x509.UnknownAuthorityError)):
		return "; expected a certificate of the server that leads to a CA of --redis-tls-ca or, without it, of this system (SSL_CERT_FILE)"
	case errors.As(err, new(x509.CertificateInvalidError)):
		return "; it is the server's certificate"
	case errors.As(err, new(x509.HostnameError)):
		return "; expected a certificate of the server that holds the address it is reached at"
	case !t.asked.Load() || remoteAlert(err) == "" && !endedAtOnce(err):
	case t.files.Cert == "":
		return "; the server asks for a certificate (tls-auth-clients): expected --redis-tls-cert and --redis-tls-key"
	default:
		return "; the server asks for a certificate, and seems not to take that of --redis-tls-cert: expected one for clients that leads to a CA of the server's (tls-ca-cert-file)"
	}
	return ""
}
