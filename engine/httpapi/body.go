package httpapi

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"ssedge/engine/refuse"
)

// patientBody is a body whose publisher may take as long as it likes, but not be silent for longer
// than the body timeout. The answer has that long from then on. It ends when the server goes away.
type patientBody struct {
	io.Reader
	control *http.ResponseController
	timeout time.Duration
	lines   bool // it is read line by line, and may be of any length
	of      *bodies

	mu    sync.Mutex
	ended bool
}

// errEnded is what a body ends with that the server does not read any further.
var errEnded = errors.New("the server goes away")

// bodies are those that are being read.
type bodies struct {
	mu         sync.Mutex
	all        map[*patientBody]struct{}
	linesEnded bool
	allEnded   bool
}

// EndLines has bodies of lines end behind the line that is being read: their publishers are told
// what was taken. Later ones end at once.
func (s *Public) EndLines() { s.bodies.end(false) }

// EndBodies has all bodies end where they are.
func (s *Public) EndBodies() { s.bodies.end(true) }

func (of *bodies) end(all bool) {
	of.mu.Lock()
	defer of.mu.Unlock()
	of.linesEnded, of.allEnded = true, of.allEnded || all
	for b := range of.all {
		if b.lines || all {
			b.end()
		}
	}
}

// beginBody begins to read a body; done must be called at its end.
func (s *Public) beginBody(w http.ResponseWriter, r *http.Request, lines bool) *patientBody {
	b := &patientBody{Reader: r.Body, control: http.NewResponseController(w),
		timeout: s.config.BodyTimeout, lines: lines, of: &s.bodies}
	b.of.mu.Lock()
	defer b.of.mu.Unlock()
	if b.of.all == nil {
		b.of.all = map[*patientBody]struct{}{}
	}
	b.of.all[b] = struct{}{}
	b.ended = b.of.allEnded || lines && b.of.linesEnded
	return b
}

func (b *patientBody) done() {
	b.of.mu.Lock()
	defer b.of.mu.Unlock()
	delete(b.of.all, b)
}

func (b *patientBody) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	b.control.SetReadDeadline(time.Now()) // wakes Read
}

func (b *patientBody) hasEnded() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ended
}

func (b *patientBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	if b.ended {
		b.mu.Unlock()
		return 0, errEnded
	}
	b.control.SetReadDeadline(time.Now().Add(b.timeout))
	b.mu.Unlock()
	n, err := b.Reader.Read(p)
	if n == 0 && err != nil && err != io.EOF && b.hasEnded() {
		err = errEnded
	}
	return n, err
}

// readAll appends a body to a buffer of the share, up to one byte more than limit.
func (b *patientBody) readAll(into *[]byte, of *share, limit int64) *refuse.Answer {
	for int64(len(*into)) <= limit {
		if p := of.grow(into, bytes.MinRead); p != nil {
			return p
		}
		room := (*into)[len(*into):cap(*into)]
		n, err := b.Read(room[:min(int64(len(room)), limit+1-int64(len(*into)))])
		*into = (*into)[:len(*into)+n]
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return b.broken(err)
		}
	}
	return nil
}

// mayWrite gives what is written next its time.
func (b *patientBody) mayWrite() { b.control.SetWriteDeadline(time.Now().Add(b.timeout)) }

// broken is the answer to a client whose body cannot be read. It leaves out the error itself, which
// may contain addresses of this server.
func (b *patientBody) broken(err error) *refuse.Answer {
	switch {
	case errors.Is(err, errEnded):
		return causeDraining.Say("this server is going away, and takes no more")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return causeBodyTimeout.Say("nothing of the body came for %v", b.timeout)
	}
	return causeShortBody.Say("the body ended early, or its chunks cannot be read")
}
