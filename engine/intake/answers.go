package intake

import (
	"bytes"
	"net/http"
	"slices"
	"sync"
	"time"

	"ssedge/engine/refuse"
	"ssedge/shard"
)

// answers makes the heads of streams. All streams that begin in one second, with
// one origin, share the same bytes.
type answers struct {
	origins [][]byte // allowed by CORS; "*" allows all
	any     bool
	varies  bool // the answer depends on the origin

	mu     sync.Mutex
	second int64
	heads  map[string][]byte            // by what is particular about them
	ends   map[string]*shard.EarlyEnds  // by allowed origin, of which there are few
	forms  map[string]*shard.AnswerForm // of answers to polls: by content type and that origin
}

func newAnswers(origins []string) *answers {
	a := &answers{any: slices.Contains(origins, "*"), heads: make(map[string][]byte),
		ends: make(map[string]*shard.EarlyEnds), forms: make(map[string]*shard.AnswerForm)}
	for _, o := range origins {
		a.origins = append(a.origins, []byte(o))
	}
	a.varies = len(a.origins) > 0 && !a.any
	return a
}

// allowedOrigin returns the value of Access-Control-Allow-Origin for a request
// from origin; "" is none.
func (a *answers) allowedOrigin(origin []byte) string {
	switch {
	case len(origin) == 0:
		return ""
	case a.any:
		return "*"
	}
	for _, o := range a.origins {
		if bytes.Equal(o, origin) {
			return string(o)
		}
	}
	return ""
}

// AllowedOrigin is what a page from origin may be told in
// Access-Control-Allow-Origin; "" if nothing.
func (a *Admission) AllowedOrigin(origin string) string {
	return a.answers.allowedOrigin([]byte(origin))
}

// VariesByOrigin reports whether AllowedOrigin depends on the origin.
func (a *Admission) VariesByOrigin() bool { return a.answers.varies }

// head returns the response head of a stream; it is shared and must not be changed. The body has no
// length and ends with the connection (RFC 9112 6.3), or is in chunks. Either way the connection is
// not kept, and the head says so (RFC 9112 9.3, 9.6), whatever the client asked for. Otherwise a
// proxy would send its next request on it.
func (a *answers) head(r *Request, chunks bool) []byte {
	origin := a.allowedOrigin(r.Origin)
	variant := origin
	if chunks {
		variant = "chunks " + origin
	}
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := now.Unix(); s != a.second {
		a.second = s
		clear(a.heads)
	}
	head, ok := a.heads[variant]
	if !ok {
		head = a.build(now, origin, chunks)
		a.heads[variant] = head
	}
	return head
}

// earlyEnds are the answers to streams that end before they were sent their head: they wait for the
// Redis servers. For other reasons there is none: the client has gone, or streams end by them only
// once something was sent.
var earlyEnds = map[shard.CloseReason]*refuse.Answer{
	shard.ClosedMaxLifetime: refuseLifetime,
	shard.ClosedDrain:       refuseDraining,
	shard.ClosedShutdown:    refuseDraining,
}

// early returns those to one request; they are shared and must not be changed.
func (a *answers) early(r *Request) *shard.EarlyEnds {
	origin := a.allowedOrigin(r.Origin)
	a.mu.Lock()
	defer a.mu.Unlock()
	ends, ok := a.ends[origin]
	if !ok {
		ends = new(shard.EarlyEnds)
		for reason, answer := range earlyEnds {
			ends[reason] = a.refusal(answer, r.Origin)
		}
		a.ends[origin] = ends
	}
	return ends
}

// form is what the answers to polls like one have in common; it is shared and must not be changed.
// Their length is known, so the connection goes on, unless the shard says otherwise.
func (a *answers) form(r *Request) *shard.AnswerForm {
	early := a.early(r)
	origin := a.allowedOrigin(r.Origin)
	variant := r.ContentType() + " " + origin
	a.mu.Lock()
	defer a.mu.Unlock()
	form, ok := a.forms[variant]
	if !ok {
		head := []byte("HTTP/1.1 200 OK\r\nContent-Type: " + r.ContentType() +
			"\r\nCache-Control: " + r.CacheControl() + "\r\nX-Content-Type-Options: nosniff\r\n")
		head = a.appendOrigin(head, origin)
		if origin != "" {
			head = append(head, "Access-Control-Expose-Headers: Last-Event-ID\r\n"...)
		}
		form = &shard.AnswerForm{Head: head, JSON: r.poll.json, Early: early}
		a.forms[variant] = form
	}
	return form
}

func (a *answers) build(now time.Time, origin string, chunks bool) []byte {
	b := []byte("HTTP/1.1 200 OK\r\n" +
		"Content-Type: text/event-stream; charset=utf-8\r\n" +
		"Cache-Control: no-cache, no-transform\r\n" +
		"X-Accel-Buffering: no\r\n" +
		"Date: ")
	b = now.UTC().AppendFormat(b, http.TimeFormat)
	b = append(b, "\r\nConnection: close\r\n"...)
	if chunks {
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	b = a.appendOrigin(b, origin)
	return append(b, "\r\n"...)
}

func (a *answers) appendOrigin(b []byte, allowed string) []byte {
	if allowed != "" {
		b = append(b, "Access-Control-Allow-Origin: "...)
		b = append(b, allowed...)
		b = append(b, "\r\n"...)
	}
	if a.varies {
		b = append(b, "Vary: Origin\r\n"...)
	}
	return b
}

// refusal returns a complete answer, which a page from that origin may read.
func (a *answers) refusal(r *refuse.Answer, origin []byte) []byte {
	allowed := a.allowedOrigin(origin)
	more := a.appendOrigin(nil, allowed)
	if allowed != "" {
		more = append(more, "Access-Control-Expose-Headers: Retry-After\r\n"...)
	}
	return r.Append(nil, more)
}
