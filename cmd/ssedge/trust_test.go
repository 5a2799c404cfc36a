package main

import (
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// behindTLS puts a proxy before a server, and returns its URL and the file of the certificate that
// signs it.
func behindTLS(t *testing.T, server string) (secure, ca string) {
	t.Helper()
	to, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	s := httptest.NewTLSServer(proxy)
	t.Cleanup(s.Close)
	t.Cleanup(s.CloseClientConnections)
	ca = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca,
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}),
		0o600); err != nil {
		t.Fatal(err)
	}
	return s.URL, ca
}

// TestClientsTrustAPrivateCA: every command that talks to a server reaches one whose certificate no
// public authority has signed, with --ca or SSL_CERT_FILE; and says what is missing without.
func TestClientsTrustAPrivateCA(t *testing.T) {
	_, plain, plainAdmin := serve(t, "--dev")
	server, ca := behindTLS(t, plain)
	admin, adminCA := behindTLS(t, plainAdmin)
	first := strings.TrimSpace(mustRun(t, "publish", "t", "one", "--server="+server, "--ca="+ca))
	for _, args := range [][]string{
		{"publish", "t", "two", "--server=" + server, "--ca=" + ca},
		{"subscribe", "t", "-q", "--count=1", "--last-event-id=" + first, "--server=" + server,
			"--ca=" + ca},
		{"health", "--admin=" + admin, "--ca=" + adminCA},
		append([]string{"bench", "hold", "--streams=3", "--for=0s", "--broadcasts=0",
			"--settle=50ms", "--expect=pss>0MiB", "--admin=" + admin, "--ca=" + adminCA},
			target(plain)[0]),
	} {
		mustRun(t, args...)
	}
	for _, args := range [][]string{{"publish", "t", "x", "--server=" + server},
		{"health", "--admin=" + admin}} {
		_, errors, code := run(t, args...)
		oneLine(t, errors, code, "certificate", "--ca")
	}
	p := start(t, "subscribe", "t", "--server="+server)
	p.awaitSaid("--ca names the certificates to trust")
	p.terminate()
	if code := p.exit(); code != 1 ||
		!strings.Contains(p.said(), "interrupted before a stream was open") {
		t.Errorf("exit code %d, %s", code, p.said())
	}
	other := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(other, []byte("no certificate\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, says []string }{
		{[]string{"--server=" + server, "--ca=" + other}, []string{"--ca", other, "PEM"}},
		{[]string{"--server=" + server, "--ca=/nowhere"}, []string{"--ca", "/nowhere"}},
		{[]string{"--server=" + plain, "--ca=" + ca}, []string{"--ca", "https://"}},
		{[]string{"--server=unix:/x", "--ca=" + ca}, []string{"--ca", "https://"}},
	} {
		_, errors, code := run(t, append([]string{"publish", "t", "x"}, c.args...)...)
		oneLine(t, errors, code, c.says...)
	}
	t.Setenv("SSL_CERT_FILE", ca)
	mustRun(t, "publish", "t", "three", "--server="+server)
	t.Setenv("SSL_CERT_FILE", other)
	t.Setenv("SSEDGE_CA", ca)
	mustRun(t, "publish", "t", "four", "--server="+server)
}

// mustRun runs a command that must succeed, and returns what it prints.
func mustRun(t *testing.T, args ...string) string {
	t.Helper()
	out, errors, code := run(t, args...)
	if code != 0 {
		t.Fatalf("%q: exit code %d, %s", args, code, errors)
	}
	return out
}

// TestClientsDoWhatTheServerAllows: an event as large as a server's settings let it be is published
// and followed, in whatever form it takes.
func TestClientsDoWhatTheServerAllows(t *testing.T) {
	const most = 3 << 20
	_, url, _ := serve(t, "--dev", "--event-bytes=3MiB", "--body-bytes=3MiB",
		"--history-bytes=20MiB", "--history-max=64MiB")
	first := strings.TrimSpace(mustRun(t, "publish", "t", "", "--server="+url))
	var want []string
	for _, data := range []string{strings.Repeat("x", most), strings.Repeat(`"`, most),
		strings.Repeat("<", most), strings.Repeat(`\`, 800<<10), strings.Repeat("\n", most)} {
		out, errors, code := runWith(t, data+"\n", "publish", "t", "--server="+url,
			"--once="+data[:1]+"!")
		if code != 0 {
			t.Fatalf("%.1q: %s", data, errors)
		}
		want = append(want, strings.TrimSpace(out)+"\t"+strings.ReplaceAll(data, "\n", "\n\t")+"\n")
		out = mustRun(t, "subscribe", "t", "-q", "--count=1", "--last-event-id="+first,
			"--server="+url)
		if out != want[len(want)-1] {
			t.Errorf("%.1q: found %d bytes, expected %d", data, len(out), len(want[len(want)-1]))
		}
		first, _, _ = strings.Cut(out, "\t")
	}
	_, errors, code := runWith(t, strings.Repeat("x", most+1), "publish", "t", "--server="+url)
	oneLine(t, errors, code, "413", "--event-bytes")
}

// TestInterruptedBeforeWhatWasAskedFor: a command that was to bring something, and did not, has
// failed.
func TestInterruptedBeforeWhatWasAskedFor(t *testing.T) {
	_, url, _ := serve(t, "--dev")
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"t", "--server=" + url}, 0, ""},
		{[]string{"t", "--server=" + url, "--count=2"}, 1, "interrupted after 0 of 2 events"},
	} {
		p := start(t, append([]string{"subscribe"}, c.args...)...)
		p.awaitSaid("following")
		p.terminate()
		if code := p.exit(); code != c.code || !strings.Contains(p.said(), c.says) {
			t.Errorf("%q: exit code %d, %s", c.args, code, p.said())
		}
	}
	p := start(t, "subscribe", "t", "--server=http://127.0.0.1:1")
	p.awaitSaid("again in")
	p.terminate()
	if code := p.exit(); code != 1 ||
		!strings.Contains(p.said(), "interrupted before a stream was open: ") {
		t.Errorf("exit code %d, %s", code, p.said())
	}
	s := fakeServer(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "{}") })
	_, errors, code := run(t, "publish", "t", "x", "--server="+s)
	oneLine(t, errors, code, "200 OK")
}
