package engine_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// history is what the servers have of a topic.
type history struct {
	first string // the oldest id; what is before it was let go
	ids   map[string]string
}

// has reports whether an event is there, or has been.
func (h *history) has(e event) bool {
	return h.ids[e.id] == e.data || h.first != "" && idLess(e.id, h.first)
}

// kept reads the topics' histories, in which nothing may stand twice (I5).
func (x *tier) kept() map[string]*history {
	x.t.Helper()
	at := slices.IndexFunc(x.servers, (*redisServer).lives)
	if at < 0 {
		x.t.Fatal("no server lives")
	}
	all := map[string]*history{}
	for topic := range x.acked {
		h := &history{ids: map[string]string{}}
		seen := map[string]string{} // ids by data
		// A line for each id, and for the names and values of four fields; the last value is empty,
		// and trimmed.
		lines := strings.Split(x.servers[at].cli("-c", "XRANGE", keyBy(x.way, topic), "-", "+"),
			"\n")
		for k := 0; k+6 < len(lines); k += 9 {
			id, data := lines[k], lines[k+6]
			if !strings.HasPrefix(data, topic) {
				x.t.Fatalf("the history of %s has %q", topic, lines[k:min(k+9, len(lines))])
			}
			if other := seen[data]; other != "" {
				x.t.Errorf("I5: %s was published twice, as %s and as %s", data, other, id)
			}
			if h.first == "" {
				h.first = id
			}
			h.ids[id], seen[data] = data, id
		}
		all[topic] = h
	}
	return all
}

// lives reports whether it answers.
func (r *redisServer) lives() bool { return r.cli("PING") == "PONG" }

// subscribed are the channels of topics that are subscribed at a server, each as often as it is.
func (r *redisServer) subscribed() (all []string) {
	for _, kind := range []string{"", "SHARD"} {
		channels := strings.Fields(r.cli("PUBSUB", kind+"CHANNELS", "sse:*"))
		if len(channels) == 0 {
			continue
		}
		counts := strings.Fields(r.cli(append([]string{"PUBSUB", kind + "NUMSUB"}, channels...)...))
		for k := 0; k+1 < len(counts); k += 2 {
			n, _ := strconv.Atoi(counts[k+1])
			all = append(all, slices.Repeat(counts[k:k+1], n)...)
		}
	}
	return all
}

// followed checks that what is subscribed at the servers is what the edges follow, each topic once
// by each edge, and that edges in processes of their own have no more goroutines than they began
// with.
func (x *tier) followed() {
	x.t.Helper()
	topics := map[string]bool{}
	for _, r := range x.readers {
		topics["sse:"+r.topic] = true
	}
	await(x.t, "what is followed to be subscribed, and nothing else", func() (bool, string) {
		var all []string
		for _, r := range x.servers {
			if r.lives() {
				all = append(all, r.subscribed()...)
			}
		}
		subscriptions, follows := len(all), 0
		for _, s := range x.edges {
			follows += int(s.metrics(x.t)["ssedge_topics"])
		}
		slices.Sort(all)
		all = slices.Compact(all)
		return subscriptions == follows && len(all) == len(topics) &&
				!slices.ContainsFunc(all, func(c string) bool { return !topics[c] }),
			fmt.Sprintf(
				"%d subscriptions and %d topics of edges; the channels %v, and the topics %v",
				subscriptions, follows, all, topics)
	})
	for s, before := range x.counted {
		await(x.t, fmt.Sprintf("at most %v goroutines and %d more", before, goroutinesMore),
			func() (bool, string) {
				now := s.metrics(x.t)["go_goroutines"]
				return now <= before+goroutinesMore, fmt.Sprint(now)
			})
	}
}

// goroutinesMore is how many more goroutines an edge may have in the end: the client library has
// some for each connection, and not as many when it has just begun.
const goroutinesMore = 8

// process adds an edge in a process of its own, whose goroutines are counted.
func (x *tier) process(url string) {
	x.t.Helper()
	p := edgeProcess(x.t, url)
	eventually(x.t, "it is connected", func() bool {
		return p.metrics(x.t)["ssedge_redis_up"] == 1
	})
	x.edges = append(x.edges, &p.server)
	x.counted[&p.server] = p.metrics(x.t)["go_goroutines"]
}
