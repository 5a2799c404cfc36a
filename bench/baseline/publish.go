package baseline

import (
	"bytes"
	"strconv"
	"sync/atomic"
	"syscall"
)

const (
	headBytesMax = 8 << 10
	bodyBytesMax = 1 << 20

	// idFirst + n are the milliseconds of the id of event n, 13 digits: ids rise and keep their
	// width.
	idFirst  = 1763880000000
	idDigits = 13
	idEnd    = "-0\n\n"
)

var (
	post          = []byte("POST")
	topicName     = []byte("topic=")
	contentLength = []byte("content-length:")
	lineEnd       = []byte("\r\n")
	headEnd       = []byte("\r\n\r\n")
	published     = []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
)

// event is on its way to the streams of a topic. It is not changed until all threads have sent it.
type event struct {
	topic []byte
	text  []byte
	left  atomic.Int32 // threads that have not sent it yet
}

// read takes what a publisher has sent.
func (t *thread) read(fd int32) {
	for {
		n, errno := receive(fd, t.buffer[:])
		switch {
		case errno == syscall.EAGAIN:
			return
		case errno != 0 || n == 0:
			t.close(fd)
			return
		}
		// A recv that did not fill the buffer has emptied the socket, and what comes next is a new
		// edge.
		if !t.input(fd, t.buffer[:n]) || n < len(t.buffer) {
			return
		}
	}
}

// input publishes the requests that are complete with b and keeps the rest; false means the
// connection is closed.
func (t *thread) input(fd int32, b []byte) bool {
	before := t.pending[fd] // empty, but not nil, if it has been needed once
	if len(before) > 0 {
		before = append(before, b...)
		b = before
	}
	for len(b) > 0 {
		topic, body, size, ok := parse(b)
		if !ok {
			t.close(fd)
			return false
		}
		if size == 0 {
			break
		}
		if n, _ := send(fd, published); n != len(published) {
			t.close(fd)
			return false
		}
		t.server.post(t, topic, body)
		b = b[size:]
	}
	if len(b) > 0 || before != nil {
		t.pending[fd] = append(before[:0], b...)
	}
	return true
}

// parse finds the publish that b begins with. size is its length, 0 if it is not complete; !ok: it
// is none.
func parse(b []byte) (topic, body []byte, size int, ok bool) {
	if n := min(len(b), len(post)); !bytes.Equal(b[:n], post[:n]) {
		return nil, nil, 0, false
	}
	end := bytes.Index(b, headEnd)
	if end < 0 {
		return nil, nil, 0, len(b) <= headBytesMax
	}
	length, ok := bodyBytes(b[:end])
	if !ok {
		return nil, nil, 0, false
	}
	head := end + len(headEnd)
	if len(b)-head < length {
		return nil, nil, 0, true
	}
	return topicOf(b[:end]), b[head : head+length], head + length, true
}

// topicOf is what follows "topic=" in the request line; empty if nothing does.
func topicOf(request []byte) []byte {
	if end := bytes.IndexByte(request, '\r'); end >= 0 {
		request = request[:end]
	}
	at := bytes.Index(request, topicName)
	if at < 0 {
		return nil
	}
	topic := request[at+len(topicName):]
	for i, c := range topic {
		if c == '&' || c == ' ' {
			return topic[:i]
		}
	}
	return topic
}

// bodyBytes is the Content-Length, 0 without one.
func bodyBytes(head []byte) (n int, ok bool) {
	for line := range bytes.SplitSeq(head, lineEnd) {
		if len(line) < len(contentLength) ||
			!bytes.EqualFold(line[:len(contentLength)], contentLength) {
			continue
		}
		for _, c := range bytes.TrimSpace(line[len(contentLength):]) {
			if c < '0' || c > '9' || n > bodyBytesMax {
				return 0, false
			}
			n = 10*n + int(c-'0')
		}
		return n, n <= bodyBytesMax
	}
	return 0, true
}

// post makes an event of a body and hands it to all threads, from among them too: it takes it when
// its turn ends.
func (s *Server) post(from *thread, topic, body []byte) {
	s.mu.Lock()
	e := s.newEvent()
	s.mu.Unlock()
	e.topic = append(e.topic[:0], topic...)
	e.text = append(e.text[:0], "data: "...)
	e.text = append(e.text, body...)
	e.text = append(e.text, "\nid: "...)
	e.left.Store(int32(len(s.threads)))

	var asleep uint64 // or will be before they have seen their inbox
	s.mu.Lock()
	s.last++
	e.text = strconv.AppendUint(e.text, idFirst+s.last, 10)
	e.text = append(e.text, idEnd...)
	for _, t := range s.threads {
		if len(t.inbox) == 0 && t != from {
			asleep |= 1 << t.number
		}
		t.inbox = append(t.inbox, e)
	}
	s.posted.Add(1)
	s.mu.Unlock()
	for _, t := range s.threads {
		if asleep>>t.number&1 != 0 {
			wakeThread(t.wake)
		}
	}
}

// newEvent is an event to be filled in. s.mu is held.
func (s *Server) newEvent() *event {
	last := len(s.free) - 1
	if last < 0 {
		return new(event)
	}
	e := s.free[last]
	s.free = s.free[:last]
	return e
}
