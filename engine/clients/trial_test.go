package clients

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"
)

// trial is a client, its server, the wire between them, and what was published.
type trial struct {
	t       *testing.T
	client  client
	server  *server
	wire    *wire
	session *session
	names   []string // of all events that will be published
	query   string   // more of the stream's URL
	expects string   // the verdict that README.md has

	published []event
	gaveUp    string // why the trial was ended: the client did not do what was awaited
	there     bool   // it had a stream all the same: it did not give up, it lost something
}

// begin starts a server and has the client follow a stream of it.
func (r *trial) begin(key string, flags ...string) {
	r.t.Helper()
	r.server = startServer(r.t, key, flags...)
	r.follow()
}

func (r *trial) follow() {
	r.t.Helper()
	r.wire = newWire(r.t, r.server.address, "")
	if r.client.browser {
		p, err := pageServer()
		if err != nil {
			r.t.Fatal(err)
		}
		r.wire.pages = p.address
	}
	names := append([]string{"message", "ssedge", "gap"}, r.names...)
	slices.Sort(names)
	names = slices.Compact(names)
	r.session = r.client.start(r.t, r,
		order{URL: "http://" + r.wire.address + "/events?topic=t" + r.query, Key: r.server.key,
			Names: names})
}

// connected waits for the first opening: a test in which that fails has shown nothing.
func (r *trial) connected() {
	r.t.Helper()
	deadline := time.Now().Add(2 * patience) // a browser has to start
	for ; ; time.Sleep(5 * time.Millisecond) {
		if _, n := r.wire.counts(); n > 0 {
			return
		}
		if time.Now().After(deadline) || r.session.over() != "" {
			r.t.Fatalf("the client does not connect: %q %+v", r.session.over(), r.session.heard())
		}
	}
}

// say publishes an event.
func (r *trial) say(e event) {
	r.t.Helper()
	e.id = r.server.publish("t", e)
	r.published = append(r.published, e)
}

func (r *trial) sayf(format string, args ...any) {
	r.t.Helper()
	// no two are the same
	r.say(event{data: fmt.Sprintf(format, args...) + fmt.Sprintf(" (%d)", len(r.published))})
}

// await waits for something that depends on the client's coming back. Once it has given up,
// what is left of a trial is not done.
func (r *trial) await(what string, is func() bool) bool {
	if r.gaveUp != "" {
		return false
	}
	patience := patience
	if r.expects != "exact" && r.expects != "told" {
		patience = 8 * time.Second // some never come back
	}
	over := time.Time{}
	for deadline := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if over.IsZero() && r.session.over() != "" {
			over = time.Now().Add(time.Second)
		}
		if time.Now().After(deadline) || !over.IsZero() && time.Now().After(over) {
			r.gaveUp = fmt.Sprintf("not %s; it said %q", what, r.session.over())
			r.there = over.IsZero() && r.wire.connected()
			return false
		}
	}
	return true
}

// heardLast waits until the client has handed out the last event.
func (r *trial) heardLast() bool {
	last := r.published[len(r.published)-1]
	return r.await(fmt.Sprintf("heard %.40q", last.data), func() bool {
		for _, h := range r.session.heard() {
			if h.What == "message" && h.Type == last.kind() && h.Data == last.wanted() {
				return true
			}
		}
		return false
	})
}

// verdict ends a trial.
func (r *trial) verdict() verdict {
	time.Sleep(50 * time.Millisecond) // what should not come would have come
	v := judge(r.published, r.session.heard(), r.wire.sent)
	if r.gaveUp == "" || r.there {
		return v
	}
	// What a client loses because it has gone is not counted twice.
	gone := verdict{details: v.details}
	for _, w := range v.words {
		if w != "loses" && w != "told" {
			gone.words = append(gone.words, w)
		}
	}
	if r.wire.answered("401") > 0 {
		gone.add("refused", "%s", r.gaveUp)
		return gone
	}
	gone.add("gives up", "%s", r.gaveUp)
	return gone
}

// trials are the columns of the table in README.md.
var trials = []struct {
	name string
	run  func(*trial)
}{
	{"content", content},
	{"cuts", func(r *trial) { cuts(r) }},
	{"cuts, chunked", func(r *trial) { cuts(r, "--chunked") }},
	{"head", head},
	{"quiet", quiet},
	{"kill", func(r *trial) { restart(r, syscall.SIGKILL) }},
	{"kill, chunked", func(r *trial) { restart(r, syscall.SIGKILL, "--chunked") }},
	{"drain", func(r *trial) { restart(r, syscall.SIGTERM) }},
	{"503", refusal},
	{"edges", edges},
	{"key", key},
}

// content publishes data of every kind.
func content(r *trial) {
	kinds := contents()
	for _, e := range kinds {
		if e.name != "" {
			r.names = append(r.names, e.name)
		}
	}
	r.begin("")
	r.connected()
	for _, e := range kinds {
		r.say(e)
	}
	r.sayf("the end")
	r.heardLast()
}

// cuts cuts the connection at hostile places; meanwhile two events are published.
func cuts(r *trial, flags ...string) {
	r.names = []string{"named"}
	r.begin("", flags...)
	r.connected()
	r.sayf("the first")
	if !r.heardLast() {
		return
	}
	made := 0
	broken := func() bool {
		made++
		return r.await("cut off", func() bool { n, _ := r.wire.counts(); return n >= made })
	}
	for i, p := range places() {
		marker := fmt.Sprintf("cut %02d %s", i, p.name)
		r.wire.release(p.inEvent(marker))
		r.say(event{data: marker + " é€😀 é€😀\nand its second line", name: p.eventName})
		if !broken() {
			return
		}
		r.sayf("%s, away", marker)
		for _, c := range p.opening {
			r.wire.release(c)
			if !broken() {
				return
			}
			r.sayf("%s, away after %s", marker, c.name)
		}
		r.wire.release()
		if !r.heardLast() {
			return
		}
	}
}

// head cuts connections before the response has a whole head.
func head(r *trial) {
	r.begin("")
	r.connected()
	r.sayf("the first")
	if !r.heardLast() {
		return
	}
	for i, c := range inHeads() {
		r.wire.hold()
		r.wire.cutAll(false)
		r.sayf("while away")
		r.wire.release(c)
		if !r.await("cut off "+c.name, func() bool { n, _ := r.wire.counts(); return n > i }) {
			return
		}
		r.sayf("after a cut %s", c.name)
		r.wire.release()
		if !r.heardLast() {
			return
		}
	}
}

// quiet cuts a connection on which no event has come yet.
func quiet(r *trial) {
	r.begin("")
	r.connected()
	time.Sleep(100 * time.Millisecond) // the opening is read
	r.wire.hold()
	r.wire.cutAll(false)
	r.sayf("the first, while the client is away")
	r.sayf("the second")
	r.wire.release()
	r.heardLast()
}

// restart ends the server, and refuses connections until another one is there at the same address.
func restart(r *trial, signal syscall.Signal, flags ...string) {
	r.begin("", flags...)
	r.connected()
	r.sayf("before")
	r.sayf("before, too")
	if !r.heardLast() {
		return
	}
	r.wire.refuse()
	if signal == syscall.SIGKILL {
		r.wire.hold()
		r.wire.cutAll(false) // as the kernel ends a dead process's connections
		r.sayf("lost with the process")
	}
	r.server.end(signal)
	// Firefox comes back after 500 ms at the earliest, and is to be refused
	time.Sleep(1500 * time.Millisecond)
	r.server.start()
	r.wire.hold()
	r.wire.listen()
	r.sayf("after")
	r.wire.release()
	r.heardLast()
	r.sayf("live again")
	r.heardLast()
}

// refusal has the server full for a while when the client comes back: 503.
func refusal(r *trial) {
	r.begin("", "--streams-max=1")
	r.connected()
	r.sayf("before")
	if !r.heardLast() {
		return
	}
	r.wire.hold()
	r.wire.cutAll(false)
	leave := r.server.occupy()
	defer leave()
	r.sayf("while away")
	r.wire.release()
	if !r.await("refused", func() bool { return r.wire.answered("503") > 0 }) {
		return
	}
	time.Sleep(300 * time.Millisecond)
	leave()
	r.sayf("admitted again")
	r.heardLast()
}

// edges has a client of two edges, of which one goes after another.
func edges(r *trial) {
	url := startRedis(r.t)
	r.server = startServer(r.t, "", "--redis="+url)
	other := startServer(r.t, "", "--redis="+url)
	r.follow()
	r.connected()
	r.sayf("by the first edge")
	if !r.heardLast() {
		return
	}
	turn := func(end func()) {
		r.wire.hold()
		r.wire.turnTo(other.address)
		end()
		r.server, other = other, r.server
		r.sayf("by the other edge, while away")
		r.wire.release()
		if r.heardLast() {
			r.sayf("by the other edge")
			r.heardLast()
		}
	}
	turn(func() { r.wire.cutAll(true) })
	turn(func() { r.server.end(syscall.SIGTERM) })
	other.start()
	turn(func() { r.server.end(syscall.SIGKILL) })
}

// key has the topic private.
func key(r *trial) {
	r.begin("a-key-of-this-test")
	r.await("connected", func() bool { _, n := r.wire.counts(); return n > 0 })
	r.sayf("behind a key")
	r.heardLast()
}
