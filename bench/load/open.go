package load

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"golang.org/x/sys/unix"
)

const (
	headBytesMax = 16 << 10
	// slowReceiveBytes is the receive buffer of streams that read slowly, so that the server feels
	// it soon.
	slowReceiveBytes = 4 << 10
	failuresMax      = 20 // different reasons kept
)

// opener is what a loop still has to open.
type opener struct {
	wanted   []int32 // slots
	retries  []retry // by time
	limit    int     // connections without an answer, of this loop
	rate     float64 // connects a second; 0: as fast as the answers come
	due      float64 // connects that the rate allows now
	paced    time.Time
	waiting  map[int32]*answer
	checked  time.Time
	causes   map[string]uint64 // why streams did not open
	patience time.Duration
}

type retry struct {
	slot int32
	at   time.Time
}

// answer is a response head that is awaited.
type answer struct {
	asked time.Time
	first time.Duration // from then to its first byte
	head  []byte        // its beginning
}

func newOpener(p *plan) opener {
	return opener{
		limit: max(1, p.InFlight/p.Threads), waiting: make(map[int32]*answer),
		causes: make(map[string]uint64), patience: p.OpenTimeout,
	}
}

func (o *opener) busy() bool { return len(o.wanted)+len(o.retries)+len(o.waiting) > 0 }

// want adds slots to those to open, at so many a second.
func (o *opener) want(slots []int32, rate float64) {
	o.wanted = append(o.wanted, slots...)
	o.rate, o.due, o.paced = rate, 1, time.Now()
}

// stopOpening cancels the streams that are not open yet.
func (l *loop) stopOpening() {
	o := &l.opener
	o.wanted, o.retries = nil, nil
	for slot := range o.waiting {
		delete(o.waiting, slot)
		l.shut(slot)
	}
}

// openMore starts as many connections as may be on their way, and gives up those that got no answer
// in time.
func (l *loop) openMore() {
	o := &l.opener
	if !o.busy() {
		return
	}
	now := time.Now()
	for len(o.retries) > 0 && !now.Before(o.retries[0].at) {
		o.wanted = append(o.wanted, o.retries[0].slot)
		o.retries = o.retries[1:]
	}
	if o.rate > 0 {
		o.due = min(o.due+now.Sub(o.paced).Seconds()*o.rate, max(1, o.rate/10))
		o.paced = now
	}
	for len(o.wanted) > 0 && len(o.waiting) < o.limit && (o.rate == 0 || o.due >= 1) {
		slot := o.wanted[0]
		o.wanted = o.wanted[1:]
		o.due--
		l.open(slot)
	}
	if now.Sub(o.checked) < time.Second {
		return
	}
	o.checked = now
	for slot, a := range o.waiting {
		if now.Sub(a.asked) > o.patience {
			l.fail(slot, fmt.Errorf("no answer within %v", o.patience))
		}
	}
}

// open starts a connection. On loopback the handshake is usually complete when connect returns, so
// the request is tried at once and waits for EPOLLOUT only if it was not.
func (l *loop) open(slot int32) {
	s := &l.streams[slot]
	if s.phase != closed {
		return
	}
	l.opener.waiting[slot] = &answer{asked: time.Now()}
	family, to := l.plan.sockaddr()
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		l.fail(slot, fmt.Errorf("socket: %w", err))
		return
	}
	s.fd, s.phase = int32(fd), connecting
	if s.slow {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, slowReceiveBytes)
	}
	if err == nil && l.plan.address.Addr().Is4() && l.plan.address.Addr().IsLoopback() {
		err = bindSource(fd, s.number)
	}
	if err == nil {
		err = unix.Connect(fd, to)
	}
	if err != nil && !errors.Is(err, unix.EINPROGRESS) {
		l.fail(slot, fmt.Errorf("connect to %v: %w", l.plan.address, err))
		return
	}
	events := uint32(unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET)
	if !l.ask(slot) {
		events |= unix.EPOLLOUT
	}
	if s.phase == closed {
		return
	}
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd,
		&unix.EpollEvent{Events: events, Fd: slot}); err != nil {
		l.fail(slot, fmt.Errorf("epoll_ctl: %w", err))
	}
}

// ask sends the request; false means the connection is not there yet.
func (l *loop) ask(slot int32) bool {
	s := &l.streams[slot]
	request := l.plan.appendRequest(l.buffer[:0], s.number, l.ids.text(s.heldID))
	n, err := unix.Write(int(s.fd), request)
	switch {
	case errors.Is(err, unix.EAGAIN):
		return false
	case err != nil:
		l.fail(slot, err)
	case n < len(request):
		l.fail(slot, fmt.Errorf("only %d of the %d bytes of the request were taken", n,
			len(request)))
	default:
		s.phase = awaitingHead
	}
	return true
}

// takeHead waits for the whole response head, checks it and passes on what follows it.
func (l *loop) takeHead(slot int32, b []byte) error {
	s, a := &l.streams[slot], l.opener.waiting[slot]
	if len(a.head) == 0 {
		a.first = time.Since(a.asked)
	} else {
		b = append(a.head, b...)
	}
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		if bytes.Contains(b, []byte("\n\n")) {
			return errors.New("expected a response head whose lines end in CRLF, found LF")
		}
		if len(b) > headBytesMax {
			return fmt.Errorf("no end of the response head within %d bytes", headBytesMax)
		}
		a.head = bytes.Clone(b)
		return nil
	}
	framing, err := checkHead(b[:end+2])
	if err != nil {
		return withServerError(err, b[end+4:])
	}
	delete(l.opener.waiting, slot)
	l.first.RecordValue(a.first.Microseconds())
	s.phase, s.body, s.chunkLeft = streaming, framing, 0
	s.history |= wasOpen
	l.settle(s)
	l.tally.Opened++
	l.tally.Live++
	if s.slow && l.plan.Slow.Bytes > 0 && !s.dribbles {
		s.dribbles = true
		l.dribbles = append(l.dribbles, slot)
	}
	return l.body(slot, b[end+4:])
}

// withServerError adds the beginning of what a server that refuses has to say.
func withServerError(err error, body []byte) error {
	text := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) && !unicode.IsSpace(r) {
			return '.'
		}
		return r
	}, string(body[:min(len(body), saidBytes)]))
	if text = strings.Join(strings.Fields(text), " "); text == "" {
		return err
	}
	return fmt.Errorf("%w: %s", err, text)
}

// saidBytes is how much of that is kept.
const saidBytes = 200

// checkHead takes the head with the line end of its last field.
func checkHead(head []byte) (framing, error) {
	status, fields, _ := bytes.Cut(head, []byte("\r\n"))
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 200")) &&
		!bytes.HasPrefix(status, []byte("HTTP/1.0 200")) {
		return 0, fmt.Errorf("expected HTTP/1.1 200, found %q", status)
	}
	lower := strings.ToLower("\r\n" + string(fields))
	if media, _, _ := strings.Cut(field(lower, "content-type"),
		";"); strings.TrimSpace(media) != "text/event-stream" {
		return 0, fmt.Errorf("expected Content-Type: text/event-stream, found %.60q", media)
	}
	if coding := field(lower, "content-encoding"); coding != "" && coding != "identity" {
		return 0, fmt.Errorf("expected no Content-Encoding, found %q", coding)
	}
	switch coding := field(lower, "transfer-encoding"); coding {
	case "", "identity":
		if length := field(lower, "content-length"); length != "" {
			return 0, fmt.Errorf("expected a stream without end, found Content-Length: %.20q",
				length)
		}
		return untilClose, nil
	case "chunked":
		return chunkSize, nil
	default:
		return 0, fmt.Errorf("expected Transfer-Encoding: chunked or none, found %q", coding)
	}
}

// field is the value of the first field of a name, in lower case like the head; "" if there is
// none.
func field(head, name string) string {
	_, after, _ := strings.Cut(head, "\r\n"+name+":")
	value, _, _ := strings.Cut(after, "\r\n")
	return strings.TrimSpace(value)
}

// fail takes a stream that did not open, and tries again later if it shall.
func (l *loop) fail(slot int32, err error) {
	o := &l.opener
	delete(o.waiting, slot)
	l.shut(slot)
	l.settle(&l.streams[slot])
	l.tally.Failed++
	cause := err.Error()
	if _, known := o.causes[cause]; !known && len(o.causes) >= failuresMax {
		cause = "others"
	}
	o.causes[cause]++
	if l.plan.Retry > 0 && !l.stopped {
		o.retries = append(o.retries, retry{slot, time.Now().Add(l.plan.Retry)})
	}
}
