package clients

import (
	"bytes"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// wire is a TCP proxy between a client and servers. It looks at what servers send, cuts connections
// where it is told to, and holds new ones while the test has something to do. Requests for pages
// and scripts go to the page server: a page that comes from here has the same origin as the stream.
type wire struct {
	t       *testing.T
	address string
	pages   string // address of the page server; "" for clients that are no browser

	mu      sync.Mutex
	changed *sync.Cond
	ln      net.Listener
	to      string // address of the server
	held    bool   // new connections wait before their server is called
	cuts    []cut  // to come, in this order
	done    int    // cuts that were made
	open    map[net.Conn]bool
	opened  int // openings that went through whole
	streams int // connections that are open and have had theirs
	status  map[string]int
	ids     map[string]bool // whole ids that were sent
	closed  bool
}

// cut is where to cut a connection.
type cut struct {
	name string
	// at returns how much of what a server has sent on a connection, from its head on, is
	// passed on before the cut; -1: the place has not come.
	at    func(sent []byte) int
	reset bool // by RST instead of FIN
}

const wireHost = "127.81.0.1"

func newWire(t *testing.T, to, pages string) *wire {
	t.Helper()
	w := &wire{t: t, to: to, pages: pages, open: map[net.Conn]bool{}, status: map[string]int{},
		ids: map[string]bool{"": true}}
	w.changed = sync.NewCond(&w.mu)
	w.address = wireHost + ":0"
	w.listen()
	t.Cleanup(func() {
		w.mu.Lock()
		w.closed, w.held = true, false
		w.changed.Broadcast()
		w.mu.Unlock()
		w.refuse()
		w.cutAll(false)
	})
	return w
}

// listen takes connections, at the same address as before.
func (w *wire) listen() {
	ln, err := net.Listen("tcp", w.address)
	if err != nil {
		w.t.Errorf("the wire cannot listen: %v", err)
		return
	}
	w.mu.Lock()
	w.ln, w.address = ln, ln.Addr().String()
	w.mu.Unlock()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go w.carry(c)
		}
	}()
}

// refuse refuses connections until listen.
func (w *wire) refuse() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ln.Close()
}

// carry is a connection's life.
func (w *wire) carry(c net.Conn) {
	defer c.Close()
	head, err := readHead(c)
	if err != nil {
		return
	}
	if w.pages != "" && !bytes.Contains(head, []byte(" /events?")) {
		w.pass(c, w.pages, head)
		return
	}
	w.mu.Lock()
	for w.held {
		w.changed.Wait()
	}
	to := w.to
	w.open[c] = true
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		delete(w.open, c)
		w.mu.Unlock()
	}()
	s, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer s.Close()
	go func() { io.Copy(s, c); s.Close() }() // the client has gone: so does its stream
	if _, err := s.Write(head); err != nil {
		return
	}
	w.watch(c, s)
}

func (w *wire) pass(c net.Conn, to string, head []byte) {
	s, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer s.Close()
	s.Write(head)
	io.Copy(c, s)
}

// watch passes on what a server sends, until its end or a cut.
func (w *wire) watch(c, s net.Conn) {
	var sent []byte
	passed, opened, known := 0, false, 0
	buf := make([]byte, 64<<10)
	for {
		n, err := s.Read(buf)
		sent = append(sent, buf[:n]...)
		w.mu.Lock()
		end, reset := len(sent), false
		if len(w.cuts) > 0 {
			if at := w.cuts[0].at(sent); at >= 0 && n > 0 {
				end, reset = max(at, passed), w.cuts[0].reset
				w.cuts = w.cuts[1:]
				w.done++
				w.held = true
				err = io.EOF
			}
		}
		if passed == 0 && len(sent) > 12 {
			w.status[string(sent[9:12])]++
		}
		if !opened && wholeOpening.Match(sent[:end]) {
			opened = true
			w.opened++
			w.streams++
			defer func() {
				w.mu.Lock()
				w.streams--
				w.mu.Unlock()
			}()
		}
		for _, id := range idLine.FindAllSubmatch(sent[known:], -1) {
			w.ids[string(id[1])] = true
		}
		// a line that is not whole yet is looked at again
		known = max(0, bytes.LastIndexByte(sent, '\n'))
		w.changed.Broadcast()
		w.mu.Unlock()
		if _, e := c.Write(sent[passed:end]); e != nil {
			return
		}
		passed = end
		if err != nil {
			time.Sleep(10 * time.Millisecond) // what was passed on gets there before a reset does
			if t, ok := c.(*net.TCPConn); ok && reset {
				t.SetLinger(0)
			}
			return
		}
	}
}

var (
	idLine       = regexp.MustCompile(`\nid: ([^\n]*)\n`)
	wholeOpening = regexp.MustCompile(`(?s)\r\n\r\n.*event: ssedge\n.*\n\n`)
)

func readHead(c net.Conn) (head []byte, err error) {
	buf := make([]byte, 8<<10)
	for !bytes.Contains(head, []byte("\r\n\r\n")) {
		n, err := c.Read(buf)
		if err != nil {
			return nil, err
		}
		head = append(head, buf[:n]...)
	}
	return head, nil
}

// cutAll ends all connections now.
func (w *wire) cutAll(reset bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.open {
		if t, ok := c.(*net.TCPConn); ok && reset {
			t.SetLinger(0)
		}
		c.Close()
	}
}

// hold has new connections wait until release.
func (w *wire) hold() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held = true
}

// release lets connections through to a server, and cuts them as it is told.
func (w *wire) release(cuts ...cut) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held = false
	w.cuts = append(w.cuts, cuts...)
	w.changed.Broadcast()
}

// turnTo has new connections go to another server.
func (w *wire) turnTo(server string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.to = server
}

// counts are the cuts that were made and the openings that went through.
func (w *wire) counts() (cuts, openings int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.done, w.opened
}

// connected reports whether the client has a stream.
func (w *wire) connected() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.streams > 0
}

func (w *wire) answered(status string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status[status]
}

// sent reports whether an id was sent whole.
func (w *wire) sent(id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ids[id]
}

// inside cuts inside the first thing that begins with from, after so many bytes of it.
func inside(name, from string, after int, reset bool) cut {
	return cut{name, func(sent []byte) int {
		if i := bytes.Index(sent, []byte(from)); i >= 0 && len(sent) >= i+after {
			return i + after
		}
		return -1
	}, reset}
}

// behind cuts inside what follows a marker, after so many bytes of it.
func behind(name, marker, from string, after int, reset bool) cut {
	return cut{name, func(sent []byte) int {
		_, rest, ok := strings.Cut(string(sent), marker)
		if !ok {
			return -1
		}
		if i := strings.Index(rest, from); i >= 0 && len(rest) >= i+after {
			return len(sent) - len(rest) + i + after
		}
		return -1
	}, reset}
}
