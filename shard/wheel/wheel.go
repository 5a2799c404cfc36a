// Package wheel is a hashed timer wheel over small integers: "entry 17 is due at
// tick 4711". It allocates only when its range of entries grows, knows no clock
// (the present tick is passed in) and costs 12 bytes an entry.
//
// Ticks are 32-bit and wrap: times are compared by their difference, so a due
// tick may lie up to 2^31 ticks ahead. An entry further ahead than the wheel is
// round stays in its bucket and is looked at once per revolution.
//
// A Wheel belongs to one goroutine.
package wheel

const (
	none     = ^uint32(0)
	sentinel = uint32(1) << 31 // indices from here on are the heads of lists
	unarmed  = none            // value of node.next of an entry in no list

	chunkBits = 10
	chunkSize = 1 << chunkBits
)

// node links an entry into the circular list of its bucket.
type node struct {
	next, prev uint32
	due        uint32
}

// Wheel holds the entries. Make one with [New].
type Wheel struct {
	chunks []*[chunkSize]node // entry i is chunks[i>>chunkBits][i&(chunkSize-1)]
	heads  []node             // one per bucket, and last the list being fired
	mask   uint32
	tick   uint32 // everything due at or before it has been moved to the firing list
	armed  int
}

// New makes a wheel of that many buckets, a power of two, whose present tick is now.
func New(buckets int, now uint32) *Wheel {
	if buckets <= 0 || buckets&(buckets-1) != 0 {
		panic("wheel: the number of buckets must be a power of two")
	}
	w := &Wheel{heads: make([]node, buckets+1), mask: uint32(buckets - 1), tick: now}
	for i := range w.heads {
		h := sentinel | uint32(i)
		w.heads[i] = node{next: h, prev: h}
	}
	return w
}

func (w *Wheel) at(i uint32) *node {
	if i >= sentinel {
		return &w.heads[i&^sentinel]
	}
	return &w.chunks[i>>chunkBits][i&(chunkSize-1)]
}

func (w *Wheel) firing() uint32 { return sentinel | (w.mask + 1) }

// Armed returns how many entries are waiting.
func (w *Wheel) Armed() int { return w.armed }

// Arm sets entry i, below 2^31, to fire at tick due, in place of any earlier setting. A tick that
// has passed fires with the next Advance, or the one under way.
func (w *Wheel) Arm(i, due uint32) {
	for int(i>>chunkBits) >= len(w.chunks) {
		c := new([chunkSize]node)
		for j := range c {
			c[j].next = unarmed
		}
		w.chunks = append(w.chunks, c)
	}
	n := w.at(i)
	if n.next != unarmed {
		w.unlink(n)
	}
	n.due = due
	if int32(due-w.tick) <= 0 {
		w.link(i, n, w.firing())
	} else {
		w.link(i, n, sentinel|(due&w.mask))
	}
}

// Disarm takes entry i out; it is fine if it is not in.
func (w *Wheel) Disarm(i uint32) {
	if int(i>>chunkBits) < len(w.chunks) {
		if n := w.at(i); n.next != unarmed {
			w.unlink(n)
		}
	}
}

func (w *Wheel) link(i uint32, n *node, head uint32) {
	h := w.at(head)
	n.prev, n.next = h.prev, head
	w.at(h.prev).next = i
	h.prev = i
	w.armed++
}

func (w *Wheel) unlink(n *node) {
	w.at(n.prev).next = n.next
	w.at(n.next).prev = n.prev
	n.next = unarmed
	w.armed--
}

// Advance moves to tick now and fires what is due, at most max entries; fire may
// arm and disarm any entry. It reports whether nothing due is left.
func (w *Wheel) Advance(now uint32, max int, fire func(i uint32)) bool {
	w.turn(now)
	head := w.at(w.firing())
	for ; max > 0 && head.next != w.firing(); max-- {
		i := head.next
		w.unlink(w.at(i))
		fire(i)
	}
	return head.next == w.firing()
}

// turn moves the due entries of all buckets up to now into the firing list.
func (w *Wheel) turn(now uint32) {
	steps := now - w.tick
	if int32(steps) <= 0 {
		return
	}
	w.tick = now
	if steps > w.mask { // a whole revolution or more: each bucket once
		steps = w.mask + 1
	}
	for ; steps > 0; steps-- {
		head := sentinel | ((now - steps + 1) & w.mask)
		for i := w.at(head).next; i != head; {
			n := w.at(i)
			next := n.next
			if int32(n.due-now) <= 0 {
				w.unlink(n)
				w.link(i, n, w.firing())
			}
			i = next
		}
	}
}

// Next returns the tick of the nearest bucket that holds entries, and false if
// there are none: the time to call Advance again. It may be early for entries
// that are further ahead than the wheel is round, never late.
func (w *Wheel) Next() (uint32, bool) {
	if w.armed == 0 {
		return 0, false
	}
	if f := w.firing(); w.at(f).next != f {
		return w.tick, true
	}
	for d := uint32(1); d <= w.mask+1; d++ {
		head := sentinel | ((w.tick + d) & w.mask)
		if w.at(head).next != head {
			return w.tick + d, true
		}
	}
	return 0, false
}
