package intake

import (
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"ssedge/engine/refuse"
	"ssedge/proto/http1"
	"ssedge/shard/sys"
)

// acceptBatch is how many connections are accepted before the lock is given up and the shards are
// woken.
const acceptBatch = 256

// acceptBatches is how many batches one call accepts before the poller looks after its other
// descriptors, and acceptPause the time between two: the pauses are 5 ms at most.
const (
	acceptBatches = 64
	acceptPause   = 75 * time.Microsecond
)

// shortPause is how long a poller waits when the host is short of something that
// accept(2) needs: the one time that waiting is better than coming back.
const shortPause = 5 * time.Millisecond

// acceptor is one listening socket, driven by a poller. In the common case, a
// browser's request for a stream that came in one piece, a connection is
// accepted, read, admitted and on its way to a shard after two system calls.
type acceptor struct {
	in      *Intake
	addr    net.Addr
	proxies bool // each connection begins with a PROXY protocol header

	socket os.FileInfo // of a unix socket, when it was opened

	mu     sync.Mutex // a closed descriptor's number is soon another connection's
	fd     int
	closed bool

	peer   sys.Peer
	buf    []byte
	parser http1.Parser
	reader reader
}

// reader is scratch for judging a complete request head.
type reader struct {
	head    http1.Head
	request Request
}

func newAcceptor(in *Intake, fd int, addr net.Addr, proxies bool) *acceptor {
	a := &acceptor{in: in, addr: addr, proxies: proxies, fd: fd,
		buf: make([]byte, in.config.HeadBytes)}
	if addr.Network() == "unix" {
		a.socket, _ = os.Lstat(addr.String())
	}
	return a
}

// Fd and Accept are what netpoll asks of a listener. Accept is called on a poller
// when Fd is readable; there never is a connection for netpoll in it.
func (a *acceptor) Fd() int { return a.fd }

func (a *acceptor) Accept() (net.Conn, error) {
	for range acceptBatches {
		if !a.batch() {
			break
		}
		// Where one connection came, more are coming: in a storm a pause makes
		// one wake-up of many, for the poller and for the shards behind it.
		time.Sleep(acceptPause)
	}
	return nil, nil
}

// batch accepts all there are, up to acceptBatch, and reports whether there were any.
func (a *acceptor) batch() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return false
	}
	accepted := 0
	for ; accepted < acceptBatch; accepted++ {
		fd, errno := a.in.files.accept(a.fd, &a.peer)
		if errno == unix.EMFILE || errno == unix.ENFILE {
			if !a.refuseForFiles() {
				time.Sleep(shortPause)
			}
			break
		}
		if errno == unix.ENOBUFS || errno == unix.ENOMEM {
			time.Sleep(shortPause)
		}
		if errno != 0 { // EAGAIN: that was all; others are the network's (accept(2))
			break
		}
		a.readFirst(fd, peer{addr: a.peer.Addr()})
	}
	a.in.admission.Wake()
	return accepted > 0
}

// readFirst reads what came with the connection; usually that is the whole head.
func (a *acceptor) readFirst(fd int, from peer) {
	if !a.in.hasRoom() {
		sys.Recv(fd, a.buf) // closing over unread input would reset the answer away
		a.in.answer(fd, refuseFiles)
		sys.Close(fd)
		return
	}
	n, errno := sys.Recv(fd, a.buf)
	switch {
	case errno == sys.EAGAIN:
		n = 0
	case errno != 0 || n == 0:
		sys.Close(fd)
		return
	}
	received := a.buf[:n]
	a.parser.Reset()
	if a.proxies {
		n, client, refusal := a.in.admission.config.Proxies.preface(received, from)
		switch {
		case refusal != nil:
			a.in.refuse(fd, refusal, nil)
			return
		case n == 0:
			a.in.heads.add(fd, from, received, &a.parser, true)
			return
		}
		received, from = received[n:], client
	}
	n, done, err := a.parser.Parse(received, &a.in.config.Limits, &a.reader.head)
	switch {
	case err != nil:
		a.in.refuse(fd, refuse.Unreadable(err), nil)
	case done:
		a.in.judge(fd, from, received, n, &a.reader)
	default:
		a.in.heads.add(fd, from, received, &a.parser, false)
	}
}

// refuseForFiles answers one connection although there is no descriptor left for
// it, in place of a spare one. The others wait in the backlog: the poller comes
// back at once, for the socket stays readable. It reports false if there is no
// spare one either: coming back at once would be to come back for nothing.
func (a *acceptor) refuseForFiles() bool {
	return a.in.files.withSpare(func() {
		if fd, errno := sys.Accept(a.fd, &a.peer); errno == 0 {
			sys.Recv(fd, a.buf) // closing over unread input would reset the answer away
			a.in.answer(fd, refuseFiles)
			sys.Close(fd)
		}
	})
}

// Close is called when the intake closes. It may be called twice.
func (a *acceptor) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed {
		a.closed = true
		a.removeSocket()
		sys.Close(a.fd)
	}
	return nil
}

// removeSocket takes a unix socket away while it is still open, if the path is still
// ours: the next server may have been put in its place, or be waiting for it.
func (a *acceptor) removeSocket() {
	if a.addr.Network() != "unix" {
		return
	}
	if now, err := os.Lstat(a.addr.String()); err == nil && os.SameFile(a.socket, now) {
		os.Remove(a.addr.String())
	}
}

// Addr returns the address listened on.
func (a *acceptor) Addr() net.Addr { return a.addr }
