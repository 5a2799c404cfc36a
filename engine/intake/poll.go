package intake

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"ssedge/engine/refuse"
	"ssedge/proto/http1"
	"ssedge/shard"
	"ssedge/shard/sys"
)

// A poll is a request for one answer, for clients that cannot read a stream: GET /events?poll=30s.
// Its connection parks in a shard like any stream, and comes back with the answer: it waits for its
// next head where other heads are read (heads.go).

// pollKey is the parameter that makes a request a poll.
const pollKey = "poll"

// poll is what a request says of that.
type poll struct {
	asked bool
	wait  time.Duration // for an event; 0: the answer comes at once
	json  bool
}

// setPoll takes a duration (30s, 1m30s, 500ms), or seconds.
func (r *Request) setPoll(encoded []byte, most time.Duration) *refuse.Answer {
	r.value, _ = http1.AppendUnescaped(r.value[:0], encoded)
	text := string(r.value)
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		text += "s"
	}
	wait, err := time.ParseDuration(text)
	// signs, exponents and the like are not expected
	if err != nil || bytes.ContainsAny(r.value, "+-_xXeEpP") || wait > most {
		return refusePoll.WithReason(fmt.Errorf("%s, at most %v (--poll-max), found %.40q",
			refusePoll.Reason, most, r.value))
	}
	if r.head != nil {
		r.accept = r.head.AppendJoined(r.accept[:0], "accept")
		r.Accept = r.accept
	}
	r.poll = poll{asked: true, wait: wait, json: wantsJSON(r.Accept)}
	return nil
}

// wantsJSON reports whether a field Accept (RFC 9110 12.5.1) names JSON, and not streams.
func wantsJSON(accept []byte) (json bool) {
	for element := range bytes.SplitSeq(accept, []byte{','}) {
		kind, parameters, _ := bytes.Cut(element, []byte{';'})
		if refused(parameters) {
			continue
		}
		switch kind = bytes.Trim(kind, " \t"); {
		case bytes.EqualFold(kind, []byte("text/event-stream")):
			return false
		case bytes.EqualFold(kind, []byte("application/json")):
			json = true
		}
	}
	return json
}

// refused reports whether the parameters of a media range say that it is not acceptable: q=0.
func refused(parameters []byte) bool {
	for p := range bytes.SplitSeq(parameters, []byte{';'}) {
		p = bytes.Trim(p, " \t")
		if len(p) > 2 && p[0]|0x20 == 'q' && p[1] == '=' {
			return len(bytes.Trim(p[2:], "0.")) == 0
		}
	}
	return false
}

// AsksForPoll reports whether a request is one, as far as can be said without reading all of it.
func (r *Request) AsksForPoll() bool {
	for rest := r.Query; ; {
		key, _, next, ok := http1.NextPair(rest)
		if !ok {
			return false
		}
		rest = next
		name, valid := http1.AppendUnescaped(r.key[:0], key)
		if r.key = name; valid && string(name) == pollKey {
			return true
		}
	}
}

// ContentType and CacheControl are those of the answer to a request that [Admission.Check] has
// found in order.
func (r *Request) ContentType() string {
	if r.poll.json {
		return "application/json"
	}
	return "text/event-stream; charset=utf-8"
}

func (r *Request) CacheControl() string {
	if r.poll.asked {
		return "no-store"
	}
	return "no-cache, no-transform"
}

// returning is what a shard keeps of a poll's connection beside the descriptor, if there is
// anything: most have sent nothing behind the head, and the kernel knows where they come from.
type returning struct {
	from   peer
	behind []byte
}

// behindMax bounds what is kept of all polls together that was received behind their heads, bytes.
// Beyond it the connection ends with the answer.
const behindMax = 4 << 20

// pollOf is the poll as its shard knows it.
func (a *Admission) pollOf(r *Request) *shard.Poll {
	p := &shard.Poll{Form: a.answers.form(r), Wait: r.poll.wait,
		Kept: r.KeepAlive && r.Minor > 0}
	if n := int64(len(r.behind)); p.Kept && n > 0 && a.behind.Add(n) > behindMax {
		a.behind.Add(-n)
		p.Kept = false
	}
	if p.Kept && (len(r.behind) > 0 || r.from.announced) {
		p.Note = &returning{r.from, bytes.Clone(r.behind)}
	}
	return p
}

// forget undoes pollOf.
func (a *Admission) forget(note any) {
	if r, ok := note.(*returning); ok {
		a.behind.Add(-int64(len(r.behind)))
	}
}

// takeBack has the connection of a poll that was answered wait for its next head. It is called on a
// shard's goroutine.
func (in *Intake) takeBack(fd int, note any) {
	if r, ok := note.(*returning); ok {
		in.heads.await(fd, r.from, r.behind)
		return
	}
	addr, errno := sys.PeerOf(fd)
	if errno != 0 { // it has broken
		sys.Close(fd)
		return
	}
	in.heads.await(fd, peer{addr: addr}, nil)
}
