package baseline

import (
	"testing"
	"time"
)

func TestEveryStreamGetsOneHeartbeatInAnInterval(t *testing.T) {
	r := newRig(t)
	var clients []*client
	for i := range 40 {
		clients = append(clients, r.subscribe(string(rune('a'+i%3))))
	}
	for i := range beatsPerInterval {
		if i == beatsPerInterval/2 { // one goes and another comes in its middle
			clients[20].Close()
			r.until(func() bool { return r.streams() == len(clients)-1 })
			r.subscribe("a")
		}
		r.beat()
	}
	r.server.post(r.thread, []byte("a"), []byte("x"))
	r.server.post(r.thread, []byte("b"), []byte("x"))
	r.server.post(r.thread, []byte("c"), []byte("x"))
	r.take()
	for i, c := range clients {
		if i != 20 {
			c.expect(string(heartbeat) + "data: x\n")
		}
	}
}

func TestHeartbeatsComeInTime(t *testing.T) {
	const interval, beats = 50 * time.Millisecond, 6
	s, _ := serve(t, Config{Threads: 3, Heartbeat: interval})
	began := time.Now()
	var clients []*client
	for range 30 {
		clients = append(clients, subscribe(t, s.Addr(), "a"))
	}
	opened := time.Now()
	for _, c := range clients {
		for range beats {
			c.expect(string(heartbeat))
		}
	}
	// The first of a stream may come at once.
	if took := time.Since(began); took < (beats-1)*interval {
		t.Errorf("%d heartbeats after %v", beats, took)
	}
	if took := time.Since(opened); took > patience/10 {
		t.Errorf("%d heartbeats only after %v", beats, took)
	}
}
