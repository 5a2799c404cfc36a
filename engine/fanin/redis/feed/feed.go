package feed

import (
	"ssedge/proto/eventid"
	"ssedge/proto/rule"
)

// Feed is what is kept of a topic that is followed. The zero value is a feed that is away.
type Feed struct {
	state     State
	epoch     uint32   // counts the times that the feed became away
	doubts    uint32   // counts the reasons to look at the end of the stream
	published *awaited // events that this edge has published and that have not come; nil: none
	inquiry   *inquiry // what is to be found out; nil: nothing, as mostly
}

// State says how much of its stream a feed knows.
type State uint8

const (
	Away     State = iota // the channel is not subscribed: what is published is not known
	Catching              // the channel is subscribed, and what was missed before is being read
	Live                  // the log has everything up to the event that came last
	States
)

// String is the state as metrics have it.
func (s State) String() string {
	return [States]string{Away: "away", Catching: "catching_up", Live: "live"}[s]
}

// Config is what all feeds of an edge share.
type Config struct {
	Rule         rule.Limits // an event that breaks it is told as a gap
	TTLMS        uint64      // how long the servers keep the stream of a topic without events
	HistoryBytes int64       // what is read back of a stream, and compared, at most
}

// Machine is a feed at work. It is made for one call, costs nothing, and must not be kept.
type Machine struct {
	*Feed
	Log    Log
	Host   Host
	Config *Config
}

// inquiry is what a feed has to find out about its stream, and what it has found out so far.
type inquiry struct {
	since  int64  // when the feed was live last (Host.Seconds), if it is not
	looked uint32 // the feed's doubts when the last look at the end of the stream was asked for
	intact bool   // it was live when the doubt began, and the subscription was not lost since

	queued  bool // the host was told to read …
	hurried bool // … soon
	urgent  bool // a stream waits for what is read

	// What is still to be read in the end, in this order.
	comparing bool // the stream's last events, newest first: where do they part from the log's?
	verifying bool // the newest event that is not after the log's newest one: is it the same?
	forward   bool // the events after the log's newest one
	proved    bool // the log's newest event is, or was, in the stream
	untold    bool // messages were dropped that cannot be read, and are to be told
	older     older

	read  eventid.ID // the newest event that was read since the doubt began
	stuck eventid.ID // the event whose predecessor was missing last
	apart apart
	held  held
}

// inquire returns the feed's inquiry, and begins one if there is none. What works on an inquiry is
// given it as q, which is never nil.
func (m Machine) inquire() *inquiry {
	if m.inquiry == nil {
		m.inquiry = &inquiry{looked: m.doubts, since: m.Host.Seconds()}
	}
	return m.inquiry
}

// State returns the feed's state.
func (f *Feed) State() State { return f.state }

// Epoch changes whenever the feed becomes away.
func (f *Feed) Epoch() uint32 { return f.epoch }

// Settled reports whether the feed is live and has nothing to find out.
func (f *Feed) Settled() bool { return f.state == Live && f.inquiry == nil }

// Comparing reports whether the log is being compared with another history. What is read meanwhile
// may be of either.
func (f *Feed) Comparing() bool { return f.inquiry != nil && f.inquiry.comparing }

// enter changes the state.
func (m Machine) enter(to State) {
	m.Host.Changed(m.state, to)
	m.state = to
}
