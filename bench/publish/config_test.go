package publish_test

import (
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"

	"ssedge/bench/publish"
)

func TestMistakes(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*publish.Config)
		says   []string
	}{
		"no payload":        {func(c *publish.Config) { c.Body = "x" }, []string{"{payload}"}},
		"payload too small": {func(c *publish.Config) { c.Payload = 15 }, []string{"16", "15"}},
		"unknown name": {func(c *publish.Config) { c.Body = "{payload}{tpoic}" },
			[]string{"{tpoic}", "{topic}"}},
		"unknown in URL": {func(c *publish.Config) { c.URL += "/{x}" }, []string{"{x}"}},
		"unknown in header": {func(c *publish.Config) { c.Headers = []string{"A: {x}"} },
			[]string{"{x}"}},
		"no scheme": {func(c *publish.Config) { c.URL = "127.0.0.1:1/x" },
			[]string{"http://", "https://", "127.0.0.1:1/x"}},
		"other scheme": {func(c *publish.Config) { c.URL = "ftp://127.0.0.1/x" },
			[]string{"http://", "ftp://"}},
		"blank in URL": {func(c *publish.Config) { c.URL += "/a b" }, []string{"%20"}},
		"blank in host": {func(c *publish.Config) { c.URL = "http://127.0 .0.1/" },
			[]string{"host:port"}},
		"no host": {func(c *publish.Config) { c.URL = "http:///x" },
			[]string{"host:port"}},
		"user": {func(c *publish.Config) { c.URL = "http://me:secret@127.0.0.1/" },
			[]string{"host:port"}},
		"bad port": {func(c *publish.Config) { c.URL = "http://127.0.0.1:99999/" },
			[]string{"99999"}},
		"elsewhere": {func(c *publish.Config) { c.URL = "http://192.0.2.1/" },
			[]string{"192.0.2.1", "--allow-remote"}},
		"elsewhere, TLS": {func(c *publish.Config) { c.URL = "https://192.0.2.1/" },
			[]string{"192.0.2.1", "--allow-remote"}},
		"header": {func(c *publish.Config) { c.Headers = []string{"nothing"} },
			[]string{"Name: value", "nothing"}},
		"header of two": {func(c *publish.Config) { c.Headers = []string{"A: b\r\nC: d"} },
			[]string{"Name: value"}},
		"the tool's header": {func(c *publish.Config) { c.Headers = []string{"content-length: 3"} },
			[]string{"content-length: 3", "the tool itself"}},
		"method": {func(c *publish.Config) { c.Method = "GET / HTTP/1.1\r\nX: 1" },
			[]string{"POST", "GET /"}},
		"stream in body": {func(c *publish.Config) { c.Body = "{payload}{stream}" },
			[]string{"{stream}"}},
		"batch in URL": {func(c *publish.Config) {
			c.URL, c.Body, c.Batch = c.URL+"/{payload}", "", 2
		}, []string{"body", "batch"}},
		"too many topics": {func(c *publish.Config) {
			c.Topics, c.Connections, c.Shared = 1<<20, 32, true
		}, []string{"16777216", "33554432"}},
	} {
		t.Run(name, func(t *testing.T) {
			config := publish.Config{URL: "http://127.0.0.1:1", Body: "{payload}", Payload: 16}
			if err := config.Check(); err != nil {
				t.Fatal(err)
			}
			c.change(&config)
			err := config.Check()
			for _, part := range c.says {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("expected %q, found %v", part, err)
				}
			}
			if _, err := publish.New(t.Context(), config); err == nil {
				t.Error("found a publisher")
			}
		})
	}
}

// TestCertificates are checked, and what is wrong with them is said.
func TestCertificates(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	plain := httptest.NewServer(nil)
	defer plain.Close()
	for url, says := range map[string]string{server.URL: "certificate",
		strings.Replace(plain.URL, "http:", "https:", 1): "TLS handshake"} {
		_, err := publish.New(t.Context(), publish.Config{URL: url, Body: "{payload}", Payload: 16})
		if err == nil || !strings.Contains(err.Error(), says) ||
			!strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("expected %q, found %v", says, err)
		}
	}
}
