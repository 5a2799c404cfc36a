package load_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ssedge/bench/load"
	"ssedge/bench/mark"
)

// workerPatience is how long a test waits for what must happen.
const workerPatience = 20 * time.Second

// broadcaster is a server of event streams with a history of all events, whose ids are their
// numbers in a topic.
type broadcaster struct {
	url string

	mu      sync.Mutex
	changed chan struct{} // closed with each event
	topics  map[string][]string
	asked   map[string]string // of stream number: its topic
	resumed int               // requests with an id
}

// refusedStream is one that never opens.
const refusedStream = "5"

func newBroadcaster(t *testing.T) *broadcaster {
	b := &broadcaster{changed: make(chan struct{}), topics: make(map[string][]string),
		asked: make(map[string]string)}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	b.url = server.URL + "/?topic={topic}&stream={stream}"
	return b
}

func (b *broadcaster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	topic, number := r.FormValue("topic"), r.FormValue("stream")
	if number == refusedStream {
		http.Error(w, "full", http.StatusServiceUnavailable)
		return
	}
	sent := 0
	fmt.Sscan(r.Header.Get("Last-Event-ID"), &sent)
	b.mu.Lock()
	b.asked[number] = topic
	if sent > 0 {
		b.resumed++
	}
	b.mu.Unlock()
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	for {
		b.mu.Lock()
		events, changed := b.topics[topic], b.changed
		b.mu.Unlock()
		for ; sent < len(events); sent++ {
			fmt.Fprintf(w, "id: %d\ndata: %s\n\n", sent+1, events[sent])
		}
		if out.Flush() != nil {
			return
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

// publish sends an event to topics 0 to n-1.
func (b *broadcaster) publish(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for topic := range n {
		name := fmt.Sprint(topic)
		seq := uint32(len(b.topics[name]) + 1)
		b.topics[name] = append(b.topics[name],
			string(mark.Append(nil, mark.Mark{Topic: uint32(topic), Seq: seq, Due: mark.Now()},
				40)))
	}
	close(b.changed)
	b.changed = make(chan struct{})
}

// workerCrowd makes one of so many worker processes; of none, it is in this one.
func workerCrowd(t *testing.T, c load.Config, workers int) *load.Crowd {
	t.Helper()
	t.Setenv(asWorker, "1")
	// the race detector's pause of a second at every worker's end
	t.Setenv("GORACE", "atexit_sleep_ms=10")
	crowd, err := load.NewCrowd(c, 100, load.Workers{Command: []string{os.Args[0]}, Count: workers})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { crowd.Close() })
	return crowd
}

// until waits for totals.
func until(t *testing.T, c *load.Crowd, reached func(load.Totals) bool) load.Totals {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), workerPatience)
	defer cancel()
	var last load.Totals
	if err := c.Wait(ctx, func(now load.Totals) bool {
		last = now
		return reached(now)
	}); err != nil {
		t.Fatalf("%v: %+v", err, last)
	}
	return last
}

// children are the processes that this one has started and not waited for.
func children(t *testing.T) []int {
	t.Helper()
	var all []int
	processes, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(processes) == 0 {
		t.Fatal("no processes in /proc: ", err)
	}
	for _, file := range processes {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the process has ended
		}
		var pid, parent int
		var state string
		fmt.Sscan(string(text), &pid)
		// proc_pid_stat(5): the name may have blanks
		fmt.Sscan(string(text[bytes.LastIndexByte(text, ')')+1:]), &state, &parent)
		if parent == os.Getpid() {
			all = append(all, pid)
		}
	}
	return all
}

// TestWorkersAreAsOneClient in everything that a crowd can be asked.
func TestWorkersAreAsOneClient(t *testing.T) {
	for _, workers := range []int{0, 1, 2, 3} {
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			const streams, topics = 23, 5
			b := newBroadcaster(t)
			c := workerCrowd(t, load.Config{Subscribe: b.url, Topics: topics, KeepIDs: true,
				Slow: load.Slow{Share: 1.0 / 11}}, workers)
			if n := c.Processes(); n != max(1, workers) {
				t.Errorf("expected %d processes, found %d", max(1, workers), n)
			}
			for _, n := range []int{7, streams - 7} {
				// in two parts, neither of which every worker has a like share of
				if err := c.Open(t.Context(), n, 0); err != nil {
					t.Fatal(err)
				}
			}
			asked := make(map[string]string)
			for i := range streams {
				if number := fmt.Sprint(i); number != refusedStream {
					asked[number] = fmt.Sprint(i % topics)
				}
			}
			b.mu.Lock()
			if !maps.Equal(b.asked, asked) {
				t.Errorf("expected topics by stream %v, found %v", asked, b.asked)
			}
			b.mu.Unlock()
			causes, err := c.Causes()
			if err != nil || len(causes) != 1 ||
				causes[`expected HTTP/1.1 200, found "HTTP/1.1 503 Service Unavailable": full`] !=
					1 {
				t.Errorf("%v: found %v", err, causes)
			}

			b.publish(topics)
			b.publish(2) // to topics 0 and 1
			got := until(t, c, func(now load.Totals) bool {
				return now.Events >= quickEvents(streams, topics)
			})
			if got.Opened != 22 || got.Live != 22 || got.Failed != 1 || got.Ended != 0 ||
				got.Duplicates+got.Late+got.Unsorted+got.Misdelivered+got.Damaged != 0 {
				t.Errorf("found %+v", got)
			}
			latency, first, err := c.Times(true)
			if err != nil || latency.TotalCount() != int64(quickEvents(streams, topics)) ||
				first.TotalCount() != streams-1 {
				t.Errorf("%v: found times of %d events and %d streams", err, latency.TotalCount(),
					first.TotalCount())
			}
			if latency, _, err = c.Times(false); err != nil || latency.TotalCount() != 0 {
				t.Errorf("%v: found times of %d events after a reset", err, latency.TotalCount())
			}
			published := []load.Published{{Sure: 2}, {Sure: 2}, {Sure: 1}, {Sure: 1}, {Sure: 1}}
			v, err := c.Verify(published)
			if err != nil || v.Normal.Streams != 20 || v.Normal.Exact != 20 ||
				v.Slow.Streams != 2 || v.Slow.Short != 2 || v.Behind != 2 {
				t.Errorf("%v: found %+v", err, v)
			}
			if err := c.ReadNormally(); err != nil {
				t.Fatal(err)
			}
			all := until(t, c, func(now load.Totals) bool {
				return now.Events >= allEvents(streams, topics)
			})
			if all.Events != allEvents(streams, topics) {
				t.Errorf("expected %d events, found %d", allEvents(streams, topics), all.Events)
			}

			dropped, err := c.Drop(10)
			if err != nil || dropped != 10 {
				t.Errorf("%v: dropped %d", err, dropped)
			}
			until(t, c, func(now load.Totals) bool { return now.Live == 12 })
			b.publish(topics)
			if err := c.Reopen(0); err != nil {
				t.Fatal(err)
			}
			until(t, c, func(now load.Totals) bool {
				return now.Live == 22 && now.Events == all.Events+22
			})
			for i := range published {
				published[i].Sure++
			}
			v, err = c.Verify(published)
			if err != nil || v.Normal.Exact != 20 || v.Slow.Exact != 2 || v.Behind != 0 ||
				v.Normal.Expected+v.Slow.Expected != all.Events+22 {
				t.Errorf("%v: found %+v", err, v)
			}
			b.mu.Lock()
			if b.resumed != 10 {
				t.Errorf("expected 10 streams that resumed, found %d", b.resumed)
			}
			b.mu.Unlock()
			if dropped, err = c.Drop(100); err != nil || dropped != 22 {
				t.Errorf("%v: dropped %d of 22", err, dropped)
			}
			if _, err := c.Verify(published[:4]); err == nil ||
				!strings.Contains(err.Error(), "5 topics, found 4") {
				t.Errorf("found %v", err)
			}
		})
	}
}

// allEvents is what the streams get of one event to each topic and one more to topics 0 and 1.
func allEvents(streams, topics int) (n uint64) {
	for i := range streams {
		if fmt.Sprint(i) != refusedStream {
			n += eventsOf(i % topics)
		}
	}
	return n
}

// quickEvents is what those of them get that are not slow.
func quickEvents(streams, topics int) uint64 {
	n := allEvents(streams, topics)
	for _, i := range []int{0, 13} {
		n -= eventsOf(i % topics)
	}
	return n
}

func eventsOf(topic int) uint64 {
	if topic < 2 {
		return 2
	}
	return 1
}

// TestCloseEndsTheWorkers and leaves none behind, nor a zombie.
func TestCloseEndsTheWorkers(t *testing.T) {
	before := len(children(t))
	b := newBroadcaster(t)
	c := workerCrowd(t, load.Config{Subscribe: b.url}, 3)
	if err := c.Open(t.Context(), 4, 0); err != nil {
		t.Fatal(err)
	}
	if now := len(children(t)); now != before+3 {
		t.Errorf("expected 3 more children than %d, found %d", before, now)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if now := len(children(t)); now != before {
		t.Errorf("expected %d children, found %d", before, now)
	}
}

// TestAWorkerThatIsKilled is named by every call, and none hangs.
func TestAWorkerThatIsKilled(t *testing.T) {
	before := children(t)
	b := newBroadcaster(t)
	c := workerCrowd(t, load.Config{Subscribe: b.url}, 2)
	if err := c.Open(t.Context(), 4, 0); err != nil {
		t.Fatal(err)
	}
	victim := 0
	for _, pid := range children(t) {
		if !strings.Contains(fmt.Sprint(before), fmt.Sprint(pid)) {
			victim = pid
		}
	}
	waits := make(chan error, 1)
	ctx, cancel := context.WithTimeoutCause(t.Context(), workerPatience,
		fmt.Errorf("the wait hung"))
	defer cancel()
	go func() { waits <- c.Wait(ctx, func(load.Totals) bool { return false }) }()
	if err := syscall.Kill(victim, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	says := fmt.Sprintf("worker %d, with its streams, is gone (signal: killed)", victim)
	check := func(what string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: expected %q, found %v", what, says, err)
		}
	}
	check("Wait", <-waits)
	_, err := c.Totals()
	check("Totals", err)
	_, err = c.Causes()
	check("Causes", err)
	_, err = c.Verify(make([]load.Published, 1))
	check("Verify", err)
	check("Open", c.Open(t.Context(), 4, 0))
	check("Reopen", c.Reopen(0))
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if now := children(t); len(now) != len(before) {
		t.Errorf("expected children %v, found %v", before, now)
	}
}

// TestWorkersThatCannotBe say why.
func TestWorkersThatCannotBe(t *testing.T) {
	before := len(children(t))
	t.Setenv(asWorker, "1")
	t.Setenv("GORACE", "atexit_sleep_ms=10")
	good := load.Config{Subscribe: "http://127.0.0.1:1/"}
	for _, c := range []struct {
		config  load.Config
		command []string
		says    string
	}{
		{load.Config{Subscribe: "nowhere"}, []string{os.Args[0]}, "http://"},
		{good, nil, "no command"},
		{good, []string{"/nowhere/at/all"}, "no such file"},
		{good, []string{"false"}, "exit status 1"},
	} {
		_, err := load.NewCrowd(c.config, 2, load.Workers{Command: c.command, Count: 2})
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v: expected %q, found %v", c.command, c.says, err)
		}
	}
	if now := len(children(t)); now != before {
		t.Errorf("expected %d children, found %d", before, now)
	}
}

// TestAWorkerEndsWithItsInput, whatever ended its parent.
func TestAWorkerEndsWithItsInput(t *testing.T) {
	in, parent := io.Pipe()
	_, out := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- load.ServeWorker(in, out) }()
	parent.Close()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(workerPatience):
		t.Error("it goes on")
	}
}
