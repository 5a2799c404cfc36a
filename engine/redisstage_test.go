package engine_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The phases of a trial.
const (
	calm   = iota // all is well
	fault         // something is wrong, though events are still acknowledged
	outage        // perhaps they are not
	mended        // all is well again
	ending        // nothing more is published
	phases
)

// stage is edges, publishers and witnesses, and what is known of them. The test moves the phases,
// and ends with finish.
type stage struct {
	t       *testing.T
	seed    seed
	edges   []*server
	servers func() []*redisServer // those that may know what was kept
	ordered bool
	may     map[string]bool
	early   time.Duration
	phases  [phases]chan struct{}
	closed  chan struct{}
	now     int

	publishers, clients sync.WaitGroup
	witnesses           []*witness

	mu    sync.Mutex
	acked map[string][]receipt
	tried map[string]bool
	said  int // events of say
}

func newStage(t *testing.T, servers []*redisServer, edges ...*server) *stage {
	s := &stage{
		t: t, seed: newSeed(t), edges: edges, servers: func() []*redisServer { return servers },
		closed: make(chan struct{}), early: oldest,
		acked: map[string][]receipt{}, tried: map[string]bool{},
	}
	for k := range s.phases {
		s.phases[k] = make(chan struct{})
	}
	close(s.phases[calm])
	t.Cleanup(func() { // also when a test ends in its middle
		for s.now < ending {
			s.enter(s.now + 1)
		}
		if !over(s.closed) {
			close(s.closed)
		}
		s.clients.Wait()
		s.publishers.Wait()
	})
	return s
}

// enter begins a phase.
func (s *stage) enter(phase int) {
	s.now = phase
	close(s.phases[phase])
}

// follow starts a witness.
func (s *stage) follow(name string, slow bool, topics []string, stays ...stay) {
	w := &witness{stage: s, stay: stays, slow: slow,
		record: record{name: fmt.Sprintf("%s of %s at %d", name, strings.Join(topics, "+"),
			stays[0].edge), topics: topics}}
	s.witnesses = append(s.witnesses, w)
	s.clients.Add(1)
	go w.live()
}

// crowd is one witness of each kind for each edge, of the same topics.
func (s *stage) crowd(topics ...string) {
	for e := range s.edges {
		o := (e + 1) % len(s.edges)
		s.follow("constant", false, topics, stay{edge: e})
		s.follow("slow", true, topics, stay{edge: e})
		s.follow("away", false, topics, stay{edge: e, until: fault}, stay{edge: e, from: mended})
		s.follow("away, and elsewhere", false, topics, stay{edge: e, until: fault},
			stay{edge: o, from: mended})
		s.follow("away later", false, topics, stay{edge: e, until: outage},
			stay{edge: e, from: mended})
		s.follow("away later, and elsewhere", false, topics, stay{edge: e, until: outage},
			stay{edge: o, from: mended, after: 300 * time.Millisecond})
		s.follow("back at once", false, topics, stay{edge: e, until: fault},
			stay{edge: e, from: outage})
		s.follow("back soon, and elsewhere", false, topics, stay{edge: e, until: fault},
			stay{edge: o, from: outage, after: 1500 * time.Millisecond})
		s.follow("fresh at the fault", false, topics, stay{edge: e, from: fault})
		s.follow("fresh at the outage", false, topics, stay{edge: e, from: outage})
		s.follow("fresh at the outage, and elsewhere", false, topics,
			stay{edge: e, from: outage, until: mended},
			stay{edge: o, from: mended, after: 200 * time.Millisecond})
		s.follow("fresh", false, topics, stay{edge: e, from: mended})
	}
}

// settled waits until every witness that comes in the beginning has an id.
func (s *stage) settled() {
	s.t.Helper()
	for _, w := range s.witnesses {
		if w.stay[0].from == calm {
			await(s.t, w.record.name+" to have begun", func() (bool, string) {
				w.mu.Lock()
				defer w.mu.Unlock()
				return w.lastID != "", ""
			})
		}
	}
}

// caughtUp waits until all topics are live at all edges.
func (s *stage) caughtUp() {
	s.t.Helper()
	for _, e := range s.edges {
		await(s.t, "all topics to be live", func() (bool, string) {
			m := e.metrics(s.t)
			return m[`ssedge_redis_topics{state="live"}`] == m["ssedge_topics"],
				fmt.Sprint(m[`ssedge_redis_topics{state="live"}`], " of ", m["ssedge_topics"])
		})
	}
}

// publish publishes events at one edge until the end, whether they are acknowledged or not.
func (s *stage) publish(topic string, edge int, pause time.Duration, size int) {
	by := fmt.Sprint("p", edge)
	rng := s.seed.of(by + " of " + topic)
	s.publishers.Add(1)
	go func() {
		defer s.publishers.Done()
		for n := 0; ; n++ {
			select {
			case <-s.phases[ending]:
				return
			case <-time.After(about(rng, pause)):
			}
			s.attempt(by, topic, n, edge, size)
		}
	}()
}

// say publishes one event to each topic, at one edge, until each is acknowledged.
func (s *stage) say(edge int, topics ...string) {
	s.t.Helper()
	for _, topic := range topics {
		await(s.t, "an event of "+topic+" to be acknowledged", func() (bool, string) {
			s.said++
			err := s.attempt(fmt.Sprint("said", edge), topic, s.said, edge, 0)
			return err == nil, fmt.Sprint(err)
		})
	}
}

// grace is how long missing events may still come at the end.
const grace = 10 * time.Second

// finish ends publishing, waits until every witness has everything, and judges. It returns what the
// judge has counted.
func (s *stage) finish() map[string]int {
	s.t.Helper()
	s.enter(ending)
	s.publishers.Wait()
	topics := map[string]bool{}
	for _, w := range s.witnesses {
		for _, topic := range w.record.topics {
			topics[topic] = true
		}
	}
	for _, topic := range slices.Sorted(maps.Keys(topics)) {
		s.say(len(s.edges)-1, topic)
	}
	for e := range s.edges { // what an edge has, even if it was sent to no witness
		for topic := range topics {
			w := &witness{stage: s, stay: []stay{{edge: e}},
				record: record{name: fmt.Sprintf("earliest of %s at %d", topic, e),
					topics: []string{topic}}, lastID: "earliest"}
			s.witnesses = append(s.witnesses, w)
			s.clients.Add(1)
			go w.live()
		}
	}
	kept := s.kept(slices.Sorted(maps.Keys(topics)))
	var verdicts []verdict
	for deadline := time.Now().Add(grace); ; time.Sleep(100 * time.Millisecond) {
		missing := 0
		verdicts = s.judge(kept)
		for _, v := range verdicts {
			missing += len(v.missing)
		}
		if missing == 0 || time.Now().After(deadline) {
			break
		}
	}
	time.Sleep(100 * time.Millisecond) // what comes twice comes late
	verdicts = s.judge(kept)
	close(s.closed)
	s.clients.Wait()
	return s.report(verdicts)
}

// judge judges all witnesses by what is known now.
func (s *stage) judge(kept map[string]map[string]bool) (all []verdict) {
	var records []record
	for _, w := range s.witnesses {
		records = append(records, w.copy())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	tr := &trial{acked: s.acked, tried: s.tried, kept: kept, may: s.may, early: s.early,
		ordered: s.ordered}
	for range s.edges {
		tr.heard = append(tr.heard, map[string]bool{})
	}
	for _, r := range records {
		for _, v := range r.visits {
			for _, m := range v.got {
				tr.heard[v.edge][m.data] = true
			}
		}
	}
	for i := range records {
		if !strings.HasPrefix(records[i].name, "earliest") {
			// those tell what their edge has, whenever it was published
			all = append(all, tr.judge(&records[i]))
		}
	}
	return all
}

// report logs what was found: the first fault of each witness.
func (s *stage) report(all []verdict) map[string]int {
	s.t.Helper()
	notes, wrong, faults := map[string]int{}, 0, 0
	for _, v := range all {
		for what, n := range v.notes {
			notes[what] += n
		}
		found := slices.Concat(v.faults, v.missing)
		if len(found) == 0 {
			continue
		}
		faults += len(found)
		if wrong++; wrong <= 20 {
			s.t.Errorf("%.300s (and %d more)", found[0], len(found)-1)
		}
	}
	if wrong > 0 {
		s.t.Errorf("%d faults, at %d of %d witnesses", faults, wrong, len(all))
	}
	acked, sent := 0, 0
	for _, all := range s.acked {
		acked += len(all)
	}
	for _, w := range s.witnesses {
		for _, v := range w.record.visits {
			sent += len(v.got)
		}
	}
	s.t.Logf("%d events were acknowledged; %d witnesses were sent %d; %v", acked, len(s.witnesses),
		sent, notes)
	s.show(os.Getenv("WITNESS"))
	if sent == 0 {
		s.t.Error("no witness was sent anything: the test shows nothing")
	}
	return notes
}

// show logs what was sent to the witnesses whose names contain this text (WITNESS='slow of bulk').
func (s *stage) show(name string) {
	for _, w := range s.witnesses {
		if name == "" || !strings.Contains(w.record.name, name) {
			continue
		}
		s.t.Log(w.record.name)
		for _, v := range w.record.visits {
			s.t.Logf("  at edge %d from %s, behind %q", v.edge, v.head.Format("05.000"), v.resumed)
			for _, m := range v.got {
				s.t.Logf("    %s %s %.150s %s", m.at.Format("05.000"), m.name, m.data, m.id)
			}
		}
	}
}

// kept reads each topic's history at the servers.
func (s *stage) kept(topics []string) map[string]map[string]bool {
	s.t.Helper()
	servers := s.servers()
	at := slices.IndexFunc(servers, (*redisServer).lives)
	if at < 0 {
		s.t.Fatal("no server lives")
	}
	all := map[string]map[string]bool{}
	for _, topic := range topics {
		text, err := exec.Command("redis-cli", "-c", "-p", servers[at].port, "--json", "XRANGE",
			"sse:"+topic, "-", "+").Output()
		var elements [][]any // an id, and fields with their values
		if err == nil {
			err = json.Unmarshal(text, &elements)
		}
		if err != nil {
			s.t.Fatalf("the history of %s: %v: %.200s", topic, err, text)
		}
		all[topic] = map[string]bool{}
		for _, e := range elements {
			fields := e[1].([]any)
			for k := 0; k+1 < len(fields); k += 2 {
				if fields[k] == "d" {
					all[topic][fields[k+1].(string)] = true
				}
			}
		}
	}
	return all
}

// forgotten counts the acknowledged events that the servers no longer have.
func (s *stage) forgotten(topics ...string) (n int) {
	s.t.Helper()
	kept := s.kept(topics)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, topic := range topics {
		for _, r := range s.acked[topic] {
			if !kept[topic][r.data] {
				n++
			}
		}
	}
	return n
}
