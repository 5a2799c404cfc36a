package intake

import (
	"net"
	"net/netip"
	"strings"

	"ssedge/engine/auth"
	"ssedge/engine/refuse"
	"ssedge/proto/http1"
	"ssedge/shard/sys"
)

// StreamPath is where streams are asked for.
const StreamPath = "/events"

// judge takes a connection whose request head is complete; received is that head and what came
// after it. A request for a stream becomes one or, for want of room, is refused right here: a storm
// must not reach net/http. Everything else goes there, and so does a request for a stream that
// needs a longer answer. n is the head's length. fd is no longer the caller's afterwards.
func (in *Intake) judge(fd int, from peer, received []byte, n int, r *reader) {
	r.request.fill(&r.head, from, &in.admission.config.Proxies)
	r.request.behind = received[n:]
	if !isStream(&r.head) || in.admission.config.LocalHosts && from.addr.IsValid() &&
		!LocalHost(r.head.Authority) {
		in.toHTTP(fd, from, received, r.request.Origin, in.placeFor(&r.request))
		return
	}
	refusal := in.admission.Admit(fd, &r.request)
	if refusal != nil {
		in.warnOfProxy(from, refusal, func(field string) bool {
			_, n := r.head.Get(field)
			return n > 0
		})
	}
	switch {
	case refusal == nil:
	case overload(refusal):
		in.refuse(fd, refusal, r.request.Origin)
	default:
		in.toHTTP(fd, from, received, r.request.Origin, in.placeFor(&r.request))
	}
}

// placeFor says which place the connection of a request may have at net/http.
func (in *Intake) placeFor(r *Request) place {
	if in.admission.config.Authorizer.Publish(r.Authorization, nil) == auth.Allowed {
		return place{}
	}
	client, _ := in.admission.config.Proxies.client(r.Remote, r.Forwarded)
	return place{true, client}
}

// isStream tells the plain request for a stream. Anything unusual about it (a
// body, an upgrade) is left to net/http.
func isStream(h *http1.Head) bool {
	return string(h.Path) == StreamPath && string(h.Method) == "GET" && !h.HasBody && !h.Upgrade &&
		!h.ExpectContinue
}

// LocalHost reports whether a Host (host or host:port) names this machine.
func LocalHost(authority []byte) bool {
	host := string(authority)
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if host == "" || strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// fill takes from a request head what admission needs to know.
func (r *Request) fill(h *http1.Head, from peer, p *Proxies) {
	r.Query = h.Query
	r.LastEventID, _ = h.Get("last-event-id")
	r.Origin, _ = h.Get("origin")
	r.Authorization = nil
	if value, n := h.Get("authorization"); n > 0 {
		r.Authorization = value
	}
	r.head, r.from, r.Remote, r.Forwarded = h, from, from.addr, nil
	if p.trustsFields(from) {
		r.forwarded = h.AppendJoined(r.forwarded[:0], p.field)
		r.Forwarded = r.forwarded
	}
	r.Minor, r.KeepAlive = h.Minor, h.KeepAlive
	r.TargetBytes, r.HeadBytes = len(h.Target), h.Bytes()
}

// refuse answers a connection that goes no further, and closes it when the client
// has had time to read that. origin is that of the page that asks, if it is known.
func (in *Intake) refuse(fd int, r *refuse.Answer, origin []byte) {
	in.Refused(r.Cause)
	sys.Send(fd, in.admission.answers.refusal(r, origin))
	in.heads.linger(fd)
}

// answer sends a refusal and leaves the connection as it is.
func (in *Intake) answer(fd int, r *refuse.Answer) {
	in.Refused(r.Cause)
	sys.Send(fd, in.admission.answers.refusal(r, nil))
}
