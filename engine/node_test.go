package engine_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"ssedge/engine"
)

// patience is how long a test waits for what must happen. Nothing takes that long
// unless it never comes.
const patience = 40 * time.Second

// pick returns the size of a load: of a normal run, of one under the race detector, of a short one.
func pick(normal, race, short int) int {
	switch {
	case testing.Short():
		return short
	case raced:
		return race
	}
	return normal
}

// server is a node seen from outside, in this process or another.
type server struct {
	addr, admin string
	http        *http.Client
}

func newServer(addr, admin string) server {
	return server{addr, admin, &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64},
		Timeout: patience}}
}

// node is a server in this process.
type node struct {
	server
	engine *engine.Engine
}

// startNode serves a development node with the defaults, changed, until the test ends.
func startNode(t testing.TB, change func(*engine.Config)) *node {
	t.Helper()
	c := engine.DefaultConfig()
	c.Dev = true
	c.Listen, c.Admin = []string{"127.0.0.1:0"}, "127.0.0.1:0"
	c.Logger = slog.New(slog.DiscardHandler)
	c.Retry, c.RetryJitter = time.Second, 0
	if change != nil {
		change(&c)
	}
	e, err := engine.New(c)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(e.Close)
	if err := e.Start(); err != nil {
		t.Fatalf("Start: %v", err)
	}
	n := &node{newServer(e.Addrs()[0].String(), e.AdminAddr().String()), e}
	t.Cleanup(n.http.CloseIdleConnections)
	return n
}

// get returns the status and body of an answer.
func (s *server) get(t testing.TB, address, path string) (int, string) {
	t.Helper()
	got, err := s.http.Get("http://" + address + path)
	if err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
	return got.StatusCode, string(body)
}

// post publishes data; the answer is the event's id.
func (s *server) post(topic, data string) (id string, _ error) {
	got, err := s.http.Post("http://"+s.addr+"/publish?topic="+url.QueryEscape(topic), "text/plain",
		strings.NewReader(data))
	if err != nil {
		return "", err
	}
	defer got.Body.Close()
	var said struct{ ID, Error string }
	if err := json.NewDecoder(got.Body).Decode(&said); err != nil {
		return "", err
	}
	if got.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", got.Status, said.Error)
	}
	return said.ID, nil
}

func (s *server) publish(t testing.TB, topic, data string) (id string) {
	t.Helper()
	id, err := s.post(topic, data)
	if err != nil {
		t.Fatalf("publishing: %v", err)
	}
	return id
}

// publishAll publishes many events in one request.
func (s *server) publishAll(t testing.TB, topic string, data []string) []event {
	t.Helper()
	var body bytes.Buffer
	for _, d := range data {
		line, _ := json.Marshal(map[string]string{"topic": topic, "data": d})
		body.Write(append(line, '\n'))
	}
	got, err := s.http.Post("http://"+s.addr+"/publish", "application/x-ndjson", &body)
	if err != nil {
		t.Fatalf("publishing: %v", err)
	}
	defer got.Body.Close()
	var all []event
	for lines := bufio.NewScanner(got.Body); lines.Scan(); {
		var said struct{ ID, Error string }
		if err := json.Unmarshal(lines.Bytes(), &said); err != nil || said.ID == "" {
			t.Fatalf("publishing: %s", lines.Bytes())
		}
		all = append(all, event{said.ID, data[len(all)]})
	}
	if len(all) != len(data) {
		t.Fatalf("published %d events, got %d receipts", len(data), len(all))
	}
	return all
}

// metrics reads /metrics: name with labels → value.
func (s *server) metrics(t testing.TB) map[string]float64 {
	t.Helper()
	_, text := s.get(t, s.admin, "/metrics")
	all := map[string]float64{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if i := strings.LastIndexByte(line, ' '); i > 0 && line[0] != '#' {
			v, err := strconv.ParseFloat(line[i+1:], 64)
			if err != nil {
				t.Fatalf("metric %q: %v", line, err)
			}
			all[line[:i]] = v
		}
	}
	return all
}

// total adds up a metric over its labels.
func total(all map[string]float64, name string) (sum float64) {
	for k, v := range all {
		if k == name || strings.HasPrefix(k, name+"{") {
			sum += v
		}
	}
	return sum
}

// awaitStreams waits until the node holds exactly n streams.
func (s *server) awaitStreams(t testing.TB, n int) {
	t.Helper()
	await(t, fmt.Sprintf("%d streams", n), func() (bool, string) {
		now := total(s.metrics(t), "ssedge_streams")
		return now == float64(n), fmt.Sprintf("%v streams", now)
	})
}

// await waits until a condition holds; it says what was seen last if that never happens.
func await(t testing.TB, what string, holds func() (bool, string)) {
	t.Helper()
	for began := time.Now(); ; lookAgain(began) {
		ok, seen := holds()
		if ok {
			return
		}
		if time.Since(began) > patience {
			t.Fatalf("expected %s, found %s", what, seen)
		}
	}
}

// lookAgain waits until something is looked at again: at first often, then seldom, for a look may
// take much of the machine.
func lookAgain(began time.Time) {
	time.Sleep(min(2*time.Millisecond+time.Since(began)/10, 100*time.Millisecond))
}

// openFiles counts the descriptors of a process; "self" is this one.
func openFiles(t testing.TB, pid string) int {
	t.Helper()
	all, err := os.ReadDir("/proc/" + pid + "/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// refused reports whether nothing listens on an address.
func refused(addr string) bool {
	c, err := net.Dial("tcp", addr)
	if err == nil {
		c.Close()
	}
	return err != nil
}
