package baseline

import (
	"syscall"
)

// take sends the events in the inbox, and reports whether there were any.
func (t *thread) take() bool {
	s := t.server
	if s.posted.Load() == t.taken {
		return false
	}
	s.mu.Lock()
	t.inbox, t.batch = t.batch[:0], t.inbox
	s.free = append(s.free, t.spent...)
	s.mu.Unlock()
	t.spent = t.spent[:0]
	for _, e := range t.batch {
		if number, known := t.topics[string(e.topic)]; known {
			t.broadcast(number, e.text)
		}
		if e.left.Add(-1) == 0 {
			t.spent = append(t.spent, e)
		}
	}
	t.taken += uint64(len(t.batch))
	return true
}

// broadcast is what all this is about.
func (t *thread) broadcast(topic int32, text []byte) {
	streams := t.lists[topic]
	// Backwards, because closing a stream moves the last one, already served, into its place.
	for i := len(streams) - 1; i >= 0; i-- {
		if n, errno := send(streams[i], text); n != len(text) {
			t.drop(streams[i], errno)
		}
	}
}

// drop closes a stream that did not take all of a send. errno is 0 if it took a part.
func (t *thread) drop(fd int32, errno syscall.Errno) {
	if errno == 0 || errno == syscall.EAGAIN {
		t.cut.Add(1)
	} // otherwise it has hung up, and epoll would have said so next
	t.close(fd)
}
