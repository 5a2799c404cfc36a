package engine_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// leaving matches the end of a stream that was told when to come back.
var leaving = regexp.MustCompile(`\n\nevent: ssedge\nretry: [0-9]+\ndata: {"state":"drain"}\n\n$`)

// TestDrainUnderLoad ends a server with SIGTERM while it publishes without a
// pause: it stops being ready and listening while streams are still there, and
// then each stream gets every event whose publisher was told that it was taken,
// and a time to come back, before it is closed; not all of them at once.
func TestDrainUnderLoad(t *testing.T) {
	unraced(t) // TestARollingRestart
	const publishers = 4
	streams, rate := pick(400, 200, 200), pick(400, 200, 200)
	p := startProcess(t, fmt.Sprint("--drain-rate=", rate), "--history-bytes=64000000", "--history-events=1000000")

	type life struct {
		got []string
		end time.Time
		err error
	}
	lives := make([]life, streams)
	var clients sync.WaitGroup
	for i := range lives {
		st := p.opened(t, ask{topics: []string{"t"}, readBuffer: 1024})
		clients.Go(func() {
			all, err := st.untilEnd()
			l := &lives[i]
			l.end, l.err = time.Now(), err
			for _, m := range all {
				l.got = append(l.got, m.LastEventID)
			}
			if err == nil && !leaving.Match(st.tail) {
				l.err = fmt.Errorf("expected to be told when to come back at the end, found %q", st.tail)
			}
		})
	}

	slow := p.beginPublish(t, "t", "half now, ", "half when it drains")
	acknowledged := make([][]string, publishers)
	var publishing sync.WaitGroup
	var published atomic.Int64
	for i := range acknowledged {
		publishing.Go(func() {
			for k := 0; ; k++ {
				id, err := p.post("t", fmt.Sprintf("%d from %d", k, i))
				if err != nil {
					return // refused: the server is going away
				}
				published.Add(1)
				acknowledged[i] = append(acknowledged[i], id)
			}
		})
	}
	await(t, "events to flow", func() (bool, string) {
		return published.Load() > 500, fmt.Sprint(published.Load())
	})
	began := time.Now()
	p.signal(t, syscall.SIGTERM)
	p.awaitNotReady(t)
	if left := total(p.metrics(t), "ssedge_streams"); left == 0 { // none goes before that publish is done
		t.Error("no stream is left when /readyz turns: balancers learn it too late")
	}
	late := slow()
	await(t, "the listener to close", func() (bool, string) { return refused(p.addr), "one that accepts" })
	publishing.Wait()
	acknowledged = append(acknowledged, []string{late})
	clients.Wait()
	if code := p.exit(t); code != 0 {
		t.Errorf("exit code %d, expected 0: %s", code, p.stderr.String())
	}

	last := lives[0].end
	for i, l := range lives {
		if l.err != nil {
			t.Fatalf("stream %d: %v", i, l.err)
		}
		if l.end.After(last) {
			last = l.end
		}
		if err := holdsAll(l.got, acknowledged); err != nil {
			t.Fatalf("stream %d of %d, with %d events: %v", i, streams, len(l.got), err)
		}
	}
	// A second's worth of streams. The last end may come later than a second after
	// the signal, not sooner; when the first comes, or is seen, noise decides.
	if took := last.Sub(began); took < 500*time.Millisecond {
		t.Errorf("%d streams were closed within %v, at a rate of %d a second", streams, took, rate)
	}
}

// beginPublish sends a request to publish, the only one at the time, but for the
// end of its data: for that, and the id, call finish.
func (s *server) beginPublish(t *testing.T, topic, data, rest string) (finish func() (id string)) {
	t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(c, "POST /publish?topic=%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", topic, len(data)+len(rest), data)
	s.await(t, `ssedge_connections{state="http"}`, 1)
	return func() string {
		t.Helper()
		io.WriteString(c, rest)
		got, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatalf("a publish that had begun before the drain: %v", err)
		}
		var said struct{ ID string }
		if err := json.NewDecoder(got.Body).Decode(&said); err != nil || said.ID == "" {
			t.Fatalf("a publish that had begun before the drain: %s", got.Status)
		}
		return said.ID
	}
}

// holdsAll checks that a client got what was acknowledged, each once.
func holdsAll(got []string, acknowledged [][]string) error {
	times := map[string]int{}
	for _, id := range got {
		if times[id]++; times[id] > 1 {
			return fmt.Errorf("event %s came twice", id)
		}
	}
	for i, ids := range acknowledged {
		for k, id := range ids {
			if times[id] == 0 {
				return fmt.Errorf("event %s, number %d of %d that publisher %d was told were taken, is missing", id, k+1, len(ids), i)
			}
		}
	}
	return nil
}

// TestSecondSignalExitsAtOnce interrupts a drain that would take minutes. What comes within a second is the first signal again.
func TestSecondSignalExitsAtOnce(t *testing.T) {
	p := startProcess(t, "--drain-rate=0.01", "--drain-timeout=1h")
	for range 20 {
		p.opened(t, ask{topics: []string{"t"}})
	}
	p.signal(t, syscall.SIGTERM)
	p.signal(t, syscall.SIGTERM)
	p.signal(t, syscall.SIGINT)
	p.awaitNotReady(t)
	time.Sleep(1100 * time.Millisecond)
	select {
	case <-p.ended:
		t.Fatal("it has ended though the signals came at once")
	default:
	}
	p.signal(t, syscall.SIGTERM)
	if code := p.exit(t); code == 0 {
		t.Error("exit code 0, expected another: streams were cut")
	}
}

// TestDrainTimeoutEndsStreamsThatReadNothing drains a server with a client that does not
// take what it is due: the others are told, it is closed at the timeout.
func TestDrainTimeoutEndsStreamsThatReadNothing(t *testing.T) {
	p := startProcess(t, "--drain-timeout=4s", "--send-buffer=8192")
	p.open(t, ask{topics: []string{"t"}, receiveBuffer: smallReceive})
	reading := p.opened(t, ask{topics: []string{"t"}})
	published := p.publishAll(t, "t", numbered(1000, 1000))
	if _, err := reading.take(len(published)); err != nil {
		t.Fatal(err)
	}
	p.await(t, `ssedge_streams{state="blocked"}`, 1)

	began := time.Now()
	p.signal(t, syscall.SIGTERM)
	if _, err := reading.untilEnd(); err != nil || !leaving.Match(reading.tail) {
		t.Errorf("the stream that reads ends with %q, %v: expected a retry:", reading.tail, err)
	}
	if code := p.exit(t); code != 0 {
		t.Errorf("exit code %d, expected 0", code)
	}
	if took := time.Since(began); took < 4*time.Second {
		t.Errorf("the server left after %v, before its timeout, and left a client behind", took)
	}
}

// TestDrainWithoutStreamsExits has nothing to wait for.
func TestDrainWithoutStreamsExits(t *testing.T) {
	p := startProcess(t, "--drain-timeout=1h")
	p.publish(t, "t", "x")
	p.signal(t, syscall.SIGINT)
	if code := p.exit(t); code != 0 {
		t.Errorf("exit code %d, expected 0", code)
	}
}

// TestSIGTERMDuringRequests: each kind of request that is under way when the server is told to end gets an answer that says what
// was taken and why no more was, or is finished.
func TestSIGTERMDuringRequests(t *testing.T) {
	unraced(t) // the requests of TestStrangersHoldNothingUp, and a drain: TestARollingRestart
	line := func(n int) string { return fmt.Sprintf("{\"topic\":\"t\",\"data\":\"%d\"}\n", n) }
	for name, c := range map[string]struct {
		head   string // of the request, and as much of its body as comes before the signal
		rest   string // what comes after
		status int
		says   string
	}{
		"lines, silent":           {"POST /publish HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: 1000\r\n\r\n" + line(1) + line(2), "", 503, `"published":2`},
		"lines, more of them":     {"POST /publish HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: 100000\r\n\r\n" + line(1) + line(2), strings.Repeat(line(3), 100), 503, "going away"},
		"half a line":             {"POST /publish HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: 1000\r\n\r\n" + line(1) + `{"topic"`, "", 503, `"published":1`},
		"lines in chunks":         {"POST /publish HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n1a\r\n" + line(1) + "\r\n", "", 503, `"published":1`},
		"an array, silent":        {"POST /publish HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n[", "", 503, "going away"},
		"raw, silent":             {"POST /publish?topic=t HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf", "", 503, "going away"},
		"raw, that is completed":  {"POST /publish?topic=t HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\nhalf", "half", 200, `"id"`},
		"JSON, that is completed": {"POST /publish HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 24\r\n\r\n", `{"topic":"t","data":"x"}`, 200, `"id"`},
		"half a head":             {"POST /publish?topic=t HTTP/1.1\r\nHost: local", "", 0, ""}, // nothing was asked yet: closed
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
			} else if body, _ := io.ReadAll(resp.Body); resp.StatusCode != c.status && resp.StatusCode != 200 || !strings.Contains(string(body), c.says) {
				t.Errorf("answered %s %s, expected %d with %s", resp.Status, body, c.status, c.says)
			}
			if code := p.exit(t); code != 0 {
				t.Errorf("exit code %d", code)
			}
		})
	}
}
