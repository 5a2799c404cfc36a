package intake

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/valyala/bytebufferpool"

	"ssedge/engine/refuse"
	"ssedge/proto/http1"
	"ssedge/shard/sys"
	"ssedge/shard/wheel"
)

const (
	headTick    = 100 * time.Millisecond
	headBuckets = 256
	expiresMax  = 128 // members whose time is up, in one go
	lingerTicks = 10  // a refused client gets a second to read why
)

// heads is the connections whose request head is not complete, those that were refused and are
// given time to read the answer, and those that wait for their next head. They are members of one
// epoll set; that set is a "listener" to netpoll, which calls Accept on a poller
// when any of them has something to say, or the clock in it ticks. A connection in
// here costs its descriptor, an element, and a pooled buffer for what it has sent.
type heads struct {
	in     *Intake
	set    *sys.ReadSet
	polled chan struct{} // closed with the first Accept

	mu      sync.Mutex
	members []member
	free    []uint32
	used    int
	// those that are not idle, oldest first: number and generation; they may have gone
	order   []uint64
	idle    idle
	unread  []uint64 // came back with the beginning of a head
	ending  bool     // nothing is kept after its answer any more
	wheel   *wheel.Wheel
	closed  bool
	judging sync.WaitGroup // connections that are passed on at the moment

	once    sync.Once
	ready   []uint64
	scratch []byte
	reader  reader
}

type member struct {
	fd         int
	generation uint32
	idle       bool // waits for its next head
	lingering  bool // was answered: what it still sends is thrown away
	prefaced   bool // a PROXY protocol header comes first, and is not complete
	from       peer
	parser     http1.Parser
	buf        *bytebufferpool.ByteBuffer // nil if nothing has come
	links      [lines]link                // while it is idle
}

var headBuffers bytebufferpool.Pool

func newHeads(in *Intake) (*heads, error) {
	set, err := sys.OpenReadSet()
	if err != nil {
		return nil, err
	}
	return &heads{in: in, set: set, polled: make(chan struct{}),
		idle:    idle{of: map[netip.Addr]*line{}},
		wheel:   wheel.New(headBuckets, uint32(in.config.Clock.Ran()/headTick)),
		scratch: make([]byte, in.config.HeadBytes)}, nil
}

func (h *heads) tick() uint32 { return uint32(h.in.config.Clock.Ran() / headTick) }

// add takes in a connection with what it has sent so far, which the parser has
// seen, unless a PROXY protocol header must come first (prefaced).
func (h *heads) add(fd int, from peer, received []byte, p *http1.Parser, prefaced bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i, m := h.take(fd)
	if m == nil {
		h.in.answer(fd, refuseHeads)
		sys.Close(fd)
		return
	}
	m.from, m.parser, m.prefaced = from, *p, prefaced
	m.keep(received)
	h.begin(i, m)
}

// linger takes in a connection that has been answered.
func (h *heads) linger(fd int) {
	sys.ShutdownWrite(fd)
	h.mu.Lock()
	defer h.mu.Unlock()
	i, m := h.take(fd)
	if m == nil {
		sys.Close(fd)
		return
	}
	m.lingering = true
	h.lineUp(i, m)
	h.wheel.Arm(i, h.tick()+lingerTicks)
}

// take makes fd a member; nil if there is no room. At the bound one goes.
func (h *heads) take(fd int) (uint32, *member) {
	if h.closed || h.used >= h.in.config.HeadsMax && !h.evict() {
		return 0, nil
	}
	i := uint32(len(h.members))
	if n := len(h.free); n > 0 {
		i = h.free[n-1]
		h.free = h.free[:n-1]
	} else {
		h.members = append(h.members, member{fd: -1})
	}
	m := &h.members[i]
	if h.set.Add(fd, m.user(i)) != 0 {
		h.free = append(h.free, i)
		return 0, nil
	}
	m.fd = fd
	if h.used++; h.used == 1 {
		h.set.Tick(headTick)
	}
	return i, m
}

// lineUp puts member i, which is not idle, at the end of order.
func (h *heads) lineUp(i uint32, m *member) {
	if len(h.order) > 2*h.used+orderSlack {
		h.order = slices.DeleteFunc(h.order, func(of uint64) bool { return h.find(of) == nil })
	}
	h.order = append(h.order, m.user(i))
}

// user is member i's number and generation.
func (m *member) user(i uint32) uint64 { return uint64(m.generation)<<32 | uint64(i) }

// orderSlack is how many of order may have gone before it is looked through.
const orderSlack = 256

// find returns a member by its number and generation; nil if it has gone.
func (h *heads) find(of uint64) *member {
	if m := &h.members[uint32(of)]; m.fd >= 0 && m.generation == uint32(of>>32) {
		return m
	}
	return nil
}

// evict closes the oldest idle member or, if there is none, the oldest of the others: a head that
// is honest is complete within a round trip, so what holds the places are not those. It reports
// false if there is none.
func (h *heads) evict() bool {
	if h.idle.all.n > 0 {
		h.end(h.idle.all.first)
		return true
	}
	for len(h.order) > 0 {
		of := h.order[0]
		h.order = h.order[1:]
		if m := h.find(of); m != nil {
			if !m.lingering {
				h.in.answer(m.fd, refuseHeads)
			}
			h.end(uint32(of))
			return true
		}
	}
	return false
}

// makeRoom is evict, for callers without the lock.
func (h *heads) makeRoom() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.closed && h.evict()
}

// release lets member i go and returns its descriptor, which is no longer polled.
func (h *heads) release(i uint32) int {
	m := &h.members[i]
	fd := m.fd
	if m.idle {
		h.stopWaiting(i, m)
	}
	h.set.Remove(fd)
	h.wheel.Disarm(i)
	if m.buf != nil {
		headBuffers.Put(m.buf)
	}
	*m = member{fd: -1, generation: m.generation + 1}
	h.free = append(h.free, i)
	if h.used--; h.used == 0 {
		h.set.Tick(0)
	}
	return fd
}

func (m *member) keep(received []byte) {
	if len(received) == 0 {
		return
	}
	if m.buf == nil {
		m.buf = headBuffers.Get()
	}
	m.buf.Write(received)
}

// Fd, Accept and Addr are what netpoll asks of a listener.
func (h *heads) Fd() int        { return h.set.Fd() }
func (h *heads) Addr() net.Addr { return &net.UnixAddr{Name: "heads", Net: "unix"} }

func (h *heads) Accept() (net.Conn, error) {
	h.once.Do(func() { close(h.polled) })
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, nil
	}
	ready, ticked := h.set.Ready(h.ready[:0])
	h.ready = ready
	for _, user := range ready {
		if m := h.find(user); m != nil {
			h.read(uint32(user), m)
		}
	}
	unread := h.unread
	h.unread = nil
	for _, user := range unread {
		if m := h.find(user); m != nil {
			h.parse(uint32(user), m)
		}
	}
	if ticked {
		if !h.wheel.Advance(h.tick(), expiresMax, h.expire) {
			h.set.TickNow(headTick) // others get the lock in between
		}
	}
	h.in.admission.Wake()
	return nil, nil
}

// read takes in what member i has sent.
func (h *heads) read(i uint32, m *member) {
	n, errno := sys.Recv(m.fd, h.scratch)
	switch {
	case errno == sys.EAGAIN:
		return
	case errno != 0 || n == 0: // gone, or half-closed: the head will never be complete
		sys.Close(h.release(i))
		return
	case m.lingering:
		return
	}
	m.keep(h.scratch[:n])
	if m.prefaced {
		n, client, refusal := h.in.admission.config.Proxies.preface(m.buf.B, m.from)
		switch {
		case refusal != nil:
			h.in.answer(m.fd, refusal)
			h.makeLingering(i, m)
			return
		case n == 0:
			return
		}
		m.buf.B = append(m.buf.B[:0], m.buf.B[n:]...)
		m.from, m.prefaced = client, false
	}
	if m.idle {
		h.stopWaiting(i, m)
		h.begin(i, m)
	}
	h.parse(i, m)
}

// parse looks at what member i has sent.
func (h *heads) parse(i uint32, m *member) {
	n, done, err := m.parser.Parse(m.buf.B, &h.in.config.Limits, &h.reader.head)
	switch {
	case err != nil:
		h.in.answer(m.fd, refuse.Unreadable(err))
		h.makeLingering(i, m)
	case done:
		h.finish(i, m, n)
	}
}

// finish passes a member with a complete head of n bytes on. The lock is let go meanwhile:
// judging may come back here to linger.
func (h *heads) finish(i uint32, m *member, n int) {
	from, buf := m.from, m.buf
	m.buf = nil
	fd := h.release(i)
	h.judging.Add(1)
	h.mu.Unlock()
	h.in.judge(fd, from, buf.B, n, &h.reader)
	headBuffers.Put(buf)
	h.judging.Done()
	h.mu.Lock()
}

// makeLingering makes an answered member one that lingers.
func (h *heads) makeLingering(i uint32, m *member) {
	sys.ShutdownWrite(m.fd)
	m.lingering = true
	h.wheel.Arm(i, h.tick()+lingerTicks)
}

// expire is called when member i's time is up.
func (h *heads) expire(i uint32) {
	m := &h.members[i]
	if m.buf == nil || len(m.buf.B) == 0 || m.lingering {
		sys.Close(h.release(i)) // nothing was asked, or nothing is left to say
		return
	}
	h.in.answer(m.fd, refuseTimeout)
	h.makeLingering(i, m)
}

// awaitNone waits until there is no member, or for so long.
func (h *heads) awaitNone(patience time.Duration) {
	for end := time.Now().Add(patience); h.count() > 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
}

// Close lets all members go, and waits for those that are being passed on: no stream
// comes from here afterwards. It may be called twice.
func (h *heads) Close() error {
	defer h.judging.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil
	}
	for i := range h.members {
		if h.members[i].fd >= 0 {
			sys.Close(h.release(uint32(i)))
		}
	}
	h.closed, h.ending = true, true
	h.set.Close()
	return nil
}

func (h *heads) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.used
}
