package intake

import (
	"net/netip"

	"ssedge/shard/sys"
)

// idle is the members of heads that wait for their next head and have sent nothing of it: each
// stands in two lines, one of all and one of its address, oldest first. They are the first to go
// where room is needed.
type idle struct {
	all line
	of  map[netip.Addr]*line
}

// line is members one behind the other.
type line struct {
	first, last uint32
	n           int
}

// link is the neighbours of a member in a line.
type link struct{ before, behind uint32 }

// The lines that a member stands in.
const (
	ofAll = iota
	ofAddress
	lines
)

const noMember = ^uint32(0)

// wait makes member i idle. Those of one address have a quarter of the places: the oldest goes.
func (h *heads) wait(i uint32, m *member) {
	m.idle = true
	h.enter(&h.idle.all, ofAll, i)
	if !m.from.addr.IsValid() {
		return
	}
	key := addressKey(m.from.addr)
	l := h.idle.of[key]
	if l == nil {
		l = &line{}
		h.idle.of[key] = l
	}
	h.enter(l, ofAddress, i)
	if l.n > max(h.in.config.HeadsMax/4, 1) {
		h.end(l.first)
	}
}

// stopWaiting is the inverse.
func (h *heads) stopWaiting(i uint32, m *member) {
	m.idle = false
	h.leave(&h.idle.all, ofAll, i)
	if !m.from.addr.IsValid() {
		return
	}
	key := addressKey(m.from.addr)
	l := h.idle.of[key]
	if h.leave(l, ofAddress, i); l.n == 0 {
		delete(h.idle.of, key)
	}
}

// enter adds member i at the end of a line.
func (h *heads) enter(l *line, k int, i uint32) {
	h.members[i].links[k] = link{before: l.last, behind: noMember}
	if l.n == 0 {
		l.first, h.members[i].links[k].before = i, noMember
	} else {
		h.members[l.last].links[k].behind = i
	}
	l.last = i
	l.n++
}

// leave takes it out.
func (h *heads) leave(l *line, k int, i uint32) {
	at := h.members[i].links[k]
	if at.before == noMember {
		l.first = at.behind
	} else {
		h.members[at.before].links[k].behind = at.behind
	}
	if at.behind == noMember {
		l.last = at.before
	} else {
		h.members[at.behind].links[k].before = at.before
	}
	l.n--
}

// end closes member i.
func (h *heads) end(i uint32) { sys.Close(h.release(i)) }

// await takes in a connection that was answered, with what it has sent behind that request. It may
// be called from any goroutine: what has come is looked at on the poller.
func (h *heads) await(fd int, from peer, behind []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ending {
		sys.Close(fd)
		return
	}
	i, m := h.take(fd)
	if m == nil {
		sys.Close(fd)
		return
	}
	m.from = from
	if len(behind) == 0 {
		h.wheel.Arm(i, h.tick()+uint32(h.in.config.HTTPIdle/headTick))
		h.wait(i, m)
		return
	}
	m.keep(behind)
	h.begin(i, m)
	h.unread = append(h.unread, m.user(i))
	h.set.TickNow(headTick)
}

// begin gives member i, of whose head something has come, the time for the rest of it.
func (h *heads) begin(i uint32, m *member) {
	h.lineUp(i, m)
	h.wheel.Arm(i, h.tick()+uint32(h.in.config.HeadTimeout/headTick))
}

// endIdle closes the idle members, and whatever comes back from now on.
func (h *heads) endIdle() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ending = true
	for h.idle.all.n > 0 && !h.closed {
		h.end(h.idle.all.first)
	}
}

func (h *heads) idleCount() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.idle.all.n
}
