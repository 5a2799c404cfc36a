package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// An event that was published through an edge is forgotten by the servers before the edge has got
// it: what follows has the edge's newest event for predecessor. The edge's streams get the event or
// are told, for its publisher has its id.
func TestWhatAnEdgePublishedIsForgotten(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	n := edge(t, "redis://"+r.address(), nil)
	for k := range 4 {
		name := fmt.Sprint("x", k)
		st := n.opened(t, topic(name))
		n.publish(t, name, "kept")
		st.gets(t, "kept")
		r.cli("COPY", "sse:"+name, "older")
		r.cli("CLIENT", "KILL", "TYPE", "pubsub")
		id := n.publish(t, name, "forgotten")
		r.cli("RENAME", "older", "sse:"+name)
		n.publish(t, name, "next")
		told := false
		for {
			m, err := st.next()
			if err != nil {
				t.Fatal(err)
			}
			told = told || m.Data == "forgotten" || m.Event == "gap" && strings.Contains(m.Data, id)
			if m.Data == "next" {
				break
			}
		}
		if !told {
			t.Errorf("%s was published as %s; a stream neither got it nor was told", name, id)
		}
	}
}

// A topic without events has a time for its place, which is good at every edge.
func TestAQuietTopicIsResumedAnywhere(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := edge(t, "redis://"+r.address(), nil), edge(t, "redis://"+r.address(), nil)
	st := a.opened(t, topic("x"))
	at := st.decoder.LastEventID()
	st.reset()
	time.Sleep(100 * time.Millisecond)
	st = b.opened(t, after("x", at))
	b.publish(t, "x", "first")
	st.gets(t, "first")
	a.opened(t, after("x", at)).gets(t, "first")
}
