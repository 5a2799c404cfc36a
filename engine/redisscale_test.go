package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// manyTopics opens streams of 500 topics each.
func manyTopics(t testing.TB, s *server, topics int) (all []*stream) {
	t.Helper()
	for first := 0; first < topics; first += 500 {
		all = append(all, s.open(t, manyTopicsOf(first)))
	}
	for _, st := range all {
		if err := st.opening(); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

var manyFlags = []string{"--topics-per-stream=500", "--target-bytes=65536", "--head-bytes=131072",
	"--topics-max=2000000"}

// Very many topics are subscribed again, and looked at, when their connection or their server was
// lost.
func TestManyTopicsAreFollowedAgain(t *testing.T) {
	unraced(t) // TestInterestComesAndGoes
	topics := pick(rounds(15_000, 100_000), 15_000, 10_000)
	r := startRedis(t, "--appendonly", "no")
	p := edgeProcess(t, "redis://"+r.address(), manyFlags...)
	began := time.Now()
	streams := manyTopics(t, &p.server, topics)
	t.Logf("%d topics: followed after %v", topics, time.Since(began).Round(time.Millisecond))
	live := func() bool {
		return p.metrics(t)[`ssedge_redis_topics{state="live"}`] == float64(topics)
	}
	eventually(t, "all are live", live)
	gets := func(data string) { // before the server goes that has it
		t.Helper()
		for {
			m, err := streams[0].next()
			switch {
			case err != nil:
				t.Fatal(err)
			case m.Data == data:
				return
			case m.Event != "gap" || !strings.Contains(m.Data, `"topic7"`) &&
				!strings.Contains(m.Data, `"topic9"`):
				// only those had something to forget
				t.Fatalf("found %+v, expected %s", m, data)
			}
		}
	}
	p.publish(t, "topic7", "before")
	gets("before")
	for _, how := range []string{"killed", "restarted"} {
		began = time.Now()
		switch how {
		case "killed":
			r.cli("CLIENT", "KILL", "TYPE", "pubsub")
		case "restarted":
			r.kill()
			r.start()
		}
		eventually(t, "it is noticed", func() bool {
			return p.metrics(t)[`ssedge_redis_topics{state="live"}`] != float64(topics)
		})
		eventually(t, "all are live again", live)
		t.Logf("%s: live again after %v", how, time.Since(began).Round(time.Millisecond))
		p.publish(t, "topic9", how)
		gets(how)
	}
}

// Very many topics whose subscribers come and go: what is subscribed in the end is exactly what has
// subscribers.
func TestInterestComesAndGoes(t *testing.T) {
	t.Parallel()
	topics := pick(rounds(40_000, 100_000), 5_000, 10_000)
	r := startRedis(t)
	p := edgeProcess(t, "redis://"+r.address(), append(manyFlags, "--redis-linger=1s")...)
	rng := newSeed(t).of("test")
	open := map[int]*stream{} // by the first of its topics
	for range 3 * topics / 500 {
		first := rng.IntN(topics/500) * 500
		if st := open[first]; st != nil {
			st.reset()
			delete(open, first)
			continue
		}
		open[first] = p.open(t, manyTopicsOf(first))
	}
	for first, st := range open {
		if err := st.opening(); err != nil {
			t.Fatalf("the stream of topics from %d: %v", first, err)
		}
	}
	want := 500 * len(open)
	eventually(t, "what has no subscriber is dropped", func() bool {
		return strings.Count(r.cli("PUBSUB", "CHANNELS", "sse:*")+"\n", "\n") == want &&
			p.metrics(t)["ssedge_topics"] == float64(want)
	})
	for first, st := range open {
		name := fmt.Sprint("topic", first+rng.IntN(500))
		p.publish(t, name, name)
		st.gets(t, name)
	}
}

func manyTopicsOf(first int) ask {
	a := ask{readBuffer: 32 << 10}
	for k := range 500 {
		a.topics = append(a.topics, fmt.Sprintf("topic%d", first+k))
	}
	return a
}
