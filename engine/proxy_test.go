package engine_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ssedge/engine"
	"ssedge/proto/sse"
)

// proxies are real ones, Debian's, with what their configuration is for a server at %s,
// listening on %s, and how they are started with it. nginx's location is the README's.
var proxies = []struct {
	program, config string
	args            []string
}{
	{"nginx", `
daemon off; pid nginx.pid; error_log stderr; worker_processes 1;
events { worker_connections 100; }
http {
    access_log off;
    client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;
    server {
        listen %[2]s;
        location / {
            proxy_pass http://%[1]s;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_read_timeout 1h;
        }
    }
}`, []string{"-e", "stderr", "-p", ".", "-c", "config"}},
	{"haproxy", `
defaults
    mode http
    timeout connect 5s
    timeout client 1h
    timeout server 1h
frontend f
    bind %[2]s
    default_backend b
backend b
    server s %[1]s
`, []string{"-db", "-f", "config"}},
}

// behind starts a proxy in front of a server and returns where it listens.
func behind(t *testing.T, program, config string, args []string, server string) (address string) {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil { // Debian's place for it is not on everybody's path
		path, err = exec.LookPath("/usr/sbin/" + program)
	}
	if err != nil {
		t.Skipf("no %s on the PATH; `make test` installs it", program)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = ln.Addr().String()
	ln.Close()
	dir := t.TempDir()
	os.Chmod(dir, 0o755)
	if err := os.WriteFile(filepath.Join(dir, "config"), fmt.Appendf(nil, config, server, address), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		<-ended
	})
	await(t, program+" to listen", func() (bool, string) {
		select {
		case <-ended:
			t.Fatalf("%s ended: %s", program, said.String())
		default:
		}
		c, err := net.Dial("tcp", address)
		if err != nil {
			return false, err.Error()
		}
		c.Close()
		return true, ""
	})
	return address
}

// TestBehindProxies: through each of them events arrive one by one, as they are
// published, a client resumes where it was, publishing works, and a client that goes
// is gone at the server; in both framings.
func TestBehindProxies(t *testing.T) {
	for _, p := range proxies {
		for _, chunked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/chunked=%v", p.program, chunked), func(t *testing.T) {
				n := startNode(t, func(c *engine.Config) { c.Chunked = chunked; c.Heartbeat = 200 * time.Millisecond })
				url := "http://" + behind(t, p.program, p.config, p.args, n.addr)
				follow := func(lastID string) (next func() sse.Message, leave func()) {
					r, err := http.NewRequest("GET", url+"/events?topic=t", nil)
					if err != nil {
						t.Fatal(err)
					}
					if lastID != "" {
						r.Header.Set("Last-Event-ID", lastID)
					}
					r.Host = "localhost"
					got, err := n.http.Do(r)
					if err != nil || got.StatusCode != 200 {
						t.Fatalf("%v, %v", got, err)
					}
					var d sse.Decoder
					var ready []sse.Message
					body := bufio.NewReader(got.Body)
					stop := time.AfterFunc(patience, func() { got.Body.Close() })
					return func() sse.Message {
							for len(ready) == 0 {
								line, err := body.ReadBytes('\n')
								if err != nil {
									t.Fatal(err)
								}
								d.Feed(line, func(m sse.Message) { ready = append(ready, m) })
							}
							m := ready[0]
							ready = ready[1:]
							return m
						}, func() {
							stop.Stop()
							got.Body.Close()
						}
				}
				publish := func(data string) {
					r, err := http.NewRequest("POST", url+"/publish?topic=t", strings.NewReader(data))
					if err != nil {
						t.Fatal(err)
					}
					r.Host = "localhost"
					got, err := n.http.Do(r)
					if err != nil || got.StatusCode != 200 {
						t.Fatalf("%v, %v", got, err)
					}
					got.Body.Close()
				}

				next, leave := follow("")
				n.awaitStreams(t, 1)
				last := ""
				for i := range 5 { // each is read before the next is published
					want := fmt.Sprint("event ", i, "\nand its second line")
					publish(want)
					m := next()
					if m.Data != want {
						t.Fatalf("found %+v, expected %q", m, want)
					}
					last = m.LastEventID
				}
				leave()
				n.awaitStreams(t, 0)
				publish("missed")
				again, leave := follow(last)
				if m := again(); m.Data != "missed" {
					t.Errorf("resumed with %+v", m)
				}
				leave()
				n.awaitStreams(t, 0)
			})
		}
	}
}
