package intake

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"ssedge/engine/refuse"
	"ssedge/proto/eventid"
	"ssedge/proto/http1"
	"ssedge/proto/rule"
	"ssedge/shard/log"
)

// Request is what admission needs to know of a request for a stream, whether it was
// read by intake from the bytes, or by net/http. Reuse one to reuse its scratch. Its
// slices are only read during [Admission.Admit].
type Request struct {
	Query         []byte // of the target, still encoded
	LastEventID   []byte // value of the field; empty if there is none
	Authorization []byte // value of the field; nil if there is none
	Origin        []byte // value of the field; empty if there is none
	// the connection's peer, or the address that a PROXY protocol header names; the zero Addr: a
	// unix socket
	Remote netip.Addr
	// value of the field of [Proxies], of several joined by commas; empty if there is none
	Forwarded   []byte
	Accept      []byte // value of the field, of several joined by commas; empty if there is none
	Minor       int    // HTTP/1.<Minor>
	KeepAlive   bool   // the client expects the connection to go on (RFC 9112 9.3)
	TargetBytes int    // of the target as sent, and
	HeadBytes   int    // … of the head; 0: they do not matter

	forwarded []byte   // scratch
	key       []byte   // scratch: a decoded key of the query
	value     []byte   // scratch: a decoded value
	text      []byte   // scratch: decoded names and ids
	topics    [][]byte // the topics, each once, by name: the order of the positions in an id
	resume    log.Resume
	position  eventid.Position
	positions []eventid.Position
	names     []span
	head      *http1.Head // scratch: what intake has read; nil: it was net/http
	accept    []byte      // scratch
	from      peer        // of a poll, whose connection comes back
	behind    []byte      // of a poll: what was received behind the head
	poll      poll
	rewind    int    // events of each topic to begin with, if there is no id
	opening   []byte // scratch: what a stream is sent first
}

type span struct{ from, to int }

// RequestLimits bound what a request for a stream may contain.
type RequestLimits struct {
	TopicsPerStream int
	TopicBytes      int
	TargetBytes     int // of a target, with an id to resume from
	HeadBytes       int // of a head, with one
	PollMax         time.Duration
}

// parse reads the topics and the resume position out of the query and the Last-Event-ID header,
// which takes precedence over the query. If the query has several positions, the last one counts:
// clients append theirs to a URL that may have one already. A position that cannot be read is not
// an error: the stream begins with a gap event, since an error would make an EventSource give up.
func (r *Request) parse(lim *RequestLimits) *refuse.Answer {
	if err := http1.CheckQuery(r.Query); err != nil {
		return refuseQuery
	}
	r.text, r.names, r.rewind = r.text[:0], r.names[:0], 0
	r.poll = poll{}
	var fromQuery []byte
	near := ""
	for rest := r.Query; ; {
		key, value, next, ok := http1.NextPair(rest)
		if !ok {
			break
		}
		rest = next
		r.key, _ = http1.AppendUnescaped(r.key[:0], key) // was checked above, as are the values
		switch {
		case string(r.key) == "topic":
			if refusal := r.addTopic(value, lim); refusal != nil {
				return refusal
			}
		case isSpellingOf(r.key, "lasteventid"), isSpellingOf(r.key, "lasteventids"),
			isSpellingOf(r.key, "evslasteventid"):
			if len(value) > 0 { // an empty one says nothing, as an empty field does
				fromQuery = value
			}
		case string(r.key) == pollKey:
			if refusal := r.setPoll(value, lim.PollMax); refusal != nil {
				return refusal
			}
		case string(r.key) == "rewind":
			if refusal := r.setRewind(value); refusal != nil {
				return refusal
			}
		case near == "" && (isSpellingOf(r.key, "topic") || isSpellingOf(r.key, "topics")):
			near = string(r.key)
		}
	}
	if len(r.names) == 0 || near != "" {
		return r.noTopic(near)
	}
	last := r.LastEventID
	if len(last) == 0 && len(fromQuery) > 0 {
		begin := len(r.text)
		r.text, _ = http1.AppendUnescaped(r.text, fromQuery)
		last = r.text[begin:]
	}
	r.topics = r.topics[:0]
	for _, n := range r.names { // only now: r.text no longer moves
		r.topics = append(r.topics, r.text[n.from:n.to])
	}
	slices.SortFunc(r.topics, bytes.Compare)
	r.parseResume(last)
	return r.leavesRoom(lim)
}

// rewindMax bounds rewind=N: more than most topics keep.
const rewindMax = 100_000

func (r *Request) setRewind(encoded []byte) *refuse.Answer {
	r.value, _ = http1.AppendUnescaped(r.value[:0], encoded)
	n, err := strconv.ParseUint(string(r.value), 10, 32)
	if err != nil || n > rewindMax {
		return refuseRewind.WithReason(fmt.Errorf("%s, found %.40q", refuseRewind.Reason, r.value))
	}
	r.rewind = int(n)
	return nil
}

// idNameBytes is what stands around an id, in a query or as a field: &last_event_id= or its other
// spellings.
const idNameBytes = 20

// ResumeBytesMax bounds what a request for a stream of so many topics takes more when it resumes.
func ResumeBytesMax(topics int) int {
	if topics == 1 {
		return idNameBytes + eventid.MaxPositionBytes
	}
	return idNameBytes + eventid.VectorBytesMax(topics)
}

// leavesRoom refuses a request that could not be repeated with an id: the client would be given
// one, and never come back with it.
func (r *Request) leavesRoom(lim *RequestLimits) *refuse.Answer {
	room := ResumeBytesMax(len(r.topics))
	switch {
	case r.resume == log.ResumeAt, r.resume == log.ResumeMalformed:
		// it has one, and will replace it
	case lim.TargetBytes > 0 && r.TargetBytes+room > lim.TargetBytes:
		return refuseTarget
	case lim.HeadBytes > 0 && r.HeadBytes+room > lim.HeadBytes:
		return refuseHead
	}
	return nil
}

// isSpellingOf reports whether a key of the query is a spelling of a name: its letters in either
// case, with signs, digits and blanks of ASCII anywhere between or around them. Clients in use
// write last_event_id, lastEventId, Last-Event-ID and evs_last_event_id, and serializers topic[]
// and topic[0]; under a spelling that is not known, a resume would be silently lost.
func isSpellingOf(key []byte, name string) bool {
	n := 0
	for _, c := range key {
		switch {
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		case c < 0x80 && (c < 'a' || c > 'z'):
			continue
		}
		if n == len(name) || c != name[n] {
			return false
		}
		n++
	}
	return n == len(name)
}

// noTopic refuses a request that has no topic, or has one under a misspelt parameter, near, whose
// events the client would never get. The refusal names that parameter. Other unknown parameters are
// ignored, since clients add their own.
func (r *Request) noTopic(near string) *refuse.Answer {
	if near == "" {
		return refuseNoTopic
	}
	refusal := *refuseNoTopic
	if len(r.names) > 0 {
		refusal.Reason = "expected each topic as topic=NAME in the query: /events?topic=NAME&topic=NAME"
	}
	refusal.Reason += fmt.Sprintf("; found %.40q", near)
	return &refusal
}

func (r *Request) addTopic(encoded []byte, lim *RequestLimits) *refuse.Answer {
	begin := len(r.text)
	r.text, _ = http1.AppendUnescaped(r.text, encoded)
	topic := r.text[begin:]
	if err := (rule.Limits{TopicBytes: lim.TopicBytes}).Topic(topic); err != nil {
		return refuseTopic.WithReason(err)
	}
	for _, n := range r.names {
		if string(r.text[n.from:n.to]) == string(topic) {
			r.text = r.text[:begin]
			return nil // asked for twice, sent once
		}
	}
	if len(r.names) == lim.TopicsPerStream {
		return refuseTopics
	}
	r.names = append(r.names, span{begin, len(r.text)})
	return nil
}

// earliest, in place of an id, asks for everything that is retained. (No id has
// letters beyond a vector's base 36, and a vector has a dot.)
const earliest = "earliest"

func (r *Request) parseResume(last []byte) {
	r.positions = r.positions[:0]
	switch {
	case len(last) == 0:
		r.resume = log.ResumeNot
		if r.rewind > 0 {
			r.resume = log.ResumeNewest
		}
		return
	case string(last) == earliest:
		r.resume = log.ResumeEarliest
		return
	case len(r.topics) == 1:
		if p, ok := eventid.ParsePosition(last); ok {
			r.resume, r.position = log.ResumeAt, p
			return
		}
	default:
		check := uint32(0)
		for _, t := range r.topics {
			check = eventid.Check(check, string(t))
			r.positions = append(r.positions, eventid.Position{})
		}
		if _, ok := eventid.ParseVector(last, check, r.positions); ok {
			r.resume = log.ResumeAt
			return
		}
	}
	r.resume = log.ResumeMalformed
}
