package twin

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

const patience = 30 * time.Second

// twin is a server that runs until the test ends.
type twin struct {
	t       *testing.T
	url     string
	stopped func() error // stops it, and is what Serve said
}

func serve(t *testing.T, c Config) twin {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	said := make(chan error, 1)
	go func() { said <- Serve(ctx, l, c) }()
	stopped := sync.OnceValue(func() error {
		cancel()
		return <-said
	})
	t.Cleanup(func() {
		if err := stopped(); err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return twin{t, "http://" + l.Addr().String(), stopped}
}

// subscribe opens a stream; the function it returns reads up to the next blank line.
func (w twin) subscribe(topic string) (next func() (string, error), end func()) {
	w.t.Helper()
	response, err := http.Get(w.url + "/events?topic=" + topic)
	if err != nil {
		w.t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK || response.ContentLength != -1 ||
		response.TransferEncoding != nil {
		w.t.Fatalf("expected 200 and a body that ends with the connection, found %s, %v",
			response.Status, response.TransferEncoding)
	}
	lines := bufio.NewReader(response.Body)
	next = func() (string, error) {
		text := ""
		for {
			line, err := lines.ReadString('\n')
			text += line
			if line == "\n" || err != nil {
				return text, err
			}
		}
	}
	if preamble, err := next(); preamble != streamPreamble {
		w.t.Fatalf("expected %q, found %q, %v", streamPreamble, preamble, err)
	}
	return next, func() { response.Body.Close() }
}

func (w twin) publish(topic, data string) int {
	w.t.Helper()
	response, err := http.Post(w.url+"/publish?topic="+topic, "application/octet-stream",
		strings.NewReader(data))
	if err != nil {
		w.t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

func TestEveryStreamGetsTheEventsOfItsTopicOnceAndInOrder(t *testing.T) {
	const streams, events = 50, 200
	w := serve(t, Config{})
	var all sync.WaitGroup
	for i := range streams {
		topic := fmt.Sprint("t", i%2)
		next, _ := w.subscribe(topic)
		all.Go(func() {
			last := ""
			for n := range events {
				text, err := next()
				id := strings.TrimPrefix(text, fmt.Sprintf("data: %s %d\nid: ", topic, n))
				if err != nil || id == text {
					t.Errorf("stream %d: expected event %d, found %q, %v", i, n, text, err)
					return
				}
				if len(id) < len(last) || len(id) == len(last) && id <= last {
					t.Errorf("stream %d: id %q after %q", i, id, last)
				}
				last = id
			}
		})
	}
	for n := range events {
		for topic := range 2 {
			if status := w.publish(fmt.Sprint("t", topic),
				fmt.Sprintf("t%d %d", topic, n)); status != http.StatusOK {
				t.Fatal(status)
			}
		}
	}
	all.Wait()
}

func TestAStreamThatHasGoneHoldsNoOtherUp(t *testing.T) {
	w := serve(t, Config{})
	_, end := w.subscribe("a")
	next, _ := w.subscribe("a")
	end()
	for n := range 4 * queueEvents {
		w.publish("a", fmt.Sprint(n))
		if text, err := next(); !strings.HasPrefix(text, fmt.Sprintf("data: %d\n", n)) {
			t.Fatalf("expected event %d, found %q, %v", n, text, err)
		}
	}
}

func TestHeartbeatsComeInTime(t *testing.T) {
	const interval, beats = 20 * time.Millisecond, 5
	w := serve(t, Config{Heartbeat: interval})
	began := time.Now()
	next, _ := w.subscribe("a")
	for range beats {
		if text, err := next(); text != string(comment) {
			t.Fatalf("expected a heartbeat, found %q, %v", text, err)
		}
	}
	if took := time.Since(began); took < (beats-1)*interval {
		t.Errorf("%d heartbeats after %v", beats, took)
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	w := serve(t, Config{})
	next, _ := w.subscribe("a")
	if err := w.stopped(); err != nil {
		t.Error(err)
	}
	if text, err := next(); err == nil {
		t.Errorf("the stream goes on with %q", text)
	}
	if _, err := http.Get(w.url); err == nil {
		t.Error("the server still listens")
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	w := serve(t, Config{})
	if status := w.publish("", "x"); status != http.StatusBadRequest {
		t.Error("no topic: ", status)
	}
	if status := w.publish("a",
		strings.Repeat("x", dataBytesMax+1)); status != http.StatusBadRequest {
		t.Error("too much data: ", status)
	}
	if status := w.publish("a", strings.Repeat("x", dataBytesMax)); status != http.StatusOK {
		t.Error("the most there may be: ", status)
	}
	response, err := http.Get(w.url + "/events")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusBadRequest {
		t.Error("a stream without a topic: ", response.Status)
	}
}
