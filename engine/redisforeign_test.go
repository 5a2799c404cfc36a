package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ssedge/engine/fanin/redis"
)

// A message in a topic's channel that cannot be read is told as a gap, like an event that breaks
// the rule.
func TestForeignMessagesAreTold(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	n, client := edge(t, "redis://"+r.address(), by(redis.ByTopic)), r.dial(t)
	st := n.opened(t, topic("n"))
	for _, text := range []string{
		"\xff", "\x00hello", "\x00", "\x00s9 x", "\x00s1 ", "\x00s1 5-5 4-4 0\nx",
		"\x00s1 9999999999999-0 9999999999998-0 0\nx",
	} {
		last := n.publish(t, "n", "before")
		st.gets(t, "before")
		client.do("PUBLISH", "sse:n", text)
		m, err := st.next()
		if err != nil || m.Event != "gap" || m.LastEventID != last ||
			!strings.Contains(m.Data, `"from":"`+last+`","to":null,"cause":"missed"`) {
			t.Fatalf("%q: found %+v, %v", text, m, err)
		}
	}
	n.publish(t, "n", "behind")
	st.gets(t, "behind")
}

// An entry may claim to be the first of its stream, or to follow one that never existed: it does
// not hide what is before it.
func TestForeignEntriesHideNothing(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	url := "redis://" + r.address()
	for name, prev := range map[string]string{"first": "0-0", "old": "5-0",
		"new": "99999999999999-0"} {
		t.Run(name, func(t *testing.T) {
			a := edge(t, url, nil)
			begin := a.opened(t, topic(name)).decoder.LastEventID()
			ids := []string{begin, a.publish(t, name, "e0"), a.publish(t, name, "e1")}
			time.Sleep(5 * time.Millisecond)
			r.cli("XADD", "sse:"+name, "*", "p", prev, "e", "", "d", "foreign", "r", "")
			ids = append(ids, "earliest")
			for first := range ids { // what one reads at an edge stays there for the others
				n := edge(t, url, nil)
				for k := range ids {
					k = (first + k) % len(ids)
					want := append([]string{"e0", "e1"}[k%3:], "gap", "foreign")
					got := []string{}
					for st := n.opened(t, after(name, ids[k])); len(got) < len(want); {
						m, err := st.next()
						if err != nil {
							t.Fatalf("from %s: %v behind %v, expected %v", ids[k], err, got, want)
						}
						if m.Event == "gap" {
							m.Data = "gap"
						}
						if first == 3 && k == 0 && len(got) == 0 && m.Data == "gap" {
							// a client that asked for the earliest proves nothing
							continue
						}
						got = append(got, m.Data)
					}
					if fmt.Sprint(got) != fmt.Sprint(want) {
						t.Errorf("from %s, %d at its edge: %v, expected %v", ids[k], first, got,
							want)
					}
				}
			}
		})
	}
}

// An edge misses a topic's first events while its connection is lost. It does not take a foreign
// entry for the first one.
func TestAForeignEntryAfterAReconnect(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	relay := startRelay(t, r.address())
	cut, direct := edge(t, "redis://"+relay.address, nil), edge(t, "redis://"+r.address(), nil)
	st := cut.opened(t, topic("x"))
	relay.swallow(true)
	direct.publish(t, "x", "e0")
	direct.publish(t, "x", "e1")
	time.Sleep(5 * time.Millisecond)
	r.cli("XADD", "sse:x", "*", "p", "0-0", "e", "", "d", "foreign", "r", "")
	relay.swallow(false)
	relay.cut()
	st.gets(t, "e0", "e1")
	if m, err := st.next(); err != nil || m.Event != "gap" {
		t.Fatalf("found %+v, %v", m, err)
	}
	st.gets(t, "foreign")
}
