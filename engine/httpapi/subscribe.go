package httpapi

import (
	"io"
	"net/http"
	"strings"

	"ssedge/engine/intake"
	"ssedge/engine/refuse"
	"ssedge/shard/sys"
)

// subscribe is GET /events for requests that came to net/http: on a kept-alive connection, with an
// unusual head, or to be refused at length. An admitted one leaves net/http: the shard gets a
// descriptor of its own for the connection, and net/http lets go of its one without a word.
func (s *Public) subscribe(w http.ResponseWriter, r *http.Request) {
	conn := intake.ConnFrom(r.Context())
	hijacker, ok := w.(http.Hijacker)
	if conn == nil || !ok {
		s.refuse(w, notHere)
		return
	}
	// A client that asks for a stream and gets none has nothing more to ask for. If its
	// connection were kept, it would take the place of a publisher's.
	w.Header().Set("Connection", "close")
	if p := s.noContent(w, r); p != nil {
		s.refuse(w, p)
		return
	}
	request := s.streamRequest(conn, r)
	poll := request.AsksForPoll()
	if poll {
		if refused := s.config.Admission.Check(&request); refused != nil {
			s.refuse(w, refused)
			return
		}
	}
	fd, err := conn.Dup()
	if err != nil {
		s.refuse(w, causeFilesMax.Say("this server has no file descriptors left"))
		return
	}
	if poll {
		conn.Poll(hijacker, fd, &request, r.Header)
		return
	}
	if refused := s.config.Admission.Admit(fd, &request); refused != nil {
		sys.Close(fd)
		conn.WarnOfProxy(refused, r.Header)
		s.refuse(w, refused)
		return
	}
	hijacker.Hijack()
	conn.Close()
	s.config.Admission.Wake()
}

// noContent waits for the end of a body that is announced in chunks: some gateways announce a body
// for every request that they pass on, and send none. A body with content is refused at its first
// byte.
func (s *Public) noContent(w http.ResponseWriter, r *http.Request) *refuse.Answer {
	if r.ContentLength == 0 {
		return nil
	}
	if r.ContentLength < 0 {
		body := s.beginBody(w, r, false)
		defer body.done()
		n, err := io.ReadFull(body, make([]byte, 1))
		body.mayWrite()
		switch {
		case err == io.EOF:
			return nil
		case n == 0:
			return body.broken(err)
		}
	}
	return causeBody.Say("expected no body with a request for a stream")
}

var notHere = causeNotHijackable.Say("streams cannot be served on this connection")

// streamRequest is what admission needs to know of a request.
func (s *Public) streamRequest(conn *intake.Conn, r *http.Request) intake.Request {
	remote, forwarded := conn.From(r.Header)
	return intake.Request{
		Query:         []byte(r.URL.RawQuery),
		LastEventID:   []byte(r.Header.Get("Last-Event-ID")),
		Authorization: authorization(r),
		Origin:        []byte(r.Header.Get("Origin")),
		Remote:        remote,
		Forwarded:     forwarded,
		Accept:        []byte(strings.Join(r.Header.Values("Accept"), ",")),
		Minor:         r.ProtoMinor,
		KeepAlive:     !r.Close,
		TargetBytes:   len(r.RequestURI),
		HeadBytes:     headBytes(r),
	}
}

// headBytes is the length of a request's head, but for blanks that net/http has taken away.
func headBytes(r *http.Request) int {
	n := len(r.Method) + len(" ") + len(r.RequestURI) + len(" HTTP/1.1\r\nHost: \r\n\r\n") +
		len(r.Host)
	for name, values := range r.Header {
		for _, value := range values {
			n += len(name) + len(": \r\n") + len(value)
		}
	}
	return n
}
