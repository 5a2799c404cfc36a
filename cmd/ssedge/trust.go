package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
)

// trustFlags say which certificates a client trusts; without them, the system's, or those of
// SSL_CERT_FILE and SSL_CERT_DIR.
type trustFlags struct {
	CA string `name:"ca" help:"File of certificates (PEM) that sign those of https servers, in place of the system's." placeholder:"FILE"`
}

// transport is what requests are sent with; its owner may change it.
func (f *trustFlags) transport() (*http.Transport, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	if f.CA == "" {
		return t, nil
	}
	text, err := os.ReadFile(f.CA)
	if err != nil {
		return nil, fmt.Errorf("--ca: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil,
			fmt.Errorf("--ca %s: expected certificates in PEM, -----BEGIN CERTIFICATE-----, found none", f.CA)
	}
	t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return t, nil
}

// forHTTPS refuses --ca where it would have no effect.
func (f *trustFlags) forHTTPS(flag, server, scheme string) error {
	if f.CA != "" && scheme != "https" {
		return fmt.Errorf("--ca: expected %s to begin with https://, found %s", flag,
			withoutUser(server))
	}
	return nil
}

// untrusted says what to do about a certificate that is not believed.
func untrusted(err error) error {
	if bad := (&tls.CertificateVerificationError{}); errors.As(err, &bad) {
		return fmt.Errorf("%w (--ca names the certificates to trust)", err)
	}
	return err
}
