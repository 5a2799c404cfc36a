package engine_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// gets checks that these are the next events.
func (st *stream) gets(t testing.TB, data ...string) {
	t.Helper()
	for _, want := range data {
		m, err := st.next()
		if err != nil || m.Data != want {
			t.Fatalf("found %q %.100q (id %s), %v, expected %q", m.Event, m.Data, m.LastEventID,
				err, want)
		}
	}
}

func topic(name string) ask { return ask{topics: []string{name}} }

func after(name, id string) ask { return ask{topics: []string{name}, after: id} }

func TestTwoEdgesOneStream(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]func(*testing.T) (string, func(...string) string, string){
		"standalone": func(t *testing.T) (string, func(...string) string, string) {
			r := startRedis(t)
			return "redis://" + r.address(), r.cli, "PUBLISH"
		},
		"cluster": func(t *testing.T) (string, func(...string) string, string) {
			all := startCluster(t, 0)
			return clusterURL(all),
				func(arguments ...string) string {
					return all[0].cli(append([]string{"-c"}, arguments...)...)
				}, "SPUBLISH"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, cli, publish := url(t)
			a, b := edge(t, url, nil), edge(t, url, nil)
			for k := range 5 { // on several masters
				news := fmt.Sprintf("news %d {%%", k)
				onA, onB := a.opened(t, topic(news)), b.opened(t, topic(news))
				id := a.publish(t, news, "hello")
				onA.gets(t, "hello")
				onB.gets(t, "hello")
				if got := onB.decoder.LastEventID(); got != id {
					t.Errorf("id %s, published as %s", got, id)
				}
				cli(publish, strings.NewReplacer("%", "%25", "{", "%7B").Replace("sse:"+news),
					"raw")
				onA.gets(t, "raw")
				onB.gets(t, "raw")
				onA.reset()
				b.publish(t, news, "missed")
				b.publish(t, news, "missed too")
				onB.gets(t, "missed", "missed too")
				c := edge(t, url, nil)
				c.opened(t, after(news, onA.decoder.LastEventID())).gets(t, "missed", "missed too")
				m, err := c.opened(t, after(news, "5-5")).next()
				if err != nil || m.Event != "gap" || !strings.Contains(m.Data, `"from":"5-5"`) ||
					!strings.Contains(m.Data, `"cause":"expired"`) {
					t.Errorf("found %+v, %v", m, err)
				}
			}
		})
	}
}

// load is readers and publishers on some topics.
func (x *tier) load(topics, readers int, pause time.Duration) {
	if chaos {
		topics, readers = 5*topics, 2*readers
	} else {
		pause *= 6
	}
	for k := range topics {
		for range readers {
			x.follow(fmt.Sprint("topic", k))
		}
		x.publishTo(fmt.Sprint("topic", k), pause)
	}
}

func TestConnectionsAreKilled(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	url := "redis://" + r.address()
	x := newTier(t, []*redisServer{r}, edgeAt(t, url))
	x.process(url)
	x.load(5, 4, 2*time.Millisecond)
	for range rounds(pick(5, 2, 2), 15) {
		x.pause(300 * time.Millisecond)
		r.cli("CLIENT", "KILL", "TYPE", "pubsub")
		r.cli("CLIENT", "KILL", "TYPE", "normal")
	}
	if gaps := x.finish(); len(gaps) != 0 {
		t.Errorf("gaps were told: %q", gaps)
	}
	x.stayed()
}

// A server that hangs, and goes on: its process is stopped, or it is busy with one command.
// Publishers are told so in time.
func TestTheServerHangs(t *testing.T) {
	unraced(t) // TestConnectionsAreKilled
	t.Parallel()
	for how, hang := range map[string]func(*redisServer, time.Duration){
		"stopped": func(r *redisServer, d time.Duration) {
			r.signal(syscall.SIGSTOP)
			time.Sleep(d)
			r.signal(syscall.SIGCONT)
		},
		"busy": func(r *redisServer, d time.Duration) {
			r.cli("DEBUG", "SLEEP", fmt.Sprint(d.Seconds()))
		},
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			r := startRedis(t)
			url := "redis://" + r.address()
			x := newTier(t, []*redisServer{r}, edgeAt(t, url))
			x.process(url)
			x.load(5, 4, 2*time.Millisecond)
			for range rounds(1, 3) {
				x.pause(300 * time.Millisecond)
				done := make(chan struct{})
				go func() {
					hang(r, 2500*time.Millisecond)
					close(done)
				}()
				for _, s := range x.edges {
					refusesInTime(t, s, done)
				}
				<-done
			}
			if gaps := x.finish(); len(gaps) != 0 {
				t.Errorf("gaps were told: %q", gaps)
			}
			x.stayed()
		})
	}
}

// refusesInTime waits until an edge cannot publish, at most until it can again, and checks that it
// says so as it should.
func refusesInTime(t *testing.T, s *server, again <-chan struct{}) {
	t.Helper()
	for {
		select {
		case <-again:
			t.Error("an edge was never refused while the server hung")
			return
		default:
		}
		began := time.Now()
		answer, err := s.http.Post("http://"+s.addr+"/publish?topic=hangs", "text/plain",
			strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode == 200 {
			continue // it does not hang yet
		}
		if took := time.Since(began); answer.StatusCode != 503 ||
			answer.Header.Get("Retry-After") == "" || took > 2*time.Second {
			t.Errorf("publishing: %s after %v, Retry-After %q", answer.Status, took,
				answer.Header.Get("Retry-After"))
		}
		return
	}
}

// A server that forgets everything: what was missed meanwhile is told.
func TestTheServerStartsAgainEmpty(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	url := "redis://" + r.address()
	a := edge(t, url, nil)
	x := newTier(t, []*redisServer{r}, &a.server, edgeAt(t, url))
	x.mayLose = true
	x.load(3, 4, 2*time.Millisecond)
	x.pause(300 * time.Millisecond)
	r.kill()
	x.pause(300 * time.Millisecond)
	if code, body := a.get(t, a.admin, "/readyz"); code != 200 ||
		!strings.Contains(body, "degraded") {
		t.Errorf("/readyz says %d %s", code, body)
	}
	r.start()
	x.pause(time.Second)
	x.finish()
	x.stayed()
}
