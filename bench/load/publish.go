package load

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"
)

const (
	// OneEvent is the content type of a body that is the data of one event; NDJSON of one with an event per line.
	OneEvent = "application/octet-stream"
	NDJSON   = "application/x-ndjson"

	answerBytesMax = 1 << 20
)

// Publisher is one keep-alive connection with one request on its way at a time. For one goroutine.
type Publisher struct {
	conn    net.Conn
	head    []byte // up to the value of Content-Length
	request []byte
	answer  []byte
}

// NewPublisher connects. path is the request target, such as /publish?topic=all; after deadline every call fails.
func NewPublisher(target netip.AddrPort, path, contentType string, deadline time.Time) (*Publisher, error) {
	conn, err := net.DialTimeout("tcp", target.String(), time.Until(deadline))
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(deadline)
	head := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: ", path, target, contentType)
	return &Publisher{conn: conn, head: head, answer: make([]byte, 16<<10)}, nil
}

// StatusError is an answer other than 200. The connection may be used further.
type StatusError struct{ Answer string }

func (e *StatusError) Error() string { return fmt.Sprintf("expected HTTP/1.1 200, found %q", e.Answer) }

// Publish posts a body and waits for the whole answer. Any status but 200 is a *StatusError.
func (p *Publisher) Publish(body []byte) error {
	p.request = append(p.request[:0], p.head...)
	p.request = strconv.AppendInt(p.request, int64(len(body)), 10)
	p.request = append(p.request, "\r\n\r\n"...)
	p.request = append(p.request, body...)
	if _, err := p.conn.Write(p.request); err != nil {
		return err
	}
	return p.readAnswer()
}

func (p *Publisher) readAnswer() error {
	for have := 0; ; {
		if have == len(p.answer) {
			if have >= answerBytesMax {
				return fmt.Errorf("expected an answer of at most %d bytes, found more", answerBytesMax)
			}
			p.answer = append(p.answer, make([]byte, have)...)
		}
		n, err := p.conn.Read(p.answer[have:])
		if err != nil {
			return err
		}
		have += n
		total, err := answerBytes(p.answer[:have])
		if err != nil {
			return err
		}
		if total == 0 || have < total {
			continue
		}
		if have > total {
			return fmt.Errorf("expected an answer of %d bytes, found %d", total, have)
		}
		if !bytes.HasPrefix(p.answer, []byte("HTTP/1.1 200")) {
			return &StatusError{Answer: string(p.answer[:min(have, 400)])}
		}
		return nil
	}
}

// answerBytes is the length of the answer that b begins with, head and body; 0 while the head is incomplete.
func answerBytes(b []byte) (int, error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, nil
	}
	const field = "\r\ncontent-length:"
	for at := 0; at+len(field) < end+2; at++ {
		if b[at] != '\r' || !bytes.EqualFold(b[at:at+len(field)], []byte(field)) {
			continue
		}
		value, _, _ := bytes.Cut(b[at+len(field):], []byte("\r\n"))
		n, err := strconv.Atoi(string(bytes.TrimSpace(value)))
		if err != nil || n < 0 {
			return 0, fmt.Errorf("expected a Content-Length, found %q", value)
		}
		return end + 4 + n, nil
	}
	return 0, errors.New("expected an answer with Content-Length, found none")
}

func (p *Publisher) Close() { p.conn.Close() }
