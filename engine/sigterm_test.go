package engine_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSIGTERMDuringRequests: each kind of request that is under way when the server is told to end
// gets an answer that says what was taken and why no more was, or is finished.
func TestSIGTERMDuringRequests(t *testing.T) {
	unraced(t) // the requests of TestStrangersHoldNothingUp, and a drain: TestARollingRestart
	line := func(n int) string { return fmt.Sprintf("{\"topic\":\"t\",\"data\":\"%d\"}\n", n) }
	for name, c := range map[string]struct {
		head   string // of the request, and as much of its body as comes before the signal
		rest   string // what comes after
		status int
		says   string
	}{
		"lines, silent": {"POST /publish HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: 1000\r\n\r\n" +
			line(1) + line(2), "", 503, `"published":2`},
		"lines, more of them": {"POST /publish HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: 100000\r\n\r\n" +
			line(1) + line(2), strings.Repeat(line(3), 100), 503, "going away"},
		"half a line": {"POST /publish HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: 1000\r\n\r\n" +
			line(1) + `{"topic"`, "", 503, `"published":1`},
		"lines in chunks": {"POST /publish HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n1a\r\n" +
			line(1) + "\r\n", "", 503, `"published":1`},
		"an array, silent": {"POST /publish HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n[",
			"", 503, "going away"},
		"raw, silent": {
			"POST /publish?topic=t HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf",
			"", 503, "going away"},
		"raw, that is completed": {
			"POST /publish?topic=t HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\nhalf",
			"half", 200, `"id"`},
		"JSON, that is completed": {"POST /publish HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 24\r\n\r\n",
			`{"topic":"t","data":"x"}`, 200, `"id"`},
		// nothing was asked yet: closed
		"half a head": {"POST /publish?topic=t HTTP/1.1\r\nHost: local", "", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startProcess(t, "--drain-timeout=4s")
			conn, err := net.Dial("tcp", p.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(patience))
			io.WriteString(conn, c.head)
			if c.status != 0 {
				p.await(t, `ssedge_connections{state="http"}`, 1)
				time.Sleep(50 * time.Millisecond) // the handler has what there is of the body
			}
			p.signal(t, syscall.SIGTERM)
			await(t, "it is told, or has ended", func() (bool, string) {
				got, err := p.http.Get("http://" + p.admin + "/readyz")
				if err != nil {
					return true, ""
				}
				got.Body.Close()
				return got.StatusCode == 503, got.Status
			})
			io.WriteString(conn, c.rest)
			resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: "POST"})
			if c.status == 0 {
				if err == nil {
					t.Errorf("answered %s", resp.Status)
				}
			} else if err != nil {
				t.Fatal(err)
			} else if body, _ := io.ReadAll(resp.Body); resp.StatusCode != c.status &&
				resp.StatusCode != 200 || !strings.Contains(string(body), c.says) {
				t.Errorf("answered %s %s, expected %d with %s", resp.Status, body, c.status, c.says)
			}
			if code := p.exit(t); code != 0 {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// TestSIGTERMDuringFaults: whatever is wrong when the server is told to end, it ends in order:
// streams are told, the exit code is 0, and a second signal is not needed.
func TestSIGTERMDuringFaults(t *testing.T) {
	unraced(t) // TestRedisGoesAway and its like, and a drain
	live := func(t *testing.T, p *process) func() {
		st := p.opened(t, topic("t"))
		return func() {
			if _, err := st.untilEnd(); err != nil || !leaving.Match(st.tail) {
				t.Errorf("the stream ended with %q, %v", st.tail, err)
			}
		}
	}
	waiting := func(t *testing.T, p *process) func() { // for Redis: it has no opening yet
		conn, err := net.Dial("tcp", p.addr)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn,
			"GET /events?topic=new&last_event_id=earliest HTTP/1.1\r\nHost: localhost\r\n\r\n")
		p.await(t, `ssedge_streams{state="waiting"}`, 1)
		return func() {
			conn.SetDeadline(time.Now().Add(patience))
			said, err := io.ReadAll(conn)
			if status, _, _ := strings.Cut(string(said), "\r\n"); err != nil ||
				status != "HTTP/1.1 503 Service Unavailable" && status != "HTTP/1.1 200 OK" {
				t.Errorf("the stream that waited was told %q, %v", said, err)
			}
		}
	}
	publishing := func(t *testing.T, p *process) func() {
		said := make(chan string, 1)
		go func() {
			_, err := p.post("t", "x")
			said <- fmt.Sprint(err)
		}()
		time.Sleep(50 * time.Millisecond) // it is on its way to Redis
		return func() {
			if got := <-said; !strings.Contains(got, "503") {
				t.Errorf("the publisher was told %s", got)
			}
		}
	}
	type fault struct {
		redis bool
		flags string
		// and what is looked at in the end
		does func(t *testing.T, p *process, r *relay, s *redisServer) []func()
	}
	for name, f := range map[string]fault{
		"Redis has ended": {true, "",
			func(t *testing.T, p *process, r *relay, s *redisServer) []func() {
				a := live(t, p)
				s.kill()
				return []func(){a, publishing(t, p), waiting(t, p)}
			}},
		"Redis swallows everything": {true, "",
			func(t *testing.T, p *process, r *relay, _ *redisServer) []func() {
				a := live(t, p)
				r.swallow(true)
				return []func(){a, publishing(t, p), waiting(t, p)}
			}},
		"Redis is stopped": {true, "",
			func(t *testing.T, p *process, _ *relay, s *redisServer) []func() {
				a := live(t, p)
				s.signal(syscall.SIGSTOP)
				t.Cleanup(func() { s.signal(syscall.SIGCONT) })
				return []func(){a, publishing(t, p), waiting(t, p)}
			}},
		"Redis takes nothing": {true, "",
			func(t *testing.T, p *process, _ *relay, s *redisServer) []func() {
				a := live(t, p)
				s.cli("CONFIG", "SET", "min-replicas-to-write", "1")
				return []func(){a, publishing(t, p)}
			}},
		"Redis was never there": {false, "--redis=redis://127.0.0.1:1 --no-redis-required",
			func(t *testing.T, p *process, _ *relay, _ *redisServer) []func() {
				return []func(){waiting(t, p)}
			}},
		"streams take nothing": {false, "--send-buffer=4096",
			func(t *testing.T, p *process, _ *relay, _ *redisServer) []func() {
				a := live(t, p)
				for range 20 {
					p.opened(t, ask{topics: []string{"full"}, receiveBuffer: 4096})
				}
				for range 20 {
					p.publish(t, "full", strings.Repeat("x", 100_000))
				}
				p.await(t, `ssedge_streams{state="blocked"}`, 20)
				return []func(){a}
			}},
		"strangers hold places": {false, "--http-connections-max=64 --heads-max=64",
			func(t *testing.T, p *process, _ *relay, _ *redisServer) []func() {
				a := live(t, p)
				for range 100 {
					for _, request := range attacks {
						if c, err := net.Dial("tcp", p.addr); err == nil {
							io.WriteString(c, request)
							t.Cleanup(func() { c.Close() })
						}
					}
				}
				return []func(){a}
			}},
		"the process was stopped meanwhile": {false, "",
			func(t *testing.T, p *process, _ *relay, _ *redisServer) []func() {
				a := live(t, p)
				p.signal(t, syscall.SIGSTOP)
				time.AfterFunc(200*time.Millisecond, func() {
					p.cmd.Process.Signal(syscall.SIGCONT)
				})
				return []func(){a}
			}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			flags := append(strings.Fields(f.flags), "--drain-timeout=5s", "--retry=1s",
				"--retry-jitter=0s")
			var r *relay
			var s *redisServer
			var p *process
			if f.redis {
				s = startRedis(t)
				r = startRelay(t, s.address())
				p = edgeProcess(t, "redis://"+r.address, "--drain-timeout=5s")
			} else {
				p = startProcess(t, flags...)
			}
			ends := f.does(t, p, r, s)
			p.signal(t, syscall.SIGTERM)
			for _, end := range ends {
				end()
			}
			if code := p.exit(t); code != 0 {
				t.Errorf("exit code %d: %s", code, p.stderr.String())
			}
		})
	}
}
