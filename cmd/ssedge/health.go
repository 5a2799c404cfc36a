package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

type healthCmd struct {
	Admin   string        `help:"Admin listener of the server: the same as its own, so that one variable serves both; or an https:// URL, where a proxy stands before it." default:"127.0.0.1:8081" placeholder:"ADDRESS"`
	Ready   bool          `help:"Check whether it is ready for clients, too (/readyz)."`
	Timeout time.Duration `help:"Time for the answer." default:"2s" env:"SSEDGE_HEALTH_TIMEOUT"`
	trustFlags
}

// Run ends with status 0 if the server answers that it is well.
func (c *healthCmd) Run() error {
	if c.Timeout <= 0 {
		return fmt.Errorf("--timeout: expected more than 0, found %v", c.Timeout)
	}
	base, err := c.base()
	if err != nil {
		return err
	}
	scheme, _, _ := strings.Cut(base, "://")
	if err := c.forHTTPS("--admin", c.Admin, scheme); err != nil {
		return err
	}
	transport, err := c.transport()
	if err != nil {
		return err
	}
	path := "/healthz"
	if c.Ready {
		path = "/readyz"
	}
	client := http.Client{Timeout: c.Timeout, Transport: transport}
	answer, err := client.Get(base + path)
	if err != nil {
		return fmt.Errorf("it does not answer: %w", untrusted(err))
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", answer.Status, strings.TrimSpace(string(text)))
	}
	_, err = fmt.Println(strings.TrimSpace(string(text)))
	return err
}

// base is what the URLs of the admin listener begin with.
func (c *healthCmd) base() (string, error) {
	if rest, ok := strings.CutPrefix(c.Admin, "https://"); ok && rest != "" {
		return strings.TrimSuffix(c.Admin, "/"), nil
	}
	host, port, err := net.SplitHostPort(strings.TrimSuffix(strings.TrimPrefix(c.Admin, "http://"),
		"/"))
	if err != nil {
		return "",
			fmt.Errorf("--admin %s: expected host:port, that of a server's admin listener, or https://host",
				c.Admin)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() { // it listens on all
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port), nil
}
