package httpapi

import (
	"net/http"
	"net/netip"

	"ssedge/engine/intake"
	"ssedge/shard/sys"
)

// subscribe is GET /events for requests that came to net/http: on a kept-alive
// connection, with an unusual head, or to be refused at length. An admitted one
// leaves net/http: the shard gets a descriptor of its own for the connection, and
// net/http lets go of its one without a word.
func (s *Public) subscribe(w http.ResponseWriter, r *http.Request) {
	conn := intake.ConnFrom(r.Context())
	hijacker, ok := w.(http.Hijacker)
	if conn == nil || !ok {
		s.refuse(w, &problem{501, "not_hijackable", "streams cannot be served on this connection", 0})
		return
	}
	if r.ContentLength != 0 {
		s.refuse(w, bad("body", "expected no body with a request for a stream"))
		return
	}
	request := intake.Request{
		Query:         []byte(r.URL.RawQuery),
		LastEventID:   []byte(r.Header.Get("Last-Event-ID")),
		Authorization: authorization(r),
		Origin:        []byte(r.Header.Get("Origin")),
		Minor:         r.ProtoMinor,
	}
	if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		request.Remote = ap.Addr().Unmap()
	}
	fd, err := conn.Dup()
	if err != nil {
		s.refuse(w, &problem{503, "files_max", "this server has no file descriptors left", 5})
		return
	}
	if refusal := s.config.Admission.Admit(fd, &request); refusal != nil {
		sys.Close(fd)
		s.refuse(w, &problem{refusal.Status, refusal.Cause, refusal.Reason, refusal.RetryAfter})
		return
	}
	hijacker.Hijack()
	conn.Close()
	s.config.Admission.Wake()
}
