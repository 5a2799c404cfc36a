package shard

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ssedge/shard/log"
	"ssedge/shard/sys/fake"
	"ssedge/shard/topic"
)

// unframer reads what one wire sends, cut anywhere.
type unframer interface {
	feed(b []byte) (payload []byte, err error)
	whole() bool // the body ended as it should, as far as the wire shows it
}

// unframers is the table of wires: a row is all that tests need to know of one.
var unframers = [wires]func() unframer{
	WireRaw:    func() unframer { return raw{} },
	WireChunk:  func() unframer { return &dechunk{} },
	WireAnswer: func() unframer { return &unanswer{} },
}

// lasting is the wires whose streams go on until something ends them.
func lasting() (all []Wire) {
	for wire := range wires {
		if !framings[wire].whole {
			all = append(all, wire)
		}
	}
	return all
}

type raw struct{}

func (raw) feed(b []byte) ([]byte, error) { return b, nil }
func (raw) whole() bool                   { return true }

// dechunk reads a body in chunks (RFC 9112 7.1), cut anywhere.
type dechunk struct {
	line  []byte // of what is between two chunks
	left  int    // bytes of the chunk that are still to come
	ended bool   // the last chunk was read
}

func (d *dechunk) whole() bool { return d.ended }

func (d *dechunk) feed(b []byte) (payload []byte, _ error) {
	for len(b) > 0 {
		if d.ended {
			return payload, fmt.Errorf("%q after the last chunk", b)
		}
		if d.left > 0 {
			n := min(d.left, len(b))
			payload, b, d.left = append(payload, b[:n]...), b[n:], d.left-n
			if d.left == 0 {
				d.line = []byte("end")
			}
			continue
		}
		d.line, b = append(d.line, b[0]), b[1:]
		text, whole := strings.CutSuffix(string(d.line), "\r\n")
		switch {
		case !whole:
			if len(d.line) > 12 {
				return payload, fmt.Errorf("%q where a chunk should begin or end", d.line)
			}
		case text == "end":
			d.line = nil
		case text == "0\r\n":
			d.ended = true
		case text != "0":
			n, err := strconv.ParseUint(text, 16, 31)
			if err != nil || n == 0 {
				return payload, fmt.Errorf("%q is no size of a chunk", text)
			}
			d.line, d.left = nil, int(n)
		}
	}
	return payload, nil
}

// unanswer reads an answer to a poll, cut anywhere, with its response head.
type unanswer struct {
	head   []byte
	field  http.Header // once the head is complete
	closes bool        // the connection ends
	length int
	got    int
}

func (u *unanswer) whole() bool { return u.field != nil && u.got == u.length }

func (u *unanswer) feed(b []byte) (payload []byte, _ error) {
	for u.field == nil && len(b) > 0 {
		u.head, b = append(u.head, b[0]), b[1:]
		if !bytes.HasSuffix(u.head, []byte("\r\n\r\n")) {
			continue
		}
		resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(u.head)), nil)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", u.head, err)
		}
		if u.length, err = strconv.Atoi(resp.Header.Get("Content-Length")); err != nil {
			return nil, fmt.Errorf("%q: %w", u.head, err)
		}
		u.field, u.closes = resp.Header, resp.Close
	}
	if u.got += len(b); u.got > u.length {
		return b, fmt.Errorf("%q: %d bytes of body", u.head, u.got)
	}
	return b, nil
}

// Sockets that stop at every byte of the framing and of what is in it: the client
// reads whole chunks with the same events as all others.
func TestChunksOverSocketsThatStopAnywhere(t *testing.T) {
	for _, topics := range []string{"a", "a,b"} {
		for seed := range uint64(60) {
			rng := rand.New(rand.NewPCG(seed, 9))
			r := newRig(t, 1, budgeted(1+rng.IntN(50)), topic.Config{})
			r.greets = seed%2 == 0
			begin := r.join(topics, "", fake.Unlimited)
			r.settle()
			begin.read()
			id := begin.decoder.LastEventID()
			c := &client{r: r, wire: WireChunk, topics: strings.Split(topics, ",")}
			c.connect([]string{"", id}[rng.IntN(2)], rng.IntN(300), 0)
			r.settle()
			var want []string
			for n := range 60 {
				size := rng.IntN(200)
				if rng.IntN(10) == 0 {
					size = rng.IntN(3 * unitMax)
				}
				want = append(want, fmt.Sprint(n, strings.Repeat("x", size)))
				r.publish("a", want[n])
				if rng.IntN(3) == 0 {
					c.sock.Free(rng.IntN(2 * unitMax))
					r.settle()
				}
			}
			r.settle()
			for c.sock.Watches {
				c.sock.Free(1 + rng.IntN(5000))
				r.settle()
			}
			if got := c.data(); !slices.Equal(got, want) {
				t.Fatalf("%s, seed %d: got %d events of %d", topics, seed, len(got), len(want))
			}
			c.sock.Free(fake.Unlimited)
			r.drain(1e6, time.Hour)
			r.pass(time.Second)
			c.endedWith(ClosedDrain)
			c.read()
			if ms, ok := c.decoder.RetryMS(); !c.unframe.whole() || !ok || ms < 2000 {
				t.Fatalf("seed %d: the last chunk is missing, or the time to come back: %q", seed,
					c.sock.Got)
			}
			r.empty()
		}
	}
}

// What was promised by the size of a chunk is sent, although the log has let it go;
// then the gap is told.
func TestAPromisedChunkOutlivesTheLog(t *testing.T) {
	for _, topics := range []string{"a", "a,b"} {
		r := newRig(t, 1, patient(), topic.Config{Retention: log.Retention{Events: 3}})
		c := &client{r: r, wire: WireChunk, topics: strings.Split(topics, ",")}
		c.connect("", fake.Unlimited, 0)
		r.settle()
		c.sock.Room = 30
		r.publish("a", "first")
		r.publish("a", "second")
		r.settle()
		for n := range 10 {
			r.publish("a", fmt.Sprint(n))
			r.settle()
		}
		c.sock.Free(fake.Unlimited)
		r.settle()
		c.want("first", "second", "gap:overrun", "7", "8", "9")
	}
}

// A stream that is cut off inside a chunk is not ended as if it were whole.
func TestAChunkThatIsCutOffIsNotEnded(t *testing.T) {
	r := newRig(t, 1, patient(), topic.Config{})
	c := &client{r: r, wire: WireChunk, topics: []string{"a"}}
	c.connect("", fake.Unlimited, 0)
	r.settle()
	c.sock.Room = 10
	r.publish("a", "x")
	r.settle()
	c.sock.Room = fake.Unlimited // but the shard has not heard of it
	r.shards[0].stop()
	c.endedWith(ClosedShutdown)
	c.read()
	if c.unframe.whole() || len(c.messages) > 0 {
		t.Errorf("it reads %q", c.messages)
	}
}

// The last words of a stream that is drained may be cut anywhere: they come once, and
// nothing after them.
func TestTheLastWordsComeOnce(t *testing.T) {
	for _, topics := range []string{"a", "a,b"} {
		for _, wire := range lasting() {
			for room := range 40 {
				r := newRig(t, 1, patient(), topic.Config{})
				c := &client{r: r, wire: wire, topics: strings.Split(topics, ",")}
				c.connect("", fake.Unlimited, 0)
				r.settle()
				c.read()
				begin := len(c.raw)
				c.sock.Room = room
				r.drain(1e6, time.Hour)
				r.pass(100 * time.Millisecond)
				r.publish("a", "too late")
				r.pass(100 * time.Millisecond)
				c.sock.Free(fake.Unlimited)
				r.pass(100 * time.Millisecond)
				c.endedWith(ClosedDrain)
				c.read()
				words := string(c.raw[begin:])
				if strings.Count(words, "retry: ") != 1 || !strings.HasSuffix(words, "\n\n") ||
					!c.unframe.whole() {
					t.Errorf("%s, wire %d, room %d: ends with %q, whole %v", topics, wire, room,
						words, c.unframe.whole())
				}
				r.empty()
			}
		}
	}
}

// TestUnitsHaveNoEmptyPieces: each piece costs the kernel a look, and a send has only so many.
func TestUnitsHaveNoEmptyPieces(t *testing.T) {
	for _, wire := range lasting() {
		r := newRig(t, 1, patient(), topic.Config{})
		c := &client{r: r, topics: []string{"a", "b"}, wire: wire}
		c.connect("", fake.Unlimited, 0)
		r.settle()
		for _, size := range []int{10, 300, 20, 30, 300, 300, 10} {
			r.publish("a", strings.Repeat("x", size))
		}
		s := r.shards[0]
		sl := s.slots.at(0)
		bundle := s.bundles[sl.topic]
		sub := &bundle.subs[0]
		s.snapshot(s.states.at(sub.state).topic)
		b := new(batch)
		b.begin()
		of := reading{state: sub.state, has: true, bundle: bundle, sub: sub}
		s.addEvents(b, &framings[wire], of, 200)
		total, events := 0, 0
		for k, piece := range b.pieces {
			if total += len(piece); len(piece) == 0 {
				t.Errorf("wire %d: piece %d of %d is empty", wire, k, len(b.pieces))
			}
		}
		for _, u := range b.units {
			events += u.events
		}
		if total != b.total || events != 7 {
			t.Errorf("wire %d: %d bytes, expected %d; %d events", wire, b.total, total, events)
		}
	}
}
