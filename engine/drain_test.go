package engine_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// leaving matches the end of a stream that was told when to come back.
var leaving = regexp.MustCompile(`\n\n(?::\n)*event: ssedge\nretry: [0-9]+\ndata: {"state":"drain"}\n\n$`)

// TestDrainUnderLoad ends a server with SIGTERM while it publishes without a
// pause: it stops being ready and listening while streams are still there, and
// then each stream gets every event whose publisher was told that it was taken,
// and a time to come back, before it is closed; not all of them at once.
func TestDrainUnderLoad(t *testing.T) {
	unraced(t) // TestARollingRestart
	const publishers = 4
	streams, rate := pick(400, 200, 200), pick(400, 200, 200)
	p := startProcess(t, fmt.Sprint("--drain-rate=", rate), "--history-bytes=64000000",
		"--history-events=1000000")

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
				l.err = fmt.Errorf("expected to be told when to come back at the end, found %q",
					st.tail)
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
	if left := total(p.metrics(t), "ssedge_streams"); left == 0 {
		// none goes before that publish is done
		t.Error("no stream is left when /readyz turns: balancers learn it too late")
	}
	late := slow()
	await(t, "the listener to close", func() (bool, string) {
		return refused(p.addr), "one that accepts"
	})
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
	fmt.Fprintf(c,
		"POST /publish?topic=%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", topic,
		len(data)+len(rest), data)
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

// TestSecondSignalExitsAtOnce interrupts a drain that would take minutes. What comes within a
// second is the first signal again.
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
