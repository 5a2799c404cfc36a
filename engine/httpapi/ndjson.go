package httpapi

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"

	"ssedge/engine/refuse"
)

// receiptsHeld is how many bytes of receipts are held back until the body is at
// its end: a client that writes everything before it reads is served as well as
// one that reads along. Beyond, they are sent while events still come in, and a
// client that never reads them is given up after the body timeout.
const receiptsHeld = 256 << 10

// publishStream takes one event per line for as long as they come, in bounded memory. Each line is
// answered with a line: its receipt or, at the first that is not in order, the reason; what came
// before it is published, what comes after is not read.
func (s *Public) publishStream(w http.ResponseWriter, r *http.Request) {
	if p := withoutKeyField(r); p != nil {
		s.refuse(w, p)
		return
	}
	of := s.newShare()
	defer of.release()
	const buffered = 64 << 10
	if p := of.add(buffered); p != nil {
		s.refuse(w, p)
		return
	}
	st := &stream{
		s: s, w: w, body: s.beginBody(w, r, true), publisher: authorization(r),
		draft: newDrafts(s.config.Rule, of),
	}
	defer st.draft.drop()
	defer st.body.done()
	st.body.control.EnableFullDuplex()
	lines := bufio.NewReaderSize(st.body, buffered)
	for {
		line, err := st.readLine(lines)
		if err != nil && !errors.Is(err, io.EOF) {
			st.fail(err)
			return
		}
		if text := bytes.Trim(line, jsonBlanks); len(text) > 0 {
			if st.body.hasEnded() {
				// lines that have come, too: their publisher is told that they were not taken
				st.refuse(st.body.broken(errEnded))
				return
			}
			if p := st.take(text); p != nil {
				st.refuse(p)
				return
			}
		}
		if err != nil {
			st.finish()
			return
		}
	}
}

// stream is the state of one such request.
type stream struct {
	s         *Public
	w         http.ResponseWriter
	body      *patientBody
	publisher []byte
	draft     *drafts // of one line
	long      []byte  // a line longer than the reader's buffer
	line      int     // lines read
	published int
	out       []byte // receipts that were not sent yet
	sending   bool   // the head and the first receipts were sent
}

var errLineTooLong = errors.New("line too long")

// lineBytesMax bounds a line: an event whose every byte is escaped (\u0041), and its other members.
func (s *Public) lineBytesMax() int { return 6*s.config.Rule.EventBytes + 16<<10 }

// readLine returns the next line; io.EOF comes with the last, which may be empty.
// The line is valid until the next call.
func (st *stream) readLine(r *bufio.Reader) ([]byte, error) {
	st.line++
	line, err := r.ReadSlice('\n')
	if err != bufio.ErrBufferFull {
		return line, err
	}
	st.long = st.long[:0]
	for {
		if p := st.draft.share.grow(&st.long, len(line)); p != nil {
			return nil, p
		}
		st.long = append(st.long, line...)
		if len(st.long) > st.s.lineBytesMax() {
			return nil, errLineTooLong
		}
		if err != bufio.ErrBufferFull {
			return st.long, err
		}
		line, err = r.ReadSlice('\n')
	}
}

// take publishes the event of one line.
func (st *stream) take(text []byte) *refuse.Answer {
	m, p := st.draft.decode(text)
	if p != nil {
		return p
	}
	st.draft.reset()
	if p := st.draft.addMessage(m); p != nil {
		return p
	}
	if p := st.draft.share.grow(&st.out, receiptBytesMax); p != nil {
		return p
	}
	got, p := st.s.put(st.publisher, st.draft.event(0))
	if p != nil {
		return p
	}
	st.published++
	st.out = append(appendReceipt(st.out, got), '\n')
	if len(st.out) >= receiptsHeld || st.sending && len(st.out) >= 16<<10 {
		return st.send()
	}
	return nil
}

// send sends the receipts there are, and from then on all that follow soon.
func (st *stream) send() *refuse.Answer {
	if !st.sending {
		st.sending = true
		st.w.Header().Set("Content-Type", "application/x-ndjson")
		st.w.Header().Set("Cache-Control", "no-store")
		st.w.WriteHeader(http.StatusOK)
	}
	st.body.mayWrite()
	_, err := st.w.Write(st.out)
	st.out = st.out[:0]
	if err == nil {
		err = st.body.control.Flush()
	}
	if err != nil {
		return causeReceiptsTimeout.Say("the receipts were not read in time")
	}
	return nil
}

func (st *stream) finish() {
	if st.sending {
		st.send()
		return
	}
	st.body.mayWrite()
	writeBody(st.w, http.StatusOK, "application/x-ndjson", st.out)
}

// refuse ends the stream with the reason for the present line.
func (st *stream) refuse(p *refuse.Answer) {
	st.body.mayWrite()
	at := refuse.Where{Line: st.line, Counts: true, Published: st.published}
	st.w.Header().Set("Connection", "close") // the rest of the body is not read
	if !st.sending && len(st.out) == 0 {
		st.s.refuseAt(st.w, p, at)
		return
	}
	// Receipts come first; the publisher must know what was taken.
	st.s.config.Refused(p.Cause)
	st.out = p.AppendBody(st.out, at)
	if st.sending {
		st.send()
		return
	}
	p.SetFields(st.w.Header())
	writeBody(st.w, p.Status, "application/x-ndjson", st.out)
}

// fail ends the stream over a body that cannot be read.
func (st *stream) fail(err error) {
	var p *refuse.Answer
	switch {
	case errors.As(err, &p):
	case errors.Is(err, errLineTooLong):
		p = tooLarge("a line", strconv.Itoa(len(st.long)), int64(st.s.lineBytesMax()),
			"event-bytes")
	default:
		p = st.body.broken(err)
	}
	st.refuse(p)
}
