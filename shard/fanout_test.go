package shard

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"ssedge/shard/sys/fake"
	"ssedge/shard/topic"
)

func budgeted(sends int) Config {
	c := patient()
	c.TurnSends = sends
	return c
}

// sendsOfTurn is how many sends one turn makes, and whether it was the last.
func (r *rig) sendsOfTurn() (sends int, idle bool) {
	before := r.kernel(0).Sends
	idle = r.turn()
	return r.kernel(0).Sends - before, idle
}

func TestABroadcastDelaysOthersByAFewTurns(t *testing.T) {
	r := newRig(t, 1, budgeted(200), topic.Config{})
	for range 10_000 {
		r.join("all", "", fake.Unlimited)
	}
	one, two := r.join("one", "", fake.Unlimited), r.join("two,one", "", fake.Unlimited)
	r.settle()
	r.publish("all", "x")
	r.turn()
	r.publish("one", "y")
	for turn := 1; len(one.data()) == 0 || len(two.data()) == 0; turn++ {
		if turn > 3 {
			t.Fatalf("not served after %d turns", turn)
		}
		if r.turn() {
			t.Fatal("the shard is idle in the middle of a pass")
		}
	}
	r.settle()
	if got := r.shards[0].stats.EventsOut.Load(); got != 10_002 {
		t.Errorf("%d events out, want 10002", got)
	}
}

func TestATurnKeepsItsBudget(t *testing.T) {
	for _, c := range []struct{ topics, streams int }{{1, 1000}, {1000, 1}, {10, 100}, {300, 3}} {
		r := newRig(t, 1, budgeted(100), topic.Config{})
		for topic := range c.topics {
			for range c.streams {
				r.join(fmt.Sprint(topic), "", fake.Unlimited)
			}
		}
		r.settle()
		for topic := range c.topics {
			r.publish(fmt.Sprint(topic), "x")
		}
		total, idle := 0, false
		for !idle {
			var sends int
			sends, idle = r.sendsOfTurn()
			if sends > 100 {
				t.Fatalf("%d topics of %d streams: %d sends in a turn of 100", c.topics, c.streams,
					sends)
			}
			total += sends
		}
		if total != c.topics*c.streams {
			t.Errorf("%d topics of %d streams: %d sends", c.topics, c.streams, total)
		}
	}
}

// Subscribers that cost no send, because their sockets are full, do not make a turn
// longer than its budget either.
func TestBlockedStreamsDelayOthersByAFewTurns(t *testing.T) {
	oneGoroutine(t)
	r := newRig(t, 1, budgeted(100), topic.Config{})
	for range 20_000 {
		r.join("all", "", 10)
	}
	one := r.join("one", "", fake.Unlimited)
	r.settle()
	r.publish("all", "x")
	looks := 0
	for turn := 1; ; turn++ {
		st := r.shards[0].states.at(0)
		before := int(st.next)
		idle := r.turn()
		if idle {
			break
		}
		if turn == 1 {
			r.publish("one", "y")
		}
		if turn == 3 && len(one.data()) == 0 {
			t.Error("not served after three turns")
		}
		if looks = int(st.next) - before; looks > 100*looksPerSend {
			t.Fatalf("%d looks in a turn of 100 sends", looks)
		}
	}
	if looks == 0 {
		t.Error("the pass was over in one turn")
	}
}

// A pass that spans turns goes on where it stopped, though there is something new
// for streams that had their share.
func TestTheEndOfAPassIsReachedHoweverFastEventsCome(t *testing.T) {
	r := newRig(t, 1, budgeted(100), topic.Config{})
	var all []*client
	for range 1000 {
		all = append(all, r.join("a", "", fake.Unlimited))
	}
	r.settle()
	for n := range 11 {
		r.publish("a", fmt.Sprint(n))
		r.turn()
	}
	for i, c := range all {
		if len(c.data()) == 0 {
			t.Fatalf("stream %d of 1000 has nothing after 11 turns of 100 sends", i)
		}
	}
}

// A budget of one send a turn, clients that come, go and break between all of
// them, and events in the middle of passes: each client that stays has each event exactly once.
func TestNoStreamIsSkippedOrServedTwiceInAPass(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 6))
		r := newRig(t, 1, budgeted(1+rng.IntN(4)), topic.Config{})
		topics := []string{"a", "a", "a,b", "b,a"}
		var all []*client
		first := map[*client]int{}
		published := 0
		for range 400 {
			switch rng.IntN(6) {
			case 0, 1:
				c := r.join(topics[rng.IntN(4)], "", fake.Unlimited)
				first[c] = published
				r.turn() // it is there from here on
				all = append(all, c)
			case 2:
				if len(all) > 0 {
					k := rng.IntN(len(all))
					if rng.IntN(2) == 0 {
						all[k].sock.HangUp()
					} else {
						all[k].sock.Reset()
					}
					all = append(all[:k], all[k+1:]...)
				}
			case 3:
				r.publish("a", fmt.Sprint(published))
				published++
			default:
				r.turn()
			}
		}
		r.settle()
		for _, c := range all {
			var want []string
			for n := first[c]; n < published; n++ {
				want = append(want, fmt.Sprint(n))
			}
			c.want(want...)
			c.sock.HangUp()
		}
		r.empty()
	}
}

// Logs of more segments than one system call takes, and sockets that stop at
// every piece and in its middle.
func TestMoreSegmentsThanPiecesOfASend(t *testing.T) {
	oneGoroutine(t)
	r := newRig(t, 1, patient(), topic.Config{})
	begin := map[string]string{}
	for _, topics := range []string{"a", "a,b"} {
		c := r.join(topics, "", fake.Unlimited)
		r.settle()
		c.read()
		begin[topics] = c.decoder.LastEventID()
		c.sock.HangUp()
	}
	var want []string
	long := strings.Repeat("x", 40_000)
	for n := range piecesMax + 100 {
		want = append(want, fmt.Sprint(n, long))
		r.publish("a", want[n])
	}
	for topics, id := range begin {
		for _, room := range []int{piecesMax * 40_100, fake.Unlimited, 20_000, 40_123,
			(piecesMax + 90) * 40_000} {
			c := r.join(topics, id, room)
			r.settle()
			for c.sock.Watches {
				c.sock.Free(1_234_567)
				r.settle()
			}
			if got := c.data(); strings.Join(got, " ") != strings.Join(want, " ") {
				t.Fatalf("%s, room %d: got %d events", topics, room, len(got))
			}
			c.sock.HangUp()
		}
	}
	r.empty()
}

// A stream with several topics is sent many small events in a few calls.
func TestABundleCatchesUpInBatches(t *testing.T) {
	r := newRig(t, 1, patient(), topic.Config{})
	c := r.join("a,b", "", fake.Unlimited)
	r.settle()
	before := r.kernel(0).Sends
	var want []string
	for n := range 2000 {
		r.publish("a", fmt.Sprint(n))
		want = append(want, fmt.Sprint(n))
	}
	r.settle()
	c.want(want...)
	if got := r.kernel(0).Sends - before; got > 2000/(batchPieces/2)+1 {
		t.Errorf("%d sends for 2000 events", got)
	}
}

// An event between the clearing of a topic's mark and the end of its pass marks it
// again, and reaches the streams that were served before, too.
func TestEventsInTheMiddleOfAPassReachEveryStream(t *testing.T) {
	r := newRig(t, 1, budgeted(10), topic.Config{})
	var all []*client
	for range 100 {
		all = append(all, r.join("a", "", fake.Unlimited))
	}
	r.settle()
	var want []string
	for n := range 50 {
		r.publish("a", fmt.Sprint(n))
		want = append(want, fmt.Sprint(n))
		if n%3 == 0 {
			r.turn()
		}
	}
	r.settle()
	for _, c := range all {
		c.want(want...)
	}
	if sends := r.kernel(0).Sends; sends > 100+100*14 {
		t.Errorf("%d sends for 50 events to 100 clients in 17 turns", sends)
	}
}
