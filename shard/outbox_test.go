package shard

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ssedge/shard/log"
	"ssedge/shard/sys/fake"
	"ssedge/shard/topic"
)

// large is data of an event whose rest is too long to be copied.
var large = strings.Repeat("0123456789abcdef", 2<<10)

func TestThereIsNoRoomForMoreRestsThanTheBudget(t *testing.T) {
	for _, topics := range []string{"a", "a,b"} {
		c := patient()
		c.RestBytes = 2500
		r := newRig(t, 2, c, topic.Config{}) // the budget is that of all shards together
		var all []*client
		for range 4 {
			cl := r.blocked(topics)
			cl.sock.Room = 10
			all = append(all, cl)
		}
		r.publish("a", strings.Repeat("x", 1000))
		r.settle()
		ended := 0
		for _, cl := range all {
			if len(r.ended[cl.owner]) > 0 {
				cl.endedWith(ClosedOverload)
				ended++
			}
		}
		if ended != 2 {
			t.Errorf("%s: %d of 4 ended, want 2", topics, ended)
		}
		if used := r.rests.Load(); used < 2000 || used > c.RestBytes {
			t.Errorf("%s: %d bytes are charged", topics, used)
		}
		for _, cl := range all {
			if len(r.ended[cl.owner]) == 0 {
				cl.sock.Free(100)
				r.settle()
			}
		}
		if used := r.rests.Load(); used < 1800 || used > 2200 {
			t.Errorf("%s: %d bytes are charged after part of them was sent", topics, used)
		}
		for _, cl := range all {
			cl.sock.HangUp()
		}
		r.empty()
	}
}

func TestALongRestIsNotCopied(t *testing.T) {
	for _, topics := range []string{"a", "a,b"} {
		r := newRig(t, 1, patient(), topic.Config{})
		c := r.blocked(topics)
		c.sock.Room = 100
		r.publish("a", large)
		r.settle()
		if used := r.rests.Load(); used > 200 {
			t.Errorf("%s: %d bytes are copied of an event of %d", topics, used, len(large))
		}
		r.publish("a", "next")
		for !c.sock.Closed && c.sock.Watches {
			c.sock.Free(1000)
			r.settle()
		}
		c.want(large, "next")
		c.sock.HangUp()
		r.empty()
	}
}

// A stream that stands inside an event which the log lets go is closed at once,
// so that no bytes outlive the log's bounds.
func TestAHalfSentEventThatTheLogDropsEndsTheStream(t *testing.T) {
	for _, how := range []string{"overrun", "eviction", "expiry", "a reader that comes"} {
		for _, topics := range []string{"a", "b,a"} {
			r := newRig(t, 1, patient(),
				topic.Config{Retention: log.Retention{Events: 2, AgeMS: 60_000}})
			var late *client
			c := r.blocked(topics)
			c.sock.Room = 100
			r.publish("a", large)
			r.settle()
			*r.wall += 50_000
			r.publish("a", "one more is no harm")
			r.settle()
			if len(r.ended) != 0 {
				t.Fatalf("%s, %s: ended with %v while the event is retained", how, topics, r.ended)
			}
			switch how {
			case "overrun":
				r.publish("a", "too much")
			case "eviction":
				r.table.EvictOldest()
			case "expiry":
				*r.wall += 70_000
				r.table.Expire()
			case "a reader that comes": // the first event is too old by then, the second is not
				*r.wall += 20_000
				late = r.join("a", "", fake.Unlimited)
			}
			r.settle()
			c.endedWith(ClosedSlowConsumer)
			c.want()
			if late != nil {
				late.sock.HangUp()
			}
			r.empty()
		}
	}
}

// What another topic lets go is no reason to close.
func TestARestStandsInItsOwnLog(t *testing.T) {
	r := newRig(t, 1, patient(), topic.Config{Retention: log.Retention{Events: 2}})
	c := r.blocked("b,a")
	c.sock.Room = 100
	r.publish("a", large)
	r.settle()
	for range 5 {
		r.publish("b", large)
		r.settle()
	}
	c.sock.Free(fake.Unlimited)
	r.settle()
	c.want(large, "gap:overrun", large, large)
}

// Whatever an event's length and however much of it was sent at first: once little is left, the log
// may let it go.
func TestALittleRestOutlivesTheLog(t *testing.T) {
	for _, wire := range lasting() {
		for _, topics := range []string{"a", "a,b"} {
			for _, first := range []int{1000, 5000, 15_000} {
				r := newRig(t, 1, patient(), topic.Config{Retention: log.Retention{Events: 1}})
				c := &client{r: r, wire: wire, topics: strings.Split(topics, ",")}
				c.connect("", fake.Unlimited, 0)
				r.settle()
				c.read()
				c.sock.Room = first
				event := strings.Repeat("x", 18_000)
				r.publish("a", event)
				r.settle()
				c.sock.Free(17_000 - first)
				r.settle()
				if c.sock.Closed {
					t.Fatalf("wire %d, %s: closed with what is left of the event in the log", wire,
						topics)
				}
				r.publish("a", "next")
				r.settle()
				c.sock.Free(fake.Unlimited)
				r.settle()
				c.want(event, "next")
				c.sock.HangUp()
				r.empty()
			}
		}
	}
}

// Once the log's part of a rest is sent, the log may let it go.
func TestARestOfWhichOnlyTheCopyIsLeftOutlivesTheLog(t *testing.T) {
	r := newRig(t, 1, patient(), topic.Config{Retention: log.Retention{Events: 1}})
	c := r.blocked("b,a")
	c.sock.Room = 100
	r.publish("a", large)
	r.settle()
	c.sock.Free(len("data: \n") + len(large) - 100 + 5) // all of the body, 5 bytes of the id
	r.settle()
	r.publish("a", "next")
	r.settle()
	c.sock.Free(fake.Unlimited)
	r.settle()
	c.want(large, "next")
}

func TestASocketThatTakesNothingIsGivenUp(t *testing.T) {
	for _, topics := range []string{"a", "a,b"} {
		cf := patient()
		cf.WriteStall = 10 * time.Second
		r := newRig(t, 1, cf, topic.Config{})
		c, slow := r.blocked(topics), r.blocked(topics)
		idle := r.join(topics, "", fake.Unlimited)
		r.publish("a", strings.Repeat("x", 1000))
		r.settle()
		for range 3 { // a byte now and then is patience renewed
			r.pass(9 * time.Second)
			slow.sock.Free(1)
			r.settle()
			if c.sock.Closed != (r.now > 1<<(32+tickShift)+int64(5*time.Second)) {
				t.Fatalf("%s: closed is %v at %v", topics, c.sock.Closed, time.Duration(r.now))
			}
		}
		c.endedWith(ClosedWriteStalled)
		r.pass(9800 * time.Millisecond)
		if slow.sock.Closed {
			t.Fatalf("%s: gave up on a socket that takes a byte every 9 s", topics)
		}
		r.pass(400 * time.Millisecond)
		slow.endedWith(ClosedWriteStalled)
		if idle.sock.Closed {
			t.Errorf("%s: a socket that is owed nothing was given up", topics)
		}
	}
}

// A client that takes a little in each deadline is not stalled, though its socket is never reported
// to be writable.
func TestASlowReaderIsNotStalled(t *testing.T) {
	cf := patient()
	cf.WriteStall = 10 * time.Second
	r := newRig(t, 1, cf, topic.Config{})
	c, never := r.blocked("a"), r.blocked("a")
	c.sock.Unsent, never.sock.Unsent = 1000, 1000
	r.publish("a", strings.Repeat("x", 1000))
	r.settle()
	for range 20 {
		r.pass(4900 * time.Millisecond)
		c.sock.Unsent--
	}
	never.endedWith(ClosedWriteStalled)
	if c.sock.Closed {
		t.Fatal("gave up on a socket of which a byte is taken every 5 s")
	}
	r.pass(15100 * time.Millisecond)
	c.endedWith(ClosedWriteStalled)
	if len(r.shards[0].stalls) != 0 {
		t.Errorf("%d are still looked at", len(r.shards[0].stalls))
	}
}

// Time in which the process did not run counts against no client: they have a whole deadline from
// then on.
func TestTheProcessWasStopped(t *testing.T) {
	cf := patient()
	cf.WriteStall = 10 * time.Second
	r := newRig(t, 1, cf, topic.Config{})
	var all []*client
	for range 300 {
		all = append(all, r.blocked("a"))
	}
	r.publish("a", "x")
	r.settle()
	r.pass(8 * time.Second)
	r.now += int64(35 * time.Second)
	r.settle()
	r.pass(9 * time.Second)
	for _, c := range all[1:] {
		if c.sock.Closed {
			t.Fatal("a stream was given up")
		}
		c.sock.Free(fake.Unlimited)
	}
	r.settle()
	all[1].want("x")
	r.pass(2 * time.Second)
	all[0].endedWith(ClosedWriteStalled)
}

func TestABrokenConnectionEndsAtTheSend(t *testing.T) {
	for errno, reason := range map[unix.Errno]CloseReason{
		unix.EPIPE: ClosedClientGone, unix.ECONNRESET: ClosedClientGone,
		unix.ETIMEDOUT: ClosedClientGone, unix.ENOBUFS: ClosedError,
	} {
		for _, topics := range []string{"a", "a,b"} {
			r := newRig(t, 1, patient(), topic.Config{})
			c, half := r.join(topics, "", fake.Unlimited), r.blocked(topics)
			half.sock.Room = 10
			r.publish("a", "x")
			r.settle()
			c.sock.Broken, half.sock.Broken = errno, errno
			r.publish("a", "y")
			half.sock.Free(1)
			r.settle()
			c.endedWith(reason)
			half.endedWith(reason)
			r.empty()
		}
	}
}
