package intake

import (
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"ssedge/engine/auth"
	"ssedge/engine/refuse"
	"ssedge/shard"
	"ssedge/shard/sys"
	"ssedge/shard/topic"
)

// AdmissionConfig bounds the streams of a node.
type AdmissionConfig struct {
	StreamLimits
	CORS
	Request    RequestLimits
	Proxies    Proxies
	LocalHosts bool // a Host that is not this machine's is left to net/http, which refuses it
	Authorizer auth.Authorizer
	Logger     *slog.Logger // each stream's beginning and end, at debug level
}

// Admission decides whether a request becomes a stream, and makes it one. It is
// safe from any goroutine.
type Admission struct {
	config    AdmissionConfig
	group     *shard.Group
	answers   *answers
	streams   atomic.Int64
	addresses addresses
	rate      rate
	draining  atomic.Bool
	behind    atomic.Int64           // bytes that were received behind the heads of polls
	takeBack  func(fd int, note any) // set before the first Admit; nil: connections are closed
	short     atomic.Bool            // of memory

	Accepted atomic.Uint64
}

// NewAdmission makes an admission for the streams of a group, which is set with
// Attach: the group needs Closed of this one first.
func NewAdmission(c AdmissionConfig) *Admission {
	a := &Admission{config: c, answers: newAnswers(c.CORSOrigins)}
	a.rate.perSecond = c.AcceptRate
	return a
}

// Attach sets where streams go. It is called once, before the first Admit.
func (a *Admission) Attach(g *shard.Group) { a.group = g }

// Streams returns how many streams there are, with those on their way in.
func (a *Admission) Streams() int { return int(a.streams.Load()) }

// Drain makes every later Admit refuse.
func (a *Admission) Drain() { a.draining.Store(true) }

// SetMemoryShort says whether the node is short of memory; then new streams are refused.
func (a *Admission) SetMemoryShort(short bool) { a.short.Store(short) }

// Closed is called for each stream that has ended, with the owner it joined with.
func (a *Admission) Closed(owner uint32, reason shard.CloseReason) {
	if a.debugs() {
		a.config.Logger.Debug("stream closed", "reason", reason.String())
	}
	a.leave(owner)
}

// Done is called for each poll that has its answer and whose connection goes on: it waits for its
// next head. With fd -1 it has ended otherwise.
func (a *Admission) Done(fd int, note any) {
	a.forget(note)
	switch {
	case fd < 0:
	case a.takeBack == nil:
		sys.Close(fd)
	default:
		a.takeBack(fd, note)
	}
}

// leave is the inverse of enter.
func (a *Admission) leave(owner uint32) {
	a.streams.Add(-1)
	if owner != noAddress {
		a.addresses.leave(owner)
	}
}

// debugs saves every stream the cost of a record that is not logged.
func (a *Admission) debugs() bool {
	return a.config.Logger.Enabled(context.Background(), slog.LevelDebug)
}

// Admit makes the connection fd a stream, or says why not. After nil the descriptor belongs to a
// shard, which answers; wake it with Wake, once for many. Otherwise fd is still the caller's.
//
// Limits come before everything that costs more than they do: a node under a
// storm must refuse cheaply. What the client may see comes before topics are
// touched, so that a client cannot make topics that it may not read.
func (a *Admission) Admit(fd int, r *Request) *refuse.Answer {
	if refusal := r.parse(&a.config.Request); refusal != nil {
		return refusal
	}
	client, refusal := a.config.Proxies.client(r.Remote, r.Forwarded)
	if refusal != nil {
		return refusal
	}
	owner, refusal := a.enter(client)
	if refusal != nil {
		return refusal
	}
	if refusal = a.authorize(r); refusal == nil {
		refusal = a.join(fd, r, owner, client)
	}
	if refusal != nil {
		a.leave(owner)
		a.rate.undo()
		return refusal
	}
	a.Accepted.Add(1)
	if a.debugs() {
		a.config.Logger.Debug("stream admitted", "client", client, "topics", topicNames(r.topics))
	}
	return nil
}

// topicNames are topics for the log. The rest of a query is not for it: clients put credentials
// there.
func topicNames(topics [][]byte) []string {
	all := make([]string, len(topics))
	for i, t := range topics {
		all[i] = string(t)
	}
	return all
}

// Wake makes the shards look at what was admitted.
func (a *Admission) Wake() { a.group.Wake() }

// enter counts a stream in, against all limits.
func (a *Admission) enter(client netip.Addr) (owner uint32, _ *refuse.Answer) {
	switch {
	case a.draining.Load():
		return 0, refuseDraining
	case a.short.Load():
		return 0, refuseMemory
	}
	if a.streams.Add(1) > int64(a.config.StreamsMax) {
		a.streams.Add(-1)
		return 0, refuseStreams
	}
	owner = noAddress
	if a.config.PerAddressMax > 0 && client.IsValid() {
		var ok bool
		if owner, ok = a.addresses.enter(client, a.config.PerAddressMax); !ok {
			a.streams.Add(-1)
			return 0, refuseAddress
		}
	}
	// The rate last: a client that is refused for its address takes nothing from others.
	if !a.rate.take(time.Now()) {
		a.leave(owner)
		return 0, refuseRate
	}
	return owner, nil
}

// Check says how Admit would answer, but for limits.
func (a *Admission) Check(r *Request) *refuse.Answer {
	if refusal := r.parse(&a.config.Request); refusal != nil {
		return refusal
	}
	if _, refusal := a.config.Proxies.client(r.Remote, r.Forwarded); refusal != nil {
		return refusal
	}
	return a.authorize(r)
}

func (a *Admission) authorize(r *Request) *refuse.Answer {
	switch a.config.Authorizer.Subscribe(r.Authorization, r.topics) {
	case auth.Allowed:
		return nil
	case auth.Unknown:
		return refuseUnknown
	}
	return refuseInvalid
}

// clients makes a number of a client's address, for as long as the process runs.
var clients = maphash.MakeSeed()

// join takes hold of the topics and hands the connection over.
func (a *Admission) join(fd int, r *Request, owner uint32, client netip.Addr) *refuse.Answer {
	table := a.group.Table()
	j := shard.Join{
		Fd: fd, Early: a.answers.early(r),
		Resume: r.resume, Position: r.position, Newest: r.rewind, Owner: owner,
	}
	switch {
	case r.poll.asked:
		j.Wire, j.Poll = shard.WireAnswer, a.pollOf(r)
	case a.config.Chunked && r.Minor > 0:
		j.Wire, j.Head = shard.WireChunk, a.answers.head(r, true)
	default:
		j.Wire, j.Head = shard.WireRaw, a.answers.head(r, false)
	}
	if client.IsValid() {
		j.Client = maphash.Comparable(clients, addressKey(client))
	}
	if len(r.topics) > 1 {
		j.More = make([]*topic.Topic, 0, len(r.topics))
		j.Positions = append(j.Positions, r.positions...)
	}
	release := func() {
		if j.Poll != nil {
			a.forget(j.Poll.Note)
		}
		for _, t := range j.More {
			table.Release(t)
		}
		if j.Topic != nil {
			table.Release(j.Topic)
		}
	}
	for _, name := range r.topics {
		t, err := table.Acquire(name)
		if err != nil {
			release()
			return refuseTopicsMax
		}
		if j.More == nil {
			j.Topic = t
		} else {
			j.More = append(j.More, t)
		}
	}
	var err error
	if r.opening, err = a.group.Join(j, r.opening); err != nil {
		release()
		if errors.Is(err, shard.ErrStopped) {
			return refuseDraining
		}
		return refuseInbox
	}
	return nil
}
