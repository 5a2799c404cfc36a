package log

// GapCause is why events are missing from a stream: it stands in the gap event
// and is a metric label.
type GapCause uint8

const (
	GapNone      GapCause = iota
	GapOverrun            // a slow consumer: the topic's own bounds dropped events it was not sent
	GapEvicted            // the node-wide history cap let them go
	GapMissed             // the upstream no longer has what was published while it was not heard
	GapConflated          // policy latest: a slow consumer goes on with the newest event
	GapExpired            // a resume from before what is retained
	GapUnknown            // a resume from an id that was never given out
	GapFuture             // a resume from an id that is still to come
	GapMalformed          // a resume from something that is no id of this stream
	GapCausesMax          // how many there are, with GapNone
)

var gapCauseNames = [GapCausesMax]string{
	GapNone:      "",
	GapOverrun:   "overrun",
	GapEvicted:   "evicted",
	GapMissed:    "missed",
	GapConflated: "conflated",
	GapExpired:   "expired",
	GapUnknown:   "unknown",
	GapFuture:    "future",
	GapMalformed: "malformed",
}

func (c GapCause) String() string { return gapCauseNames[c] }

// GapCauses lists all causes, for metrics of each.
func GapCauses() (all []GapCause) {
	for c := GapOverrun; c < GapCausesMax; c++ {
		all = append(all, c)
	}
	return all
}
