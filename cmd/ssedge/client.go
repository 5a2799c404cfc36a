package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"unicode"
)

// clientFlags say where a client finds the server, and which key it sends.
type clientFlags struct {
	Server string   `help:"The server's address: a URL, host:port or unix:/path (default ${default})." default:"http://127.0.0.1:8080" placeholder:"URL"`
	Key    []string `help:"Bearer key, for topics that are not public and for publishing; of several the first. It is no idempotency key: that is --once of publish." placeholder:"KEY"`
	trustFlags
}

// connect returns what to send requests with, and the URL that they begin with.
func (c *clientFlags) connect() (*http.Client, string, error) {
	if len(c.Key) > 0 && strings.ContainsFunc(c.Key[0], unicode.IsControl) {
		return nil, "",
			errors.New("--key: expected a key without control characters, such as a line end")
	}
	if path, ok := strings.CutPrefix(c.Server, "unix:"); ok && path != "" {
		var d net.Dialer
		return &http.Client{Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return d.DialContext(ctx, "unix", path)
			},
		}}, "http://localhost", c.forHTTPS("--server", c.Server, "unix")
	}
	server := c.Server
	if !strings.Contains(server, "://") {
		server = "http://" + server
	}
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, "",
			fmt.Errorf("--server %s: expected http://host:port, host:port or unix:/path",
				withoutUser(c.Server))
	}
	if err := c.forHTTPS("--server", c.Server, u.Scheme); err != nil {
		return nil, "", err
	}
	transport, err := c.transport()
	return &http.Client{Transport: transport}, strings.TrimSuffix(server, "/"), err
}

// withoutUser is an address without what may be a user and a password.
func withoutUser(server string) string {
	if i := strings.LastIndexByte(server, '@'); i >= 0 {
		return "…" + server[i:]
	}
	return server
}

// authorize puts the key on a request.
func (c *clientFlags) authorize(r *http.Request) {
	if len(c.Key) > 0 && c.Key[0] != "" {
		r.Header.Set("Authorization", "Bearer "+c.Key[0])
	}
}

// refusal is an answer that is not what was asked for, in the server's own words if they are ours.
func refusal(status string, body []byte) error {
	var said struct{ Error string }
	if json.Unmarshal(body, &said) != nil || said.Error == "" {
		said.Error = strings.TrimSpace(string(body))
	}
	return fmt.Errorf("%s: %s", status, said.Error)
}
