package log

// GapCause is why events are missing from a stream: it stands in the gap event
// and is a metric label.
type GapCause uint8

const (
	GapNone      GapCause = iota
	GapOverrun            // a slow consumer: the topic's own bounds let events go before it was sent them
	GapEvicted            // the node-wide history cap let them go
	GapMissed             // this node was away from its upstream for longer than that keeps events, or the upstream has lost events itself
	GapConflated          // policy latest: a slow consumer goes on with the newest event
	GapExpired            // a resume from before what is retained
	GapUnknown            // a resume from an id that was never given out
	GapFuture             // a resume from an id that is still to come
	GapMalformed          // a resume from something that is no id of this stream
	GapCausesMax          // how many there are, with GapNone
)

var gapCauseNames = [GapCausesMax]string{
	"", "overrun", "evicted", "missed", "conflated", "expired", "unknown", "future", "malformed",
}

func (c GapCause) String() string { return gapCauseNames[c] }

// GapCauses lists all causes, for metrics of each.
func GapCauses() (all []GapCause) {
	for c := GapOverrun; c < GapCausesMax; c++ {
		all = append(all, c)
	}
	return all
}
